"""What the service refuses, and whom."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from waiting import wait_for

from emotone import errors
from emotone.service import problems
from emotone.service.access.keys import ApiKey, check_key, new_key, read_keys
from emotone.service.errors import KeyFileError, UnauthorizedError
from emotone.service.options import ServiceOptions
from emotone.service.workers.process import WorkerPool, WorkerProcess


def every_error(root: type[Exception]) -> Iterator[type[Exception]]:
    for one in root.__subclasses__():
        yield one
        yield from every_error(one)


@pytest.mark.parametrize("error", sorted(every_error(errors.EmotoneError), key=lambda one: one.__name__))
def test_every_error_of_the_tree_has_a_place_in_the_table(error: type[Exception]) -> None:
    made = error.__new__(error)
    Exception.__init__(made, "why")
    kind = problems.kind_of(made)
    assert 400 <= kind.status < 600
    assert kind.public == (kind.status != 500)


def test_too_many_bytes_are_refused_by_announcement_and_in_fact(serve: Any, angry_clip: bytes) -> None:
    client = serve(max_upload_bytes=1000)

    def pieces() -> Iterator[bytes]:
        yield from (angry_clip[start : start + 100] for start in range(0, len(angry_clip), 100))

    announced = client.post("/v1/recognize", content=angry_clip)
    endless = client.post("/v1/recognize", content=pieces())
    assert announced.status_code == endless.status_code == 413
    assert announced.json()["type"] == "/problems/too-large"
    assert "declares" in announced.json()["detail"]
    assert "more than" in endless.json()["detail"]


def test_too_many_seconds_are_refused(serve: Any, angry_clip: bytes) -> None:
    response = serve(max_duration_s=1.0).post("/v1/recognize", content=angry_clip)
    assert response.status_code == 413
    assert response.json()["type"] == "/problems/too-long"


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The ids of worker processes; each hangs as soon as it has work, as in a decoder that does not return."""
    take, numbers = WorkerPool.take, []

    def take_stopped(pool: WorkerPool) -> WorkerProcess:
        process = take(pool)
        process.wait_until_ready()
        numbers.append(process._process.pid)
        os.kill(numbers[-1], signal.SIGSTOP)
        return process

    monkeypatch.setattr(WorkerPool, "take", take_stopped)
    yield numbers
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGCONT)


def test_work_beyond_its_time_is_killed_and_its_place_is_free(
    serve: Any, angry_clip: bytes, stopped: list[int]
) -> None:
    client = serve(request_timeout_s=0.5, max_running=1)
    response = client.post("/v1/recognize", content=angry_clip)
    assert response.status_code == 503
    assert response.json()["type"] == "/problems/time-limit"
    assert client.app.state.context.queue.running == 0


def test_a_full_queue_says_when_to_retry_and_is_not_ready(serve: Any, angry_clip: bytes, stopped: list[int]) -> None:
    client = serve(max_running=1, max_waiting=1)
    queue = client.app.state.context.queue
    found: list[int] = []

    def call() -> None:
        found.append(client.post("/v1/recognize", content=angry_clip).status_code)

    # One runs, one that is long by now runs beside it, and one waits.
    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread, (running, waiting) in zip(threads, [(1, 0), (2, 0), (2, 1)], strict=True):
        thread.start()
        wait_for(lambda expected=(running, waiting): (queue.running, queue.waiting) == expected)
    refused = client.post("/v1/recognize", content=angry_clip)
    assert client.get("/readyz").status_code == 503

    def all_answered() -> bool:
        for number in stopped:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)
        return len(found) == 3

    wait_for(all_answered)
    for thread in threads:
        thread.join()
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert found == [200, 200, 200]


def test_keys_are_wanted_compared_and_never_stored(serve: Any, angry_clip: bytes, tmp_path: Path) -> None:
    key, stored = new_key("ann")
    client = serve(api_keys=(stored,))
    assert key not in f"{stored}"
    refused = client.post("/v1/recognize", content=angry_clip)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
        assert client.post("/v1/recognize", content=angry_clip, headers=headers).status_code == 200
    wrong = client.post("/v1/recognize", content=angry_clip, headers={"x-api-key": key[:-1]})
    assert wrong.status_code == client.get("/metrics").status_code == 401
    assert client.get("/healthz").status_code == client.get("/").status_code == 200


def test_a_file_of_keys_is_read_whole_or_refused(tmp_path: Path) -> None:
    key, stored = new_key("ann")
    path = tmp_path / "keys"
    path.write_text(f"# callers\n\n{stored.name}:{stored.digest}\n")
    assert read_keys(path) == (stored,)
    assert check_key(read_keys(path), key) == "ann"
    with pytest.raises(UnauthorizedError):
        check_key((ApiKey("x", "0" * 64),), key)
    for text in ("", "ann:plain text\n"):
        path.write_text(text)
        with pytest.raises(KeyFileError):
            read_keys(path)


def test_pages_of_other_origins_may_not_call_unless_named(serve: Any, angry_clip: bytes) -> None:
    elsewhere = {"origin": "https://example.org"}
    client = serve()
    assert client.post("/v1/recognize", content=angry_clip, headers=elsewhere).status_code == 403
    assert "access-control-allow-origin" not in client.get("/v1/models", headers=elsewhere).headers
    own = {"origin": "http://localhost"}
    assert client.post("/v1/recognize", content=angry_clip, headers=own).status_code == 200
    named = serve(cors_origins=("https://example.org",))
    answered = named.post("/v1/recognize", content=angry_clip, headers=elsewhere)
    assert answered.status_code == 200
    assert answered.headers["access-control-allow-origin"] == "https://example.org"


def test_on_loopback_only_loopback_names_are_answered(serve: Any) -> None:
    client = serve()
    assert client.get("/v1/models", headers={"host": "evil.example:8000"}).status_code == 403
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.get("/v1/models", headers={"host": host}).status_code == 200
    assert ServiceOptions(host="0.0.0.0").hosts == ("*",)


def test_every_answer_has_safe_headers(client: TestClient) -> None:
    for path in ("/", "/docs", "/static/page.js", "/v1/models", "/nothing", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]


def test_each_page_has_a_nonce_of_its_own(client: TestClient) -> None:
    first, second = client.get("/"), client.get("/")
    assert first.text != second.text
    nonce = first.text.split('name="csp-nonce" content="')[1].split('"')[0]
    assert f"'nonce-{nonce}'" in first.headers["content-security-policy"]


def test_no_page_or_script_names_another_host(client: TestClient) -> None:
    static = Path(__file__).parents[2] / "src" / "emotone" / "service" / "static"
    for path in sorted(static.glob("*.*")):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "http://" not in text, path
        assert "https://" not in text, path


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    for response, status in ((client.get("/nothing"), 404), (client.put("/v1/recognize"), 405)):
        assert response.status_code == response.json()["status"] == status
        assert response.headers["content-type"] == "application/problem+json"


def test_streams_of_other_origins_are_refused(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://localhost/v1/stream", headers={"origin": "https://example.org"}),
    ):
        pass
