"""The page below a path of a reverse proxy, and behind an API key."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE_MS, until
from running import RunningService, running

from emotone.service.access.keys import new_key

pytestmark = pytest.mark.slow

PREFIX = "/emotone"


@pytest.fixture
def proxy(service: RunningService) -> Iterator[str]:
    """A proxy that strips its prefix and answers 404 elsewhere, as a service of another path would."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # The browser hangs up when the page is left or closed.
            with suppress(ConnectionError):
                self._pass_on()

        def _pass_on(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if not self.path.startswith(PREFIX + "/"):
                self.send_error(404)
                return
            headers = {name: value for name, value in self.headers.items() if name != "Origin"}
            with closing(http.client.HTTPConnection("127.0.0.1", service.port)) as connection:
                connection.request(self.command, self.path.removeprefix(PREFIX), body, headers)
                answer = connection.getresponse()
                content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "date", "server", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{PREFIX}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_page_works_below_a_prefix(browser: Any, proxy: str, clip: Path) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.goto(proxy)
    page.wait_for_selector("#examples button")
    page.set_input_files("#file", clip)
    page.wait_for_selector("#result:not([hidden])")
    page.click("footer a")
    page.wait_for_selector("#routes section")
    assert f"{PREFIX}/v1/recognize" in page.inner_text("#example")
    page.click("header a")
    page.wait_for_selector("#choose")
    assert not failed
    page.close()


def test_enter_submits_the_key_and_what_was_refused_is_analysed(
    browser: Any, shipped_model: Path, clip: Path, tmp_path: Path
) -> None:
    key, stored = new_key("ann")
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{stored.name}:{stored.digest}\n", encoding="utf-8")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with running(tmp_path / "service", shipped_model, "--api-keys", str(keys)) as service:
        page.goto(f"{service.url}/")
        page.wait_for_selector("#key-form:not([hidden])")
        page.set_input_files("#file", clip)
        page.wait_for_selector("#problem:not([hidden])")
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-refused]:not([hidden])")
        page.fill("#key", key)
        page.keyboard.press("Enter")
        page.wait_for_selector("#result:not([hidden])")
        until(page, "document.querySelector('#key-form').hidden")
    page.close()
