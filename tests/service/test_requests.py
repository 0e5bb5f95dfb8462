"""What a client may ask for: parameters, media types, methods, lists of jobs, repeated requests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from waiting import wait_for

from emotone.service.access.keys import new_key
from emotone.service.jobs.store import JobStore

FORM = {"content-type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("POST", "/v1/recognize?chanels=split", "Did you mean channels?"),
        ("POST", "/v1/recognize?channels=mix&channels=split", "more than once"),
        ("POST", "/v1/jobs?format=csv", "query.format: Unknown parameter"),
        ("GET", "/v1/models?verbose=1", "query.verbose: Unknown parameter"),
        ("GET", "/v1/jobs?sort=up", "Known: state, limit, before"),
    ],
)
def test_an_unknown_query_parameter_is_an_error(client: TestClient, method: str, path: str, detail: str) -> None:
    response = client.request(method, path, content=b"x" if method == "POST" else None)
    assert response.status_code == 422
    assert detail in response.json()["detail"]


def test_form_fields_are_parameters_or_errors(client: TestClient, angry_clip: bytes) -> None:
    file = {"file": ("a.flac", angry_clip)}
    by_query = client.post("/v1/recognize?threshold=0.9&format=csv", files=file)
    by_form = client.post("/v1/recognize", files=file, data={"threshold": "0.9", "format": "csv", "channels": "mix"})
    assert by_form.status_code == 200
    assert by_form.text == by_query.text
    for data, detail in (
        ({"treshold": "0.9"}, "form.treshold: Unknown parameter. Did you mean threshold?"),
        ({"threshold": "9"}, "form.threshold"),
        ({"window": "99"}, "form.window"),
    ):
        refused = client.post("/v1/recognize", files=file, data=data)
        assert refused.status_code == 422
        assert detail in refused.json()["detail"]
    both = client.post("/v1/recognize?threshold=0.9", files=file, data={"threshold": "0.5"})
    assert (both.status_code, "in the query too" in both.json()["detail"]) == (422, True)
    other_file = client.post("/v1/recognize", files={**file, "other": ("b.flac", angry_clip)})
    assert (other_file.status_code, "form.other" in other_file.json()["detail"]) == (422, True)


def test_accept_chooses_a_format_or_is_refused(client: TestClient, angry_clip: bytes) -> None:
    def ask(accept: str, query: str = "") -> Any:
        return client.post(f"/v1/recognize{query}", content=angry_clip, headers={"accept": accept})

    for accept, media_type in (
        ("text/csv", "text/csv"),
        ("text/vtt;q=0.5, application/json;q=0.1", "text/vtt"),
        ("*/*", "application/json"),
        ("application/json, text/csv", "application/json"),
    ):
        response = ask(accept)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(media_type)
    for accept, query in (("image/png", ""), ("text/csv", "?format=json"), ("application/json;q=0", "")):
        refused = ask(accept, query)
        assert refused.status_code == 406
        assert refused.json()["type"] == "/problems/not-acceptable"
    assert client.get("/v1/models", headers={"accept": "text/html"}).status_code == 406


def test_a_subset_of_the_classes_is_renormalised(client: TestClient, angry_clip: bytes) -> None:
    response = client.post("/v1/recognize?classes=neutral,angry", content=angry_clip)
    assert response.status_code == 200
    probabilities = response.json()["probabilities"]
    assert set(probabilities) == {"neutral", "anger"}
    assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    unknown = client.post("/v1/recognize?classes=neutral,boredom", content=angry_clip)
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/bad-setting")


def test_turns_are_a_file_of_the_form(client: TestClient, angry_clip: bytes) -> None:
    line = "SPEAKER recording 1 {} {} <NA> <NA> {} <NA> <NA>\n"
    turns = (line.format(0.1, 0.6, "ann") + line.format(0.8, 0.7, "bob")).encode()
    files = {"file": ("a.flac", angry_clip), "turns": ("a.rttm", turns)}
    segments = client.post("/v1/recognize", files=files).json()["segments"]
    assert [(one["start_s"], one["end_s"], one["speaker"]) for one in segments] == [
        (0.1, pytest.approx(0.7), "ann"),
        (0.8, pytest.approx(1.5), "bob"),
    ]
    wrong = client.post("/v1/recognize", files={**files, "turns": ("a.rttm", b"nothing")})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/bad-turns")


def test_a_baseline_is_refused_by_a_model_without(client: TestClient, angry_clip: bytes) -> None:
    files = {"file": ("a.flac", angry_clip), "baseline": ("b.flac", angry_clip)}
    refused = client.post("/v1/recognize", files=files)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bad-baseline")
    assert client.get("/v1/models").json()["models"][0]["baseline"] is False


def test_vtt_is_webvtt(client: TestClient, angry_clip: bytes) -> None:
    short = client.post("/v1/recognize?format=vtt", content=angry_clip)
    assert short.headers["content-type"].startswith("text/vtt")
    assert short.text == client.post("/v1/recognize?format=webvtt", content=angry_clip).text


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/static/page.js", "/v1/models", "/healthz", "/metrics", "/openapi.json"]
)
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/recognize", "OPTIONS, POST"),
        ("/v1/jobs", "GET, HEAD, OPTIONS, POST"),
        ("/v1/jobs/a", "DELETE, GET, HEAD, OPTIONS"),
        ("/static/page.js", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
    ],
)
def test_allow_names_every_method(client: TestClient, path: str, methods: str) -> None:
    refused = client.patch(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, methods)
    options = client.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, methods)


def test_errors_have_cors_headers_too(serve: Any) -> None:
    origin = {"origin": "https://example.org"}
    client = serve(cors_origins=("https://example.org",), api_keys=(new_key("ann")[1],))
    for response, status in (
        (client.get("/v1/models", headers=origin), 401),
        (client.get("/nothing", headers=origin), 404),
        (client.get("/", headers={**origin, "x-long": "a" * 20_000}), 431),
    ):
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "https://example.org"


def test_one_lists_ones_own_jobs(serve: Any, angry_clip: bytes) -> None:
    (ann, of_ann), (bob, of_bob) = new_key("ann"), new_key("bob")
    client = serve(api_keys=(of_ann, of_bob))
    as_ann, as_bob = ({"x-api-key": key} for key in (ann, bob))
    ids = [client.post("/v1/jobs", content=angry_clip, headers=as_ann).json()["id"] for _ in range(3)]

    def listed(query: str = "", headers: dict[str, str] = as_ann) -> list[str]:
        return [job["id"] for job in client.get(f"/v1/jobs{query}", headers=headers).json()["jobs"]]

    assert listed() == ids[::-1]
    assert listed("?limit=1") == ids[:1:-1]
    assert listed(f"?before={ids[1]}") == ids[:1]
    assert listed("?state=failed") == listed(headers=as_bob) == []


def test_without_keys_jobs_are_listed_only_on_ones_own_machine(serve: Any) -> None:
    private, public = serve(), serve(host="0.0.0.0")
    assert private.get("/v1/jobs").json() == {"jobs": []}
    assert private.get("/v1/jobs", headers={"x-forwarded-for": "192.0.2.1"}).status_code == 403
    assert public.get("/v1/jobs").json()["type"] == "/problems/not-listed"


def test_a_repeated_request_makes_no_second_job(client: TestClient, angry_clip: bytes, tmp_path: Path) -> None:
    key = {"idempotency-key": "a3f1"}
    first, second = (client.post("/v1/jobs?threshold=0.5", content=angry_clip, headers=key).json() for _ in range(2))
    assert first["id"] == second["id"]
    other = client.post("/v1/jobs?threshold=0.6", content=angry_clip, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key")
    assert client.post("/v1/jobs", content=angry_clip).json()["id"] != first["id"]
    assert len(client.get("/v1/jobs").json()["jobs"]) == 2


def test_recordings_of_jobs_have_limited_disk_space(serve: Any, angry_clip: bytes) -> None:
    client = serve(max_job_bytes=len(angry_clip) - 1)
    refused = client.post("/v1/jobs", content=angry_clip)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/busy")
    assert int(refused.headers["retry-after"]) > 0
    store = client.app.state.context.jobs
    assert store.space.used == 0
    assert not list(store.uploads.iterdir())


def test_disk_space_is_free_again_after_a_job(client: TestClient, angry_clip: bytes) -> None:
    store = client.app.state.context.jobs  # type: ignore[attr-defined]
    client.post("/v1/jobs", content=angry_clip)
    wait_for(lambda: not store.space.used)


def test_deleted_results_are_gone_from_the_files(tmp_path: Path) -> None:
    def kept() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    store = JobStore(tmp_path)
    for forget in (lambda job: store.delete(job.id), lambda _: store.delete_before(time.time() + 1)):
        name, file = store.new_upload()
        file.close()
        job = store.add(name, {"threshold": 0.123})
        assert store.begin() is not None
        store.finish(job, result="A RESULT " * 1000)
        assert b"A RESULT" in kept()
        forget(job)
        assert b"A RESULT" not in kept()
        assert job.id.encode() not in kept()
    store.close()


def test_a_database_of_an_older_version_is_upgraded(tmp_path: Path) -> None:
    import sqlite3

    columns = (
        "id TEXT PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, settings TEXT NOT NULL, upload TEXT NOT NULL, "
        "created REAL NOT NULL, started REAL, finished REAL, attempts INTEGER NOT NULL DEFAULT 0, result TEXT, "
        "problem TEXT"
    )
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "u").write_bytes(b"sound")
    with sqlite3.connect(tmp_path / "jobs.sqlite3") as database:
        database.execute(f"CREATE TABLE jobs ({columns}) STRICT")
        settings = '{"channels": "mix", "window_s": 3.0, "threshold": null}'
        database.execute(
            "INSERT INTO jobs (id, owner, state, settings, upload, created) VALUES ('j', '', 'queued', ?, 'u', 1.0)",
            (settings,),
        )
    database.close()
    store = JobStore(tmp_path)
    job = store.begin()
    assert job is not None
    assert (job.size, job.settings["window"]) == (5, 3.0)
    assert store.space.used == 5
    store.close()
