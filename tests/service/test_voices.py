"""Turns, baselines and classes over HTTP, for jobs, and live."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient
from running import running

from emotone.audio import load_audio
from emotone.listening.loading import load
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata
from relative_model import relative_model
from voices import voice, write_wav

RATE = 16_000
LINE = "SPEAKER recording 1 {} {} <NA> <NA> {} <NA> <NA>\n"
RTTM = (LINE.format(0.1, 0.6, "ann") + LINE.format(0.8, 0.7, "bob")).encode()
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.9
<exists>
3
"IntervalTier"
"words"
0
1.9
1
0
1.9
"all of it"
"IntervalTier"
"ann"
0
1.9
1
0.1
0.7
"yes"
"IntervalTier"
"bob"
0
1.9
1
0.8
1.5
"no"
"""


@pytest.fixture(scope="module")
def model(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a baseline."""
    path = tmp_path_factory.mktemp("model") / "relative.onnx"
    path.write_bytes(relative_model(tiny_graph, tiny_metadata, unsure_threshold=0.0))
    return path


@pytest.fixture
def client(model: Path, serve: Any) -> TestClient:
    found: TestClient = serve(model=model)
    return found


@pytest.fixture(scope="module")
def recognizer(model: Path) -> Recognizer:
    return load(model)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Two recordings of a usual voice, one louder than the other."""
    folder = tmp_path_factory.mktemp("calm")
    for number, level in enumerate((0.05, 0.4)):
        sound = voice("neutral", number, 0)
        write_wav(folder / f"{number}.wav", level * sound / np.abs(sound).max())
    return [(folder / f"{number}.wav").read_bytes() for number in range(2)]


def form(angry_clip: bytes, *more: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", ("a.flac", angry_clip)), *((name, (f"{name}.bin", content)) for name, content in more)]


def ended(client: TestClient, job_id: str) -> dict[str, Any]:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"still {job['state']}")


def test_several_baselines_are_averaged(
    client: TestClient, recognizer: Recognizer, angry_clip: bytes, calm: list[bytes]
) -> None:
    files = form(angry_clip, ("baseline", calm[0]), ("baseline", calm[1]))
    reply = client.post("/v1/recognize", files=files).json()
    expected = recognizer(angry_clip, baseline=calm)
    assert reply["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert reply["baseline"] == "2 baseline recordings"
    without = client.post("/v1/recognize", files=form(angry_clip)).json()
    assert without["baseline"] is None
    assert without["probabilities"] != pytest.approx(reply["probabilities"], abs=1e-3)


def test_each_speaker_of_the_turns_has_a_baseline(
    client: TestClient, recognizer: Recognizer, angry_clip: bytes, calm: list[bytes]
) -> None:
    files = form(angry_clip, ("turns", RTTM), ("baseline[ann]", calm[0]), ("baseline[bob]", calm[1]))
    segments = client.post("/v1/recognize", files=files).json()["segments"]
    turns = [(0.1, 0.7, "ann"), (0.8, 1.5, "bob")]
    expected = recognizer(angry_clip, turns=turns, baseline={"ann": calm[0], "bob": calm[1]})
    for got, wanted in zip(segments, expected.segments, strict=True):
        assert got["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-5)
    assert [one["baseline"] for one in segments] == ["ann: baseline", "bob: baseline"]


def test_jobs_take_turns_baselines_tiers_and_classes(
    client: TestClient, angry_clip: bytes, calm: list[bytes], tmp_path: Path
) -> None:
    files = form(angry_clip, ("turns", TEXTGRID.encode()), ("baseline[words]", calm[0]), ("baseline[words]", calm[1]))
    data = {"tier": "words", "classes": "neutral,anger"}
    made = client.post("/v1/jobs", files=files, data=data)
    assert made.status_code == 202, made.text
    job = ended(client, made.json()["id"])
    assert job["state"] == "done", job
    for kind in ("json", "csv"):
        by_job = client.get(f"/v1/jobs/{job['id']}/result", params={"format": kind})
        at_once = client.post("/v1/recognize", params={"format": kind}, files=files, data=data)
        assert by_job.text == at_once.text
    result = client.get(f"/v1/jobs/{job['id']}/result").json()
    (segment,) = result["segments"]
    assert (segment["text"], segment["baseline"]) == ("all of it", "words: 2 baseline recordings")
    assert set(segment["probabilities"]) == {"neutral", "anger"}
    assert not list((tmp_path / "data-0" / "uploads").iterdir())


def test_a_repeated_job_is_told_from_one_with_another_baseline(
    client: TestClient, angry_clip: bytes, calm: list[bytes]
) -> None:
    def add(content: bytes) -> Any:
        files = form(angry_clip, ("baseline", content))
        return client.post("/v1/jobs", files=files, headers={"idempotency-key": "one"})

    first = add(calm[0])
    assert add(calm[0]).json()["id"] == first.json()["id"]
    other = add(calm[1])
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key")


def test_the_tier_of_a_textgrid_is_chosen(client: TestClient, angry_clip: bytes) -> None:
    files = form(angry_clip, ("turns", TEXTGRID.encode()))
    ambiguous = client.post("/v1/recognize", files=files)
    assert (ambiguous.status_code, ambiguous.json()["type"]) == (422, "/problems/bad-turns")
    for tier, expected in (("words", ["all of it"]), ("ann, bob", ["yes", "no"])):
        reply = client.post("/v1/recognize", params={"tier": tier}, files=files).json()
        assert [one["text"] for one in reply["segments"]] == expected
    unknown = client.post("/v1/recognize?tier=phones", files=files)
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/bad-turns")


@pytest.mark.parametrize("path", ["/v1/recognize", "/v1/jobs"])
@pytest.mark.parametrize(
    ("fields", "query", "kind"),
    [
        (["baseline[ann]"], "", "bad-baseline"),
        (["turns", "baseline[ann]", "baseline"], "", "bad-baseline"),
        (["turns"], "?channels=split", "bad-turns"),
        ([], "?tier=words", "bad-setting"),
        (["turns", "turns"], "", "invalid"),
        (["baseline[]"], "", "invalid"),
        (["turns[ann]"], "", "invalid"),
    ],
)
def test_files_that_do_not_go_together_are_refused_at_once(
    client: TestClient, angry_clip: bytes, calm: list[bytes], path: str, fields: list[str], query: str, kind: str
) -> None:
    more = [(name, RTTM if name.startswith("turns") else calm[0]) for name in fields]
    refused = client.post(path + query, files=form(angry_clip, *more))
    assert (refused.status_code, refused.json()["type"]) == (422, f"/problems/{kind}")


def test_a_baseline_of_a_speaker_without_a_turn_is_refused(
    client: TestClient, angry_clip: bytes, calm: list[bytes]
) -> None:
    refused = client.post("/v1/recognize", files=form(angry_clip, ("turns", RTTM), ("baseline[eve]", calm[0])))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bad-baseline")
    assert "eve" in refused.json()["detail"]


def test_baselines_are_limited_together(client: TestClient, angry_clip: bytes) -> None:
    files = form(angry_clip, *([("baseline", bytes(7 << 20))] * 4))
    refused = client.post("/v1/recognize", files=files)
    assert (refused.status_code, refused.json()["type"]) == (413, "/problems/too-large")


def test_a_baseline_is_measured_for_a_stream(client: TestClient, recognizer: Recognizer, calm: list[bytes]) -> None:
    expected = recognizer.measure_baseline(calm)
    files = [("baseline", (f"{number}.wav", content)) for number, content in enumerate(calm)]
    reply = client.post("/v1/baseline", files=files).json()
    assert reply["embedding"] == pytest.approx(expected.embedding.tolist(), abs=1e-5)
    assert (reply["model"], reply["n_recordings"]) == ("relative", 2)
    assert reply["duration_s"] == pytest.approx(expected.duration_s, abs=1e-3)
    one = client.post("/v1/baseline", content=calm[0]).json()
    also_one = client.post("/v1/baseline", files={"file": ("a.wav", calm[0])}).json()
    assert one["embedding"] == also_one["embedding"] != reply["embedding"]


def test_a_baseline_that_cannot_be_measured_is_refused(
    client: TestClient, serve: Any, angry_clip: bytes, calm: list[bytes]
) -> None:
    for request, status, kind in (
        ({"content": b"no sound at all"}, 415, "not-audio"),
        ({"files": {"turns": ("a.rttm", RTTM)}}, 422, "invalid"),
        ({"files": {"baseline[ann]": ("a.wav", calm[0])}}, 422, "invalid"),
        ({"files": {"baseline": ("a.wav", calm[0])}, "data": {"classes": "neutral,anger"}}, 422, "invalid"),
        ({"content": b""}, 400, "bad-upload"),
    ):
        refused = client.post("/v1/baseline", **request)
        assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{kind}")
    without = serve().post("/v1/baseline", content=calm[0])
    assert (without.status_code, without.json()["type"]) == (422, "/problems/bad-baseline")


def live(socket: Any, samples: np.ndarray) -> list[dict[str, Any]]:
    content = samples.tobytes()
    for start in range(0, len(content), 16_000):
        socket.send_bytes(content[start : start + 16_000])
    socket.send_json({"type": "stop"})
    found = []
    while not found or found[-1]["type"] not in ("done", "problem"):
        found.append(socket.receive_json())
    return [one for one in found if one["type"] == "segment"]


@pytest.fixture(scope="module")
def talk(clips_dir: Path) -> np.ndarray:
    clip = load_audio(clips_dir / "emodb" / "03a01Wa.flac", sample_rate=RATE)
    pause = np.zeros(RATE, np.float32)
    return (np.concatenate([clip, pause, clip, pause]) * 32_767).astype("<i2")


def test_a_stream_has_classes_a_baseline_and_a_threshold(
    client: TestClient, recognizer: Recognizer, calm: list[bytes], talk: np.ndarray
) -> None:
    from emotone.listening.live import LiveRecognizer

    baseline = client.post("/v1/baseline", content=calm[0]).json()["embedding"]
    start = {
        "type": "start",
        "encoding": "pcm16",
        "sample_rate": RATE,
        "classes": "neutral,happy,anger",
        "baseline": baseline,
        "threshold": 1.0,
    }
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json(start)
        assert socket.receive_json()["labels"] == ["neutral", "happiness", "anger"]
        segments = live(socket, talk)
    view = LiveRecognizer(recognizer.with_classes(["neutral", "happy", "anger"]).with_baseline(calm[0]), RATE)
    expected = [*view.feed(talk.astype(np.int16)), *view.finish()]
    assert len(segments) == len(expected)
    for got, wanted in zip(segments, expected, strict=True):
        assert got["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-4)
    assert all(one["unsure"] for one in segments if one["emotion"])
    assert any(one["baseline"] for one in segments)


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ({"classes": "neutral,boredom"}, "bad-classes"),
        ({"classes": "neutral"}, "bad-classes"),
        ({"baseline": [1.0]}, "bad-baseline"),
        ({"baseline": [0.0, 0.0]}, "bad-baseline"),
        ({"baseline": "calm.wav"}, "bad-stream"),
        ({"threshold": 2.0}, "bad-stream"),
    ],
)
def test_a_stream_refuses_what_the_model_cannot_do(client: TestClient, member: dict[str, Any], kind: str) -> None:
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json({"type": "start", "encoding": "pcm16", "sample_rate": RATE, **member})
        message = socket.receive_json()
    assert (message["type"], message["problem"]["type"]) == ("problem", f"/problems/{kind}")


def test_a_user_measures_a_baseline_and_streams_over_real_sockets(
    model: Path, tmp_path: Path, calm: list[bytes], talk: np.ndarray
) -> None:
    httpx = pytest.importorskip("httpx")
    connect = pytest.importorskip("websockets.sync.client").connect
    with running(tmp_path, model) as service:
        files = [("baseline", (f"{number}.wav", content)) for number, content in enumerate(calm)]
        reply = httpx.post(f"{service.url}/v1/baseline", files=files, timeout=60).json()
        start = {"type": "start", "sample_rate": RATE, "classes": "neutral,anger", "baseline": reply["embedding"]}
        with connect(service.url.replace("http", "ws") + "/v1/stream") as socket:
            socket.send(json.dumps(start))
            socket.send(talk.tobytes())
            socket.send(json.dumps({"type": "stop"}))
            messages = [json.loads(one) for one in socket]
    assert messages[-1]["type"] == "done"
    segments = [one for one in messages if one["type"] == "segment"]
    assert set(segments[0]["probabilities"]) == {"neutral", "anger"}
    assert any(one["baseline"] for one in segments)
