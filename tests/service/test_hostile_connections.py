"""Connections that wait for their client, and too long: the service in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import RunningService, running
from test_hardness import ask, heard_to_the_end
from waiting import wait_for

from emotone.service.server.protocol import TimeoutProtocol

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service"), tiny_model, "--max-upload", "2") as service:
        yield service


def test_the_rest_of_a_refused_body_is_not_awaited_for_ever(service: RunningService) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n")
        connection.settimeout(0.5)
        begun, answer, closed = time.monotonic(), b"", False
        while time.monotonic() - begun < 30 and not closed:
            try:
                connection.sendall(b"x")
                piece = connection.recv(4096)
                answer, closed = answer + piece, piece == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
        assert b" 404 " in answer.split(b"\r\n", 1)[0]
        assert closed
        assert time.monotonic() - begun > 5


def test_who_sends_all_before_reading_still_sees_why_it_was_too_much(service: RunningService) -> None:
    for _ in range(5):
        status, problem = ask(service, "POST", "/v1/recognize", bytes(20 << 20))
        assert (status, problem["type"]) == (413, "/problems/too-large")


def test_a_client_that_never_reads_is_let_go(service: RunningService) -> None:
    request = b"GET /static/vendor/wavesurfer/wavesurfer.js HTTP/1.1\r\nHost: localhost\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as reader:
        reader.sendall(request + b"Connection: close\r\n\r\n")
        size = len(heard_to_the_end(reader))
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        n_requests = 100 + (32 << 20) // size
        connection.sendall((request + b"\r\n") * n_requests)

        def is_closed() -> bool:
            try:
                connection.send(b"\r\n")
            except ConnectionError:
                return True
            return False

        wait_for(is_closed)
        assert heard_to_the_end(connection).count(b"HTTP/1.1 200") < n_requests


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\nhello",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_too(service: RunningService, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(sent)
        head, _, body = heard_to_the_end(connection).partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "/problems/not-http"


def test_beyond_the_last_connection_everybody_is_told_so_and_the_supervisor_that_it_lives(
    service: RunningService,
) -> None:
    idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(TimeoutProtocol.max_connections)]
    try:
        status, problem = ask(service, "GET", "/v1/models")
        assert (status, problem["type"]) == (503, "/problems/crowded")
        assert "Retry" in problem["detail"]
        assert ask(service, "GET", "/healthz")[0] == 200
    finally:
        for connection in idle:
            connection.close()
    wait_for(lambda: ask(service, "GET", "/v1/models")[0] == 200)


def test_a_port_that_is_taken_is_an_error_of_ours_with_a_status_of_ours(
    service: RunningService, tiny_model: Path, tmp_path: Path
) -> None:
    code = "from emotone.cli.main import main; main()"
    words = ["serve", "--port", str(service.port), "--model", str(tiny_model), "--data-dir", str(tmp_path)]
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert f"cannot start at 127.0.0.1:{service.port}" in ended.stderr.replace("\n", " ")
    assert "Traceback" not in ended.stderr
