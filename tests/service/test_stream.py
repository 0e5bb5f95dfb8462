"""Live streams over WebSocket."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from emotone.audio import load_audio
from emotone.listening.live import LiveRecognizer
from emotone.listening.loading import load
from emotone.service.access.keys import new_key

RATE = 16_000


@pytest.fixture(scope="module")
def talk(clips_dir: Path) -> np.ndarray:
    """Several clips with pauses between them, as 16-bit integers."""
    clips = [load_audio(path, sample_rate=RATE) for path in sorted((clips_dir / "emodb").glob("*.flac"))]
    pause = np.zeros(RATE, np.float32)
    return (np.concatenate([part for clip in clips for part in (clip, pause)]) * 32_767).astype("<i2")


def messages(socket: Any) -> list[dict[str, Any]]:
    """Everything until the end."""
    found = []
    while not found or found[-1]["type"] not in ("done", "problem"):
        found.append(socket.receive_json())
    return found


def webm(samples: np.ndarray) -> bytes:
    """What a browser's recorder makes: Opus in WebM, written as a stream."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm", options={"live": "1", "cluster_time_limit": "200"}) as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE
        for one in av.AudioResampler("s16", "mono", 48_000).resample(frame):
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_a_stream_gives_the_segments_of_the_live_recognizer_however_it_is_cut(
    client: TestClient, tiny_model: Path, talk: np.ndarray
) -> None:
    live = LiveRecognizer(load(tiny_model), RATE)
    expected = [*live.feed(talk.astype(np.int16)), *live.finish()]
    content = talk.tobytes()
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json({"type": "start", "encoding": "pcm16", "sample_rate": RATE})
        # An odd number of bytes cuts samples in two.
        for start in range(0, len(content), 7_777):
            socket.send_bytes(content[start : start + 7_777])
        socket.send_json({"type": "stop"})
        found = messages(socket)
    segments = [one for one in found if one["type"] == "segment"]
    assert [(one["start_s"], one["end_s"], one["emotion"]) for one in segments] == [
        (pytest.approx(one.start_s), pytest.approx(one.end_s), one.emotion) for one in expected
    ]
    assert found[0]["type"] == "ready"
    assert any(one["type"] == "current" for one in found)
    done = found[-1]
    assert (done["type"], done["duration_s"]) == ("done", pytest.approx(len(talk) / RATE))
    assert done["emotion"] == live.summary.emotion
    assert done["probabilities"] == pytest.approx(live.probabilities, abs=1e-5)


def test_what_a_browser_records_is_heard_while_it_comes(client: TestClient, talk: np.ndarray) -> None:
    content = webm(talk)
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json({"type": "start", "encoding": "container"})
        half = len(content) // 2
        for start in range(0, half, 1000):
            socket.send_bytes(content[start : min(start + 1000, half)])
        assert socket.receive_json()["type"] == "ready"
        # Half of it is sent, and something is said already.
        assert socket.receive_json()["type"] in ("current", "segment")
        socket.send_bytes(content[half:])
        socket.send_json({"type": "stop"})
        found = messages(socket)
    assert found[-1]["type"] == "done"
    assert found[-1]["duration_s"] == pytest.approx(len(talk) / RATE, abs=0.1)


@pytest.mark.parametrize(
    "first",
    [
        "no JSON",
        '{"type": "begin"}',
        '{"type": "start", "encoding": "pcm16"}',
        '{"type": "start", "encoding": "pcm16", "sample_rate": 1}',
        '{"type": "start", "encoding": "mp4"}',
        '{"type": "start", "sample_rate": 16000, "threshold": 7}',
    ],
)
def test_a_stream_that_begins_wrongly_is_told_so(client: TestClient, first: str) -> None:
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_text(first)
        problem = messages(socket)[-1]["problem"]
        assert problem["type"] == "/problems/bad-stream"
        with pytest.raises(WebSocketDisconnect) as ending:
            socket.receive_json()
    assert ending.value.code == 1008


def test_what_is_no_sound_is_told_so(client: TestClient) -> None:
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json({"type": "start", "encoding": "container"})
        socket.send_bytes(b"PK" + bytes(10_000))
        socket.send_json({"type": "stop"})  # until then, more bytes might make it a recording
        assert messages(socket)[-1]["problem"]["type"] == "/problems/not-audio"


def test_a_stream_closed_in_mid_word_leaves_its_place(serve: Any, talk: np.ndarray) -> None:
    client = serve(max_streams=1)
    for encoding in ("pcm16", "container", "pcm16"):
        with client.websocket_connect("ws://localhost/v1/stream") as socket:
            socket.send_json({"type": "start", "encoding": encoding, "sample_rate": RATE})
            assert socket.receive_json()["type"] == "ready"
            socket.send_bytes(talk[:5_001].tobytes()[:-1])
    assert client.app.state.context.streams.taken == 0


def test_streams_have_places_lengths_and_patience(serve: Any, talk: np.ndarray) -> None:
    start = {"type": "start", "sample_rate": RATE}
    client = serve(max_streams=1, max_stream_s=1.0, idle_timeout_s=0.5)
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json(start)
        assert socket.receive_json()["type"] == "ready"
        with client.websocket_connect("ws://localhost/v1/stream") as second:
            second.send_json(start)
            assert messages(second)[-1]["problem"]["status"] == 429
        socket.send_bytes(talk[: 2 * RATE].tobytes())
        assert messages(socket)[-1]["problem"]["type"] == "/problems/too-long"
    with client.websocket_connect("ws://localhost/v1/stream") as silent:
        assert messages(silent)[-1]["problem"]["type"] == "/problems/slow-client"


def test_a_stream_wants_the_key_in_its_first_message(serve: Any) -> None:
    key, stored = new_key("ann")
    client = serve(api_keys=(stored,))
    for given, answer in (({}, "problem"), ({"key": "wrong"}, "problem"), ({"key": key}, "ready")):
        with client.websocket_connect("ws://localhost/v1/stream") as socket:
            socket.send_json({"type": "start", "sample_rate": RATE, **given})
            assert socket.receive_json()["type"] == answer


def test_an_idle_stream_gives_its_place_to_a_newcomer(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(max_streams=1)
    places = client.app.state.context.streams
    start = {"type": "start", "sample_rate": RATE}
    with client.websocket_connect("ws://localhost/v1/stream") as idle:
        idle.send_json(start)
        assert idle.receive_json()["type"] == "ready"
        monkeypatch.setattr(places, "_idle_s", 0.0)
        with client.websocket_connect("ws://localhost/v1/stream") as second:
            second.send_json(start)
            assert second.receive_json()["type"] == "ready"
            assert "idle" in messages(idle)[-1]["problem"]["detail"]
            second.send_json({"type": "stop"})
            assert messages(second)[-1]["type"] == "done"


def test_sockets_that_never_begin_cannot_lock_others_out(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(max_receiving=1)
    monkeypatch.setattr(client.app.state.context.arriving, "_idle_s", 0.0)
    with (
        client.websocket_connect("ws://localhost/v1/stream") as silent,
        client.websocket_connect("ws://localhost/v1/stream") as second,
    ):
        second.send_json({"type": "start", "sample_rate": RATE})
        assert second.receive_json()["type"] == "ready"
        assert messages(silent)[-1]["problem"]["status"] == 429


def test_a_stream_ends_with_its_last_segments_when_the_service_shuts_down(client: TestClient, talk: np.ndarray) -> None:
    with client.websocket_connect("ws://localhost/v1/stream") as socket:
        socket.send_json({"type": "start", "sample_rate": RATE})
        assert socket.receive_json()["type"] == "ready"
        socket.send_bytes(talk[: 3 * RATE].tobytes())
        assert socket.receive_json()["type"] in ("current", "segment")
        client.portal.call(client.app.state.context.drain)  # type: ignore[union-attr,attr-defined]
        found = messages(socket)
    assert any(one["type"] == "segment" for one in found)
    assert found[-1]["problem"]["type"] == "/problems/shutting-down"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_stream_that_is_behind_ends_within_the_drain_time(
    serve: Any, talk: np.ndarray, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    client = serve(drain_s=2.0)
    go_on, begun = threading.Event(), threading.Event()

    def hang(*_: Any) -> list[Any]:
        begun.set()
        go_on.wait(60)
        return []

    monkeypatch.setattr(LiveRecognizer, "feed", hang)
    try:
        with client.websocket_connect("ws://localhost/v1/stream") as socket:
            socket.send_json({"type": "start", "sample_rate": RATE})
            assert socket.receive_json()["type"] == "ready"
            # More messages than the stream's queue holds, or few and the end.
            for _ in range(1 if stopped else 100):
                socket.send_bytes(talk[:100].tobytes())
            if stopped:
                socket.send_json({"type": "stop"})
            assert begun.wait(60)
            at = time.monotonic()
            client.portal.call(client.app.state.context.drain)
            assert messages(socket)[-1]["problem"]["type"] == "/problems/shutting-down"
            assert time.monotonic() - at < 30
    finally:
        go_on.set()


def test_a_query_of_a_stream_is_not_ignored(client: TestClient) -> None:
    with client.websocket_connect("ws://localhost/v1/stream?api_key=x") as socket:
        socket.send_json({"type": "start", "sample_rate": RATE})
        assert "api_key" in messages(socket)[-1]["problem"]["detail"]
