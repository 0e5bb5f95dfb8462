"""The service below a path, behind a real nginx with the configuration that the docs show."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from running import running
from waiting import wait_for

from emotone.service.access.proxies import network_of
from emotone.service.options import ServiceOptions

DOCS = Path(__file__).parents[2] / "docs" / "reverse-proxy.md"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nginx_configuration(folder: Path, port: int, service_port: int) -> str:
    location, connection = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    temporary = "\n".join(
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder / 'pid'}; error_log {folder / 'errors'}; worker_processes 1;\n"
        f"events {{ worker_connections 64; }}\nhttp {{ access_log off; {temporary}\n{connection}\n"
        f"server {{ listen 127.0.0.1:{port};\n{location.replace('127.0.0.1:8000', f'127.0.0.1:{service_port}')} }} }}"
    )


@pytest.fixture(scope="module")
def proxy(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an nginx in front of the service."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    port, service_port = free_port(), free_port()
    (folder / "nginx.conf").write_text(nginx_configuration(folder, port, service_port), encoding="utf-8")
    options = ("--root-path", "/emotone", "--trusted-proxy", "127.0.0.1")
    with running(folder, tiny_model, *options, port=service_port):
        process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None, (folder / "errors").read_text(encoding="utf-8")
                    assert time.monotonic() < until
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(60)


def ask(port: int, method: str, path: str, content: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, content, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, response.headers, text


@pytest.mark.slow
def test_page_scripts_and_api_are_served_below_the_path(proxy: int) -> None:
    status, _, page = ask(proxy, "GET", "/emotone/")
    assert status == 200
    addresses = re.findall(r'(?:src|href)="([^"#]+)"', page.decode())
    assert any(address.endswith(".js") for address in addresses)
    for address in addresses:
        if "://" not in address:
            path = address if address.startswith("/") else f"/emotone/{address}"
            assert ask(proxy, "GET", path)[0] == 200, address
    assert ask(proxy, "GET", "/emotone/openapi.json")[0] == 200


@pytest.mark.slow
def test_uploads_and_jobs_work_through_the_proxy_from_the_pages_origin(proxy: int, clips_dir: Path) -> None:
    clip = (clips_dir / "emodb" / "03a01Wa.flac").read_bytes()
    origin = {"Origin": f"http://127.0.0.1:{proxy}"}
    assert ask(proxy, "POST", "/emotone/v1/recognize", clip, **origin)[0] == 200
    assert ask(proxy, "POST", "/emotone/v1/recognize", clip, Origin="http://evil.example")[0] == 403
    status, headers, _ = ask(proxy, "POST", "/emotone/v1/jobs", clip, **origin)
    assert status == 202
    assert headers["Location"].startswith("/emotone/v1/jobs/")
    assert ask(proxy, "GET", headers["Location"])[0] == 200
    # Callers behind a proxy cannot be told apart without keys.
    assert ask(proxy, "GET", "/emotone/v1/jobs")[0] == 403


@pytest.mark.slow
def test_a_live_stream_passes_the_proxy(proxy: int) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{proxy}/emotone/v1/stream", open_timeout=60, close_timeout=60) as stream:
        stream.send(json.dumps({"type": "start", "encoding": "pcm16", "sample_rate": 16_000}))
        assert json.loads(stream.recv(60))["type"] == "ready"
        stream.send(bytes(64_000))
        stream.send(json.dumps({"type": "stop"}))
        kinds = []
        while not kinds or kinds[-1] not in ("done", "problem"):
            kinds.append(json.loads(stream.recv(60))["type"])
        assert kinds[-1] == "done"


def test_the_path_may_be_removed_by_the_proxy_or_not(serve: Any) -> None:
    client = serve(root_path="/emotone")
    for path in ("/v1/models", "/emotone/v1/models", "/emotone/", "/"):
        assert client.get(path).status_code == 200
    assert client.get("/emotone", follow_redirects=False).headers["location"] == "/emotone/"
    assert client.get("/favicon.ico", follow_redirects=False).headers["location"] == "/emotone/static/icon.svg"


def test_the_types_of_problems_are_below_the_path(serve: Any) -> None:
    client = serve(root_path="/emotone")
    problem = client.post("/v1/recognize", content=b"no sound at all").json()
    assert problem["type"] == "/emotone/problems/not-audio"
    assert client.get(problem["type"]).json()["type"] == problem["type"]
    job = client.post("/v1/jobs", content=b"no sound at all").json()
    wait_for(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "failed")
    assert client.get(f"/v1/jobs/{job['id']}").json()["problem"]["type"] == problem["type"]
    with client.websocket_connect("ws://localhost/v1/stream") as stream:
        stream.send_text("nothing")
        assert stream.receive_json()["problem"]["type"] == "/emotone/problems/bad-stream"


def test_probes_answer_to_any_host_name(serve: Any) -> None:
    """Load balancers and containers ask by address."""
    client = serve(allowed_hosts=("example.org",))
    by_address = {"host": "10.0.0.7:8000"}
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/v1/models", 403), ("/metrics", 403), ("/", 403)):
        assert client.get(path, headers=by_address).status_code == status, path


def test_forwarded_headers_count_only_from_named_proxies(serve: Any) -> None:
    options = {"allowed_hosts": ("example.org",)}
    forwarded = {"x-forwarded-host": "example.org", "x-forwarded-prefix": "/below"}
    for trusted, status in (((network_of("10.0.0.0/8"),), 200), ((network_of("192.168.0.1"),), 403)):
        app = serve(**options, trusted_proxies=trusted).app
        client = TestClient(app, base_url="http://localhost", client=("10.1.2.3", 4), follow_redirects=False)
        assert client.get("/v1/models", headers=forwarded).status_code == status
        location = client.get("/favicon.ico", headers=forwarded).headers.get("location")
        assert location == ("/below/static/icon.svg" if status == 200 else None)


def test_a_service_with_a_proxy_is_not_private() -> None:
    assert ServiceOptions().is_private
    assert not ServiceOptions(root_path="/emotone").is_private
    assert not ServiceOptions(trusted_proxies=(network_of("10.0.0.1"),)).is_private
