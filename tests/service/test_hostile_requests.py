"""Requests that nobody sends by accident, and a disk that is full."""

from __future__ import annotations

import gzip
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from waiting import wait_for

from emotone.errors import OutputError
from emotone.service import job_runner
from emotone.service.access.keys import new_key
from emotone.service.jobs.store import JobStore
from emotone.service.workers.process import Answer, WorkerProcess

FORM = {"content-type": "multipart/form-data; boundary=b"}


def part(head: bytes, content: bytes) -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """A disk that takes no larger file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refused(response: Any, status: int, kind: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == f"/problems/{kind}"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("origin", ["http://[", "null", "http://localhost.evil.example"])
def test_an_origin_that_is_no_address_of_ours_is_refused(client: TestClient, origin: str) -> None:
    refused(client.post("/v1/recognize", content=b"x", headers={"origin": origin}), 403, "origin")


def test_an_unforeseen_fault_is_a_problem_with_safe_headers_and_says_nothing_of_itself(
    client: TestClient, angry_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("of /secret/path")

    monkeypatch.setattr(client.app.state.context.queue, "run", broken)  # type: ignore[attr-defined]
    response = client.post("/v1/recognize", content=angry_clip)
    refused(response, 500, "internal")
    assert "secret" not in response.text
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("headers", [{"x-a": "a" * 20_000}, {f"x-{index}": "a" for index in range(150)}])
def test_a_head_that_is_too_large_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    refused(client.get("/v1/models", headers=headers), 431, "head-too-large")


def test_made_up_methods_share_one_figure(client: TestClient) -> None:
    for index in range(20):
        assert client.request(f"METHOD{index}", "/v1/recognize").status_code == 405
    figures = client.get("/metrics").text
    assert "METHOD" not in figures
    assert 'emotone_requests_total{method="other",route="/v1/recognize",status="405"} 20.0' in figures


def test_an_unknown_kind_of_problem_is_not_found(client: TestClient) -> None:
    response = client.get("/problems/💩")
    assert response.status_code == response.json()["status"] == 404
    assert "not-audio" in response.json()["detail"]


def test_a_compressed_body_is_refused_by_what_it_is(client: TestClient, angry_clip: bytes) -> None:
    response = client.post("/v1/recognize", content=gzip.compress(angry_clip), headers={"content-encoding": "gzip"})
    refused(response, 415, "encoded")
    assert "gzip" in response.json()["detail"]


def test_a_form_of_thousands_of_parts_is_refused_before_its_end(client: TestClient, angry_clip: bytes) -> None:
    wanted = part(b'Content-Disposition: form-data; name="file"', angry_clip)
    many = part(b'Content-Disposition: form-data; name="x"', b"y") * 50_000
    refused(client.post("/v1/recognize", content=many + wanted + b"--b--\r\n", headers=FORM), 400, "bad-upload")


@pytest.mark.parametrize(
    "head",
    [
        b'Content-Disposition: form-data; name="file"; x="' + b"a" * 100_000 + b'"',
        b"x" * 100_000 + b": y",
        b"X: y\r\n" * 10_000 + b'Content-Disposition: form-data; name="file"',
    ],
)
def test_a_part_with_an_endless_head_is_refused(client: TestClient, head: bytes) -> None:
    content = part(head, b"x") + b"--b--\r\n"
    refused(client.post("/v1/recognize", content=content, headers=FORM), 400, "bad-upload")


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/%00"])
def test_no_path_leads_out_of_the_pages_folder(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_key_is_wanted_on_every_route_that_does_or_tells_something(serve: Any) -> None:
    client = serve(api_keys=(new_key("ann")[1],))
    open_to_all = {"/healthz", "/readyz", "/problems/{name}"}
    asked = 0
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method in operations:
            response = client.request(method, path.replace("{job_id}", "x").replace("{name}", "busy"))
            assert (response.status_code == 401) == (path not in open_to_all), path
            asked += 1
    assert asked >= 8


def test_a_recording_that_finds_no_room_on_the_disk_is_told_so_and_leaves_nothing(
    client: TestClient, angry_clip: bytes, tmp_path: Path
) -> None:
    for path in ("/v1/recognize", "/v1/jobs"):
        with files_of_at_most(200_000):
            response = client.post(path, content=bytes(1_000_000))
        refused(response, 507, "storage")
        assert str(tmp_path) not in response.text
    assert not list((tmp_path / "data" / "uploads").iterdir())
    assert client.post("/v1/recognize", content=angry_clip).status_code == 200


def test_a_job_that_ends_while_the_disk_is_full_is_kept_when_there_is_room_again(
    client: TestClient, angry_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "_RETRY_S", 0.05)
    context = client.app.state.context  # type: ignore[attr-defined]
    database, recognize = context.jobs._database, WorkerProcess.recognize

    def fill(*arguments: Any) -> Answer:
        answer = recognize(*arguments)
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        # Longer than a page, so that it needs another.
        return replace(answer, text=answer.text + " " * 10_000)

    finish, attempts = context.jobs.finish, []

    def count(*arguments: Any, **more: Any) -> None:
        attempts.append(arguments)
        finish(*arguments, **more)

    monkeypatch.setattr(context.jobs, "finish", count)
    monkeypatch.setattr(WorkerProcess, "recognize", fill)
    job_id = client.post("/v1/jobs", content=angry_clip).json()["id"]
    wait_for(lambda: len(attempts) >= 2)
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "running"
    database.execute("PRAGMA max_page_count = 1000000")
    monkeypatch.setattr(WorkerProcess, "recognize", recognize)
    second = client.post("/v1/jobs", content=angry_clip).json()["id"]
    for one in (job_id, second):
        wait_for(lambda job_id=one: client.get(f"/v1/jobs/{job_id}").json()["state"] == "done")


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + bytes(8000)])
def test_a_database_that_is_broken_is_told_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jobs.sqlite3"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="cannot use the jobs"):
        JobStore(tmp_path)
    assert path.read_bytes() == content


def test_a_database_of_another_shape_is_told(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.sqlite3") as database:
        database.execute("CREATE TABLE jobs (id TEXT)")
    database.close()
    with pytest.raises(OutputError, match="cannot use the jobs"):
        JobStore(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(OutputError, match="--data-dir"):
        JobStore(tmp_path)
