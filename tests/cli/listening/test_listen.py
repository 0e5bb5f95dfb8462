"""`emotone listen`, as a program that pipes sound meets it."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import emotone
from emotone.audio import load_audio
from emotone.cli.main import run
from emotone.errors import AudioError, MissingExtraError
from relative_model import relative_model

COMMAND = [sys.executable, "-c", "from emotone.cli.main import main; main()", "listen"]


@pytest.fixture(scope="module")
def speech(clips_dir: Path) -> np.ndarray:
    clips = sorted((clips_dir / "emodb").glob("*.flac"))
    return np.concatenate([load_audio(clip) for clip in clips])


def heard(samples: bytes, *words: str, status: int = 0) -> list[dict]:
    done = subprocess.run([*COMMAND, "-", *words], input=samples, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (status, b"")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def as_s16(waveform: np.ndarray) -> bytes:
    return np.clip(np.rint(waveform * 32_768), -32_768, 32_767).astype("<i2").tobytes()


def test_segments_are_those_of_the_file(speech, tiny_model):
    lines = heard(as_s16(speech), "--model", str(tiny_model), "--format", "jsonl")
    segments = [line for line in lines if line.pop("event") == "segment"]
    recognizer = emotone.load(tiny_model)
    expected = recognizer(np.frombuffer(as_s16(speech), "<i2"), 16_000).segments
    assert [(one["start_s"], one["end_s"], one["emotion"]) for one in segments] == [
        (pytest.approx(one.start_s, abs=1e-6), pytest.approx(one.end_s, abs=1e-6), one.emotion) for one in expected
    ]


def test_segments_are_relative_to_a_baseline_and_of_the_chosen_classes(
    speech, tiny_graph, tiny_metadata, clips_dir, tmp_path
):
    model, calm = tmp_path / "relative.onnx", clips_dir / "emodb" / "03a01Nc.flac"
    model.write_bytes(relative_model(tiny_graph, tiny_metadata))
    words = ["--model", str(model), "--format", "jsonl", "--baseline", str(calm), "--classes", "neutral,anger"]
    segments = [line for line in heard(as_s16(speech), *words) if line["event"] == "segment"]
    view = emotone.load(model).with_baseline(calm).with_classes(["neutral", "anger"])
    expected = view(np.frombuffer(as_s16(speech), "<i2"), 16_000).segments
    assert [one["probabilities"] for one in segments] == [
        pytest.approx(one.probabilities, abs=1e-3) for one in expected
    ]
    assert {one["baseline"] for one in segments if one["emotion"]} == {calm.name}


def test_formats_of_samples_say_the_same(speech, tiny_model):
    words = ["--model", str(tiny_model), "--format", "jsonl", "--no-vad"]
    expected = heard(as_s16(speech), *words)
    assert any(line["event"] == "window" for line in expected)
    stereo = np.stack([np.frombuffer(as_s16(speech), "<i2")] * 2, axis=1).tobytes()
    assert heard(stereo + b"\1", *words, "--n-channels", "2") == expected
    floats = (np.frombuffer(as_s16(speech), "<i2") / np.float32(32_768)).astype("<f4").tobytes()
    assert heard(floats, *words, "--sample-format", "f32") == expected


def test_both_sides_of_a_call_are_heard_apart(speech, tiny_model, capsys, monkeypatch):
    sides = np.stack([speech, np.roll(speech, 40_000) / 4])
    raw = np.frombuffer(as_s16(sides.T), "<i2")
    words = ["--model", str(tiny_model), "--channels", "split"]
    lines = heard(raw.tobytes(), *words, "--n-channels", "2", "--format", "jsonl")
    assert {line["channel"] for line in lines if line["event"] == "window"} == {0, 1}
    segments = [line for line in lines if line["event"] == "segment"]
    expected = emotone.load(tiny_model)(raw.reshape(-1, 2).T, 16_000, channels="split").segments
    assert sorted((one["start_s"], one["channel"], one["emotion"]) for one in segments) == [
        (pytest.approx(one.start_s, abs=1e-6), one.channel, one.emotion) for one in expected
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw.tobytes())))
    assert run(["listen", "-", *words]) == 2
    assert "--n-channels" in capsys.readouterr().err


def wav_header(n_channels: int, rate: int) -> bytes:
    """Of a WAV that is written to a pipe, whose sizes cannot be known."""
    form = struct.pack("<HHIIHH", 1, n_channels, rate, 2 * n_channels * rate, 2 * n_channels, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + form + b"data\xff\xff\xff\xff"


def test_a_recording_is_read_by_its_header_and_not_as_raw_samples(speech, tiny_model, clips_dir):
    words = ["--model", str(tiny_model), "--format", "jsonl"]
    expected = heard(as_s16(speech), *words)
    assert heard(wav_header(1, 16_000) + as_s16(speech), *words) == expected
    assert heard(wav_header(1, 16_000) + as_s16(speech), *words, "--sample-rate", "8000") == expected
    clip = sorted((clips_dir / "emodb").glob("*.flac"))[0]
    segments = [one for one in heard(clip.read_bytes(), *words) if one["event"] == "segment"]
    assert segments[-1]["end_s"] == pytest.approx(len(load_audio(clip)) / 16_000, abs=1e-3)


def test_both_sides_of_a_recording_are_split_by_its_header(speech, tiny_model):
    stereo = np.frombuffer(as_s16(np.stack([speech, speech / 4]).T), "<i2").tobytes()
    words = ["--model", str(tiny_model), "--format", "jsonl", "--channels", "split"]
    expected = heard(stereo, *words, "--n-channels", "2")
    found = heard(wav_header(2, 16_000) + stereo, *words)
    assert [one for one in found if one["event"] == "segment"] == [one for one in expected if one["event"] == "segment"]


def test_a_recording_comes_as_it_is_spoken(speech, tiny_model):
    words = [*COMMAND, "-", "--model", str(tiny_model), "--format", "jsonl", "--no-vad"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(wav_header(1, 16_000) + as_s16(speech)[: 2 * 16_000 * 5])
        process.stdin.flush()
        # Its writer is still there: the first window must not wait for the end.
        assert json.loads(process.stdout.readline())["event"] == "window"
        process.stdin.close()


def test_text_for_a_pipe_has_a_line_a_segment(speech, tiny_model):
    words = [*COMMAND, "-", "--model", str(tiny_model)]
    done = subprocess.run(words, input=as_s16(speech), capture_output=True, timeout=120, check=True)
    assert done.stderr == b""
    assert b" s  " in done.stdout


@pytest.mark.parametrize("samples", [b"", b"a few words"])
def test_too_little_sound_is_reported(samples, tiny_model):
    words = [*COMMAND, "-", "--model", str(tiny_model), "--format", "jsonl"]
    done = subprocess.run(words, input=samples, capture_output=True, timeout=120, check=True)
    assert done.stdout == b""
    assert b"at least 0.025 s are needed" in done.stderr


def test_silence_is_no_error(tiny_model):
    words = ["--model", str(tiny_model), "--format", "jsonl"]
    assert all(line["emotion"] is None for line in heard(bytes(64_000 * 2), *words))


def test_a_file_is_sent_to_predict(tiny_model, capsys):
    assert run(["listen", "call.wav", "--model", str(tiny_model)]) == 2
    assert "emotone predict" in capsys.readouterr().err


def test_without_a_microphone_it_says_what_to_do(tiny_model, capsys):
    from emotone.listening.sound.live_sources import microphone_blocks

    try:
        next(microphone_blocks(sample_rate=16_000))
        pytest.skip("this machine has a microphone")
    except (AudioError, MissingExtraError):
        pass
    assert run(["listen", "--model", str(tiny_model)]) in (3, 7)
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.slow
def test_a_line_comes_at_the_end_of_its_window_without_more_sound(speech, shipped_model):
    words = [*COMMAND, "-", "--format", "jsonl", "--no-vad", "--window", "2", "--hop", "1"]
    loud = np.tile(speech, 3)
    ends = []
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for second in range(12):
            process.stdin.write(as_s16(loud[16_000 * second : 16_000 * (second + 1)]))
            process.stdin.flush()
            # A program that waits for the next block would never end here: none is sent before the line came.
            line = json.loads(process.stdout.readline())
            while line["event"] != "window":
                line = json.loads(process.stdout.readline())
            ends.append(line["end_s"])
        process.stdin.close()
        process.stdout.read()
    assert ends == list(range(1, 13))
