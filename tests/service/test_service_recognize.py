"""Recordings that are answered at once."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from emotone.audio import load_audio
from emotone.cli.main import run
from emotone.listening.loading import load
from emotone.output.formats import TEXT_FORMATS
from emotone.output.objects import RecordingObject, recording_object
from emotone.service import schemas


def test_a_body_and_a_form_give_the_same_as_the_recognizer(
    client: TestClient, tiny_model: Path, angry_clip: bytes
) -> None:
    expected = load(tiny_model)(angry_clip)
    by_body = client.post("/v1/recognize", content=angry_clip)
    by_form = client.post("/v1/recognize", files={"file": ("../../etc/passwd", angry_clip, "audio/flac")})
    assert by_body.status_code == by_form.status_code == 200
    assert by_body.json() == by_form.json()
    reply = by_body.json()
    assert reply["emotion"] == expected.emotion
    assert reply["probabilities"] == pytest.approx(dict(expected.probabilities), abs=1e-5)
    assert reply["segments"][-1]["end_s"] == pytest.approx(expected.duration_s, abs=1e-5)


def test_a_recording_is_the_same_object_by_every_way(
    client: TestClient, tiny_model: Path, clips_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = clips_dir / "emodb" / "03a01Wa.flac"
    expected = recording_object(load(tiny_model)(path))
    TypeAdapter(RecordingObject).validate_json(json.dumps(expected), strict=True)
    assert set(expected) == set(RecordingObject.__dataclass_fields__)

    assert run(["predict", str(path), "--model", str(tiny_model), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [expected]

    reply = client.post("/v1/recognize", content=path.read_bytes()).json()
    assert reply == {**expected, "file": "recording"}

    samples = (load_audio(path) * 32_768).astype("<i2").tobytes()
    found = []
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json({"type": "start", "encoding": "pcm16", "sample_rate": 16_000})
        socket.send_bytes(samples)
        socket.send_json({"type": "stop"})
        while not found or "duration_s" not in found[-1]:
            found.append(socket.receive_json())
    segments = [one for one in found if one.pop("type") == "segment"]
    assert [set(one) for one in segments] == [set(one) for one in expected["segments"]]
    for one, other in zip(segments, expected["segments"], strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-3)
        assert (one["start_s"], one["end_s"], one["emotion"]) == (other["start_s"], other["end_s"], other["emotion"])
    assert found[-1]["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-3)


@pytest.mark.parametrize("name", sorted(TEXT_FORMATS))
def test_every_text_format_of_the_command_line_is_served(client: TestClient, angry_clip: bytes, name: str) -> None:
    response = client.post("/v1/recognize", params={"format": name}, content=angry_clip)
    assert response.status_code == 200
    assert response.text.strip()


def test_csv_says_what_json_says(client: TestClient, angry_clip: bytes) -> None:
    reply = client.post("/v1/recognize", content=angry_clip).json()
    text = client.post("/v1/recognize", params={"format": "csv"}, content=angry_clip).text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["emotion"] == reply["emotion"]
    assert float(row["anger"]) == pytest.approx(reply["probabilities"]["anger"], abs=1e-5)


def test_split_channels_have_an_answer_each(client: TestClient, angry_clip: bytes) -> None:
    reply = client.post("/v1/recognize", params={"channels": "split"}, content=angry_clip).json()
    assert [one["channel"] for one in reply["channels"]] == [0]
    for name in TEXT_FORMATS:
        params = {"channels": "split", "format": name}
        assert client.post("/v1/recognize", params=params, content=angry_clip).status_code == 200


def test_a_threshold_decides_what_is_unsure(client: TestClient, angry_clip: bytes) -> None:
    for threshold, unsure in ((0.0, False), (1.0, True)):
        reply = client.post("/v1/recognize", params={"threshold": threshold}, content=angry_clip).json()
        assert reply["unsure"] is unsure
        assert reply["unsure_threshold"] == threshold


def test_a_cut_off_recording_is_used_and_said_to_be_cut_off(client: TestClient, angry_clip: bytes) -> None:
    reply = client.post("/v1/recognize", content=angry_clip[: len(angry_clip) // 2]).json()
    assert reply["note"].count("truncated") == 1
    turns = b"SPEAKER recording 1 0.0 0.5 <NA> <NA> ann <NA> <NA>\n"
    files = {"file": angry_clip[: len(angry_clip) // 2], "turns": turns}
    assert client.post("/v1/recognize", files=files).json()["note"].count("truncated") == 1


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"PK\x03\x04" + bytes(1000), 415, "not-audio"),
        (b"", 400, "bad-upload"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", 415, "not-audio"),
    ],
)
def test_what_cannot_be_used_is_a_problem_with_its_kind(
    client: TestClient, content: bytes, status: int, kind: str
) -> None:
    response = client.post("/v1/recognize", content=content)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"/problems/{kind}"
    assert problem["status"] == status
    assert client.get(problem["type"]).json()["title"] == problem["title"]


def test_no_answer_names_a_file_of_the_service(client: TestClient, tmp_path: Path) -> None:
    response = client.post("/v1/recognize", files={"file": ("secret.wav", b"no sound", "audio/wav")})
    assert "secret" not in response.text
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({"threshold": "2"}, "threshold"),
        ({"window": "nan"}, "window"),
        ({"window": "50"}, "window_s"),
        ({"channels": "all"}, "channels"),
        ({"format": "parquet"}, "format"),
    ],
)
def test_impossible_parameters_are_told_by_name(
    client: TestClient, angry_clip: bytes, params: dict[str, str], detail: str
) -> None:
    response = client.post("/v1/recognize", params=params, content=angry_clip)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Disposition: form-data; name=other\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx",
        b"nothing of the kind",
    ],
)
def test_a_form_without_its_field_or_its_end_is_a_bad_upload(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/recognize", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert response.status_code == 400


def test_nothing_is_left_on_the_disk(client: TestClient, angry_clip: bytes, tmp_path: Path) -> None:
    client.post("/v1/recognize", content=angry_clip)
    client.post("/v1/recognize", content=b"broken")
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_the_model_tells_its_scores_and_what_it_learnt_from(client: TestClient) -> None:
    (model,) = client.get("/v1/models").json()["models"]
    assert model["labels"] == ["neutral", "happiness", "sadness", "anger"]
    assert model["scores"][0]["protocol"] == "5 folds by speaker"
    assert model["corpora"][0]["licence"] == "CC0-1.0"


def test_it_says_how_it_is(client: TestClient, angry_clip: bytes) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.post("/v1/recognize", content=angry_clip)
    figures = client.get("/metrics").text
    assert 'emotone_requests_total{method="POST",route="/v1/recognize",status="200"} 1.0' in figures
    assert 'emotone_jobs{state="queued"} 0.0' in figures


def test_every_json_answer_has_an_example_of_its_own_schema(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    seen = set()
    for operations in schema["paths"].values():
        for operation in operations.values():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    if "$ref" in content.get("schema", {}):
                        seen.add(content["schema"]["$ref"].split("/")[-1])
    replies = {"BaselineReply", "JobReply", "JobsReply", "ModelsReply", "HealthReply", "ProblemReply"}
    assert seen == {"RecordingObject", *replies}
    for name in seen:
        kind = RecordingObject if name == "RecordingObject" else getattr(schemas, name)
        TypeAdapter(kind).validate_python(schema["components"]["schemas"][name]["example"], strict=False)
