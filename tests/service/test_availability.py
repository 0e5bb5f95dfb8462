"""The service stays available: endless recordings, hanging processes, SIGTERM under load."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from running import RunningService, running
from test_hardness import ask, metrics
from waiting import wait_for

from emotone.service.workers.process import WorkerPool, WorkerProcess


def endless_flac(minutes: int) -> bytes:
    """Silence whose header declares no length."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=4_000, layout="mono")
        for _ in range(minutes):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 240_000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 4_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(file.getvalue())
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    return bytes(data)


def workers_of(service: RunningService) -> list[int]:
    """The ids of its worker processes."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(service.process.pid)], capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def test_seconds_are_counted_as_they_are_decoded_silence_included(serve: Any) -> None:
    client = serve(max_duration_s=60.0)
    endless = client.post("/v1/recognize", content=endless_flac(minutes=3))
    assert endless.status_code == 413
    assert endless.json()["type"] == "/problems/too-long"
    assert client.get("/readyz").status_code == 200


class FakeProcess:
    """A worker process that does nothing; `started` has all of a test."""

    started: list[FakeProcess]

    def __init__(self, model: Path | None, nice: int) -> None:
        self.alive = True
        self.started.append(self)

    def wait_until_ready(self) -> None:
        pass

    def close(self) -> None:
        self.alive = False


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[FakeProcess]:
    monkeypatch.setattr(FakeProcess, "started", [], raising=False)
    monkeypatch.setattr("emotone.service.workers.process.WorkerProcess", FakeProcess)
    return FakeProcess.started


def test_no_process_is_started_while_the_service_shuts_down(started: list[FakeProcess]) -> None:
    pool = WorkerPool(None, most=4)
    pool.start()
    process = pool.take()
    before = len(started)
    pool.retire()
    process.close()
    pool.give_back(process)
    assert len(started) == before
    pool.close()


def test_two_endless_recordings_leave_a_ready_process_to_the_next_client(started: list[FakeProcess]) -> None:
    pool = WorkerPool(None, most=4)
    pool.start()
    ready = list(started)
    endless = [pool.take(), pool.take()]
    third = pool.take()
    assert third in ready
    assert third not in endless
    pool.take()
    assert len(started) == 4
    pool.close()


def test_a_worker_that_dies_costs_one_request(serve: Any, angry_clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()
    take = WorkerPool.take

    def take_and_kill(pool: WorkerPool) -> WorkerProcess:
        process = take(pool)
        process.wait_until_ready()
        os.kill(process._process.pid, signal.SIGSEGV)
        return process

    monkeypatch.setattr(WorkerPool, "take", take_and_kill)
    assert client.post("/v1/recognize", content=angry_clip).status_code == 500
    monkeypatch.setattr(WorkerPool, "take", take)
    assert client.post("/v1/recognize", content=angry_clip).status_code == 200


def test_a_short_job_does_not_wait_behind_a_long_one(
    serve: Any, angry_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(short_job_bytes=len(angry_clip))
    take, numbers = WorkerPool.take, []

    def take_and_stop_the_first(pool: WorkerPool) -> WorkerProcess:
        process = take(pool)
        if not numbers:
            process.wait_until_ready()
            numbers.append(process._process.pid)
            os.kill(numbers[0], signal.SIGSTOP)
        return process

    monkeypatch.setattr(WorkerPool, "take", take_and_stop_the_first)
    long_job, other_long_job, short_job = (
        client.post("/v1/jobs", content=content).json()["id"]
        for content in (angry_clip + b"longer", angry_clip + b"longer", angry_clip)
    )

    def state(job_id: str) -> str:
        found: str = client.get(f"/v1/jobs/{job_id}").json()["state"]
        return found

    try:
        wait_for(lambda: state(short_job) == "done")
        assert (state(long_job), state(other_long_job)) == ("running", "queued")
        assert client.delete(f"/v1/jobs/{long_job}").status_code == 204
        wait_for(lambda: state(other_long_job) in ("done", "failed"))
    finally:
        with suppress(ProcessLookupError):
            os.kill(numbers[0], signal.SIGCONT)


@pytest.mark.slow
def test_sigterm_under_load_answers_what_runs_and_refuses_the_rest(
    tiny_model: Path, tmp_path: Path, clips_dir: Path
) -> None:
    clip = (clips_dir / "emodb" / "03a01Wa.flac").read_bytes()
    found: list[tuple[int, float, Any]] = []

    def call() -> None:
        status, reply = ask(service, "POST", "/v1/recognize", clip)
        found.append((status, time.monotonic(), reply))

    with running(tmp_path, tiny_model, "--max-running", "1", "--drain", "60") as service:
        # Hanging workers: one runs, one counts as long and runs too, the others wait.
        threads = [threading.Thread(target=call) for _ in range(6)]
        stopped: set[int] = set()
        for number in workers_of(service):
            os.kill(number, signal.SIGSTOP)
            stopped.add(number)
        for thread in threads:
            thread.start()
        wait_for(lambda: b"emotone_running 2.0" in metrics(service) or stop_all(service, stopped))
        wait_for(lambda: b"emotone_waiting 4.0" in metrics(service) or stop_all(service, stopped))
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: len(found) >= 4)
        assert ask(service, "GET", "/readyz") == (503, {"status": "ending"})
        status, problem = ask(service, "POST", "/v1/recognize", clip)
        assert (status, problem["type"]) == (503, "/problems/shutting-down")
        assert [status for status, _, _ in found] == [503] * 4
        for number in stopped:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)
        for thread in threads:
            thread.join()
        assert service.process.wait(60) == 0
        assert sorted(status for status, _, _ in found) == [200, 200, 503, 503, 503, 503]
        assert "Traceback" not in service.log.read_text(encoding="utf-8")


def stop_all(service: RunningService, stopped: set[int]) -> bool:
    for number in workers_of(service):
        os.kill(number, signal.SIGSTOP)
        stopped.add(number)
    return False


@pytest.mark.slow
def test_sigterm_ends_it_within_the_drain_time_whatever_hangs(
    tiny_model: Path, tmp_path: Path, clips_dir: Path
) -> None:
    clip = (clips_dir / "emodb" / "03a01Wa.flac").read_bytes()
    found: list[int] = []
    with running(tmp_path, tiny_model, "--max-running", "1", "--drain", "5") as service:
        for number in workers_of(service):
            os.kill(number, signal.SIGSTOP)
        caller = threading.Thread(target=lambda: found.append(ask(service, "POST", "/v1/recognize", clip)[0]))
        caller.start()
        wait_for(lambda: b"emotone_running 1.0" in metrics(service))
        begun = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(60)
        # The interpreter's own end comes on top.
        assert time.monotonic() - begun < 25
        caller.join()
        assert found == [503]
        assert "Traceback" not in service.log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_log_has_streams_but_no_query_key_or_address(tiny_model: Path, tmp_path: Path) -> None:
    from websockets.sync.client import connect

    with running(tmp_path, tiny_model) as service:
        ask(service, "GET", "/v1/models?api_key=SECRET")
        with connect(f"ws://127.0.0.1:{service.port}/v1/stream?api_key=SECRET", close_timeout=60) as stream:
            stream.send(json.dumps({"type": "start", "sample_rate": 16_000}))
            problem = json.loads(stream.recv(60))["problem"]
            assert "api_key" in problem["detail"]
        wait_for(lambda: "/v1/stream" in service.log.read_text(encoding="utf-8"))
        service.end()
        lines = [json.loads(line) for line in service.log.read_text(encoding="utf-8").splitlines()]
    assert "SECRET" not in json.dumps(lines)
    (stream_line,) = (line for line in lines if line.get("route") == "/v1/stream")
    assert (stream_line["method"], stream_line["status"]) == ("WEBSOCKET", 1008)
    requests = [line for line in lines if line["message"] == "request"]
    assert "127.0.0.1" not in json.dumps(requests)
