"""Jobs: kept over every kind of end."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from emotone.errors import OutputError
from emotone.service.access.keys import new_key
from emotone.service.errors import BusyError, JobNotFoundError
from emotone.service.job_runner import JobRunner
from emotone.service.jobs.job import State
from emotone.service.jobs.store import JobStore


def ended(client: TestClient, job_id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}", headers=headers).json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"still {job['state']}")


def queued(store: JobStore, content: bytes = b"sound") -> Any:
    name, file = store.new_upload()
    with file:
        file.write(content)
    return store.add(name, {})


def test_a_job_finds_what_an_immediate_answer_would(client: TestClient, angry_clip: bytes) -> None:
    made = client.post("/v1/jobs", params={"threshold": 0.9}, content=angry_clip)
    assert made.status_code == 202
    assert made.headers["location"] == f"/v1/jobs/{made.json()['id']}"
    job = ended(client, made.json()["id"])
    assert job["state"] == "done"
    for name in ("json", "csv", "textgrid", "webvtt", "rttm", "jsonl"):
        params = {"format": name}
        by_job = client.get(f"/v1/jobs/{job['id']}/result", params=params)
        at_once = client.post("/v1/recognize", params={**params, "threshold": 0.9}, content=angry_clip)
        assert by_job.text == at_once.text


def test_a_job_that_fails_says_why_and_has_no_result(client: TestClient) -> None:
    job = ended(client, client.post("/v1/jobs", content=b"no sound at all").json()["id"])
    assert job["state"] == "failed"
    assert job["problem"]["type"] == "/problems/not-audio"
    assert client.get(f"/v1/jobs/{job['id']}/result").status_code == 409


def test_a_deleted_job_is_gone_with_its_recording(client: TestClient, angry_clip: bytes, tmp_path: Path) -> None:
    job_id = client.post("/v1/jobs", content=angry_clip).json()["id"]
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    for response in (client.get(f"/v1/jobs/{job_id}"), client.delete(f"/v1/jobs/{job_id}")):
        assert response.status_code == 404
        assert response.json()["type"] == "/problems/no-such-job"
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_no_recording_is_kept_after_its_job(client: TestClient, angry_clip: bytes, tmp_path: Path) -> None:
    for content in (angry_clip, b"broken"):
        ended(client, client.post("/v1/jobs", content=content).json()["id"])
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_jobs_of_one_key_are_not_anothers(serve: Any, angry_clip: bytes) -> None:
    (ann, of_ann), (bob, of_bob) = new_key("ann"), new_key("bob")
    client = serve(api_keys=(of_ann, of_bob))
    as_ann, as_bob = ({"x-api-key": key} for key in (ann, bob))
    job_id = client.post("/v1/jobs", content=angry_clip, headers=as_ann).json()["id"]
    assert ended(client, job_id, as_ann)["state"] == "done"
    assert client.get(f"/v1/jobs/{job_id}", headers=as_bob).status_code == 404
    assert client.delete(f"/v1/jobs/{job_id}", headers=as_bob).status_code == 404


def test_what_a_killed_process_had_begun_is_queued_again_and_strays_go(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    begun, waiting = queued(store), queued(store)
    stray, file = store.new_upload()
    file.close()
    assert store.begin().id == begun.id
    store.close()
    again = JobStore(tmp_path)
    assert {path.name for path in again.uploads.iterdir()} == {begun.upload, waiting.upload}
    assert not (again.uploads / stray).exists()
    assert again.counts()[State.queued] == 2
    assert again.begin().id == begun.id
    again.close()


def test_a_job_that_ends_the_process_each_time_is_given_up(tmp_path: Path) -> None:
    for _ in range(3):
        store = JobStore(tmp_path, max_attempts=3)
        if not store.counts()[State.queued]:
            job_id = queued(store).id
        assert store.begin() is not None
        store.close()
    store = JobStore(tmp_path, max_attempts=3)
    assert store.begin() is None
    assert store.get(job_id).state is State.failed
    assert not list(store.uploads.iterdir())
    store.close()


def test_a_folder_serves_one_process(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    with pytest.raises(OutputError, match="another process"):
        JobStore(tmp_path)
    store.close()
    JobStore(tmp_path).close()


def test_the_queue_has_an_end_and_old_jobs_are_forgotten(tmp_path: Path) -> None:
    store = JobStore(tmp_path, max_queued=2)
    first = queued(store)
    queued(store)
    with pytest.raises(BusyError):
        queued(store)
    store.finish(store.begin(), result="{}")
    assert store.delete_before(time.time() + 1) == 1
    with pytest.raises(JobNotFoundError):
        store.get(first.id)
    store.close()


def test_a_runner_that_is_stopped_at_any_moment_ends(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    context: Any = SimpleNamespace(jobs=store, options=SimpleNamespace(job_retention_s=1.0))
    for turn in range(100):
        runner = JobRunner(context)
        runner.start()
        time.sleep(turn * 1e-5)
        begun = time.monotonic()
        runner.stop()
        assert time.monotonic() - begun < 30
    store.close()


def test_nothing_of_the_clients_names_is_kept(client: TestClient, tmp_path: Path) -> None:
    files = {"file": ("private-name.wav", b"RIFF no sound", "audio/x-private-type")}
    ended(client, client.post("/v1/jobs", files=files).json()["id"])
    client.post("/v1/recognize", files=files)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert b"private" not in kept
