"""Hard treatment of a service in a process of its own: killed, held up, flooded, lied to."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import statistics
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from browsing import write_talk
from running import RunningService, running
from waiting import wait_for

pytestmark = pytest.mark.slow


def ask(service: RunningService, method: str, path: str, content: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    connection.request(method, path, content)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text else None


def metrics(service: RunningService) -> bytes:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=60) as response:
        content: bytes = response.read()
        return content


def resident_mib(service: RunningService) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def heard_to_the_end(connection: socket.socket) -> bytes:
    found = b""
    try:
        while piece := connection.recv(65_536):
            found += piece
    except ConnectionError:
        pass
    return found


def test_no_job_is_lost_when_the_service_is_killed_in_the_middle(
    small_model: Path, clips_dir: Path, tmp_path: Path
) -> None:
    talk = tmp_path / "talk.wav"
    write_talk(talk, sorted(clips_dir.glob("*/*.flac")) * 12, 0.3)
    content = talk.read_bytes()
    ids = []

    def states() -> list[str]:
        return [ask(service, "GET", f"/v1/jobs/{one}")[1]["state"] for one in ids]

    with running(tmp_path, small_model) as service:
        ids += [ask(service, "POST", "/v1/jobs", content)[1]["id"] for _ in range(6)]
        service.end(signal.SIGKILL)
    with running(tmp_path, small_model) as service:
        wait_for(lambda: "done" in states())
        service.end(signal.SIGKILL)
    with running(tmp_path, small_model) as service:
        wait_for(lambda: set(states()) <= {"done", "failed"})
        assert states() == ["done"] * len(ids)
        replies = [ask(service, "GET", f"/v1/jobs/{one}/result")[1] for one in ids]
        assert all(reply == replies[0] for reply in replies)
        assert not list((service.data_dir / "uploads").iterdir())


def test_sigterm_answers_what_has_begun_and_keeps_the_job_that_runs(
    small_model: Path, clips_dir: Path, tmp_path: Path
) -> None:
    talk = tmp_path / "talk.wav"
    write_talk(talk, sorted(clips_dir.glob("*/*.flac")) * 60, 0.3)
    content = talk.read_bytes()
    answers: list[int] = []
    with running(tmp_path, small_model) as service:
        job_id = ask(service, "POST", "/v1/jobs", content)[1]["id"]
        caller = threading.Thread(target=lambda: answers.append(ask(service, "POST", "/v1/recognize", content)[0]))
        caller.start()
        wait_for(lambda: b"emotone_running 1.0" in metrics(service))
        assert service.end(signal.SIGTERM) == 0
        caller.join()
    assert answers == [200]
    with running(tmp_path, small_model) as service:
        wait_for(lambda: ask(service, "GET", f"/v1/jobs/{job_id}")[1]["state"] not in ("queued", "running"))
        assert ask(service, "GET", f"/v1/jobs/{job_id}")[1]["state"] == "done"


def test_a_head_that_never_ends_is_cut_off(tiny_model: Path, tmp_path: Path) -> None:
    with running(tmp_path, tiny_model) as service:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", service.port), timeout=40) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            connection.settimeout(1.0)
            closed = False
            while time.monotonic() - begun < 30 and not closed:
                try:
                    connection.sendall(b"X-A: b\r\n")
                    closed = connection.recv(100) == b""
                except TimeoutError:
                    continue
                except ConnectionError:
                    closed = True
            assert closed
        assert time.monotonic() - begun > 5
        with socket.create_connection(("127.0.0.1", service.port), timeout=40) as silent:
            assert silent.recv(100) == b""


def test_a_body_that_drips_is_cut_off_and_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    with running(tmp_path, tiny_model) as service:
        head = b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(head)
            connection.settimeout(0.5)
            answer = b""
            begun = time.monotonic()
            while time.monotonic() - begun < 40 and not answer:
                try:
                    connection.sendall(b"x")
                    answer = connection.recv(4096)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        assert b" 408 " in answer.split(b"\r\n", 1)[0]
        assert not list((service.data_dir / "uploads").iterdir())


def test_an_endless_body_is_refused_soon_and_never_read_whole(tiny_model: Path, tmp_path: Path) -> None:
    with running(tmp_path, tiny_model, "--max-upload", "2") as service:
        before = resident_mib(service)
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            sent = 0
            try:
                while sent < 500 << 20:
                    connection.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")
                    sent += 65_536
            except ConnectionError:
                pass
            answer = heard_to_the_end(connection)
        assert sent < 50 << 20
        assert not answer or b" 413 " in answer.split(b"\r\n", 1)[0]
        assert resident_mib(service) - before < 30
        assert ask(service, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize("declared", [10, 10_000_000])
def test_a_lying_length_harms_nobody(tiny_model: Path, tmp_path: Path, clips_dir: Path, declared: int) -> None:
    clip = (clips_dir / "emodb" / "03a01Wa.flac").read_bytes()
    with running(tmp_path, tiny_model) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=40) as connection:
            head = f"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Length: {declared}\r\n\r\n"
            connection.sendall(head.encode() + clip)
            connection.shutdown(socket.SHUT_WR)
            answer = heard_to_the_end(connection)
        assert not answer.startswith(b"HTTP/1.1 2")
        assert ask(service, "POST", "/v1/recognize", clip)[0] == 200
        assert not list((service.data_dir / "uploads").iterdir())


def test_64_clients_get_answers_or_429_and_memory_does_not_grow(
    shipped_model: Path, clips_dir: Path, tmp_path: Path
) -> None:
    clip = (clips_dir / "emodb" / "03a01Wa.flac").read_bytes()
    statuses: Counter[int | str] = Counter()
    times: list[float] = []
    memory: list[float] = []
    seconds = 60.0
    with running(tmp_path, shipped_model) as service:
        until = time.monotonic() + seconds

        def call() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
            while time.monotonic() < until:
                begun = time.monotonic()
                try:
                    connection.request("POST", "/v1/recognize", clip)
                    response = connection.getresponse()
                    response.read()
                except OSError as error:
                    statuses[type(error).__name__] += 1
                    connection.close()
                    continue
                statuses[response.status] += 1
                times.append(time.monotonic() - begun)
            connection.close()

        threads = [threading.Thread(target=call) for _ in range(64)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            memory.append(resident_mib(service))
            time.sleep(0.5)
        cuts = statistics.quantiles(times, n=100)
        # The figure is the point of it: `pytest -s` shows it.
        print(f"\n{dict(statuses)}: {statuses[200] / seconds:.0f} a second, p50 {1000 * cuts[49]:.0f} ms, ", end="")
        print(f"p99 {1000 * cuts[98]:.0f} ms, {memory[10]:.0f} MiB at 5 s, {memory[-1]:.0f} MiB at the end")
        assert set(statuses) <= {200, 429}
        assert memory[-1] - memory[len(memory) // 3] < 16
        with urllib.request.urlopen(f"{service.url}/healthz") as response:
            assert response.status == 200


def test_requests_made_up_from_the_openapi_find_no_fault(tiny_model: Path, tmp_path: Path) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    with running(tmp_path, tiny_model) as service:
        schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        for operation in schema.get_all_operations():

            @given(case=operation.ok().as_strategy())
            @settings(
                max_examples=40,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def holds(case: Any) -> None:
                response = case.call(base_url=service.url)
                # The schema of an upload is bytes; that they are a recording is beyond it.
                case.validate_response(response, excluded_checks=[positive_data_acceptance])

            holds()
        assert ask(service, "GET", "/healthz")[0] == 200
