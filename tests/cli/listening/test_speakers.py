"""Turns, baselines and classes on the command line, and the pipeline diarizer -> transcriber -> emotone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from emotone.audio import load_audio
from emotone.cli.main import run
from emotone.listening.loading import load
from emotone.listening.turns.files import parse_turns
from emotone.model_files.metadata import ModelMetadata
from relative_model import relative_model
from voices import write_wav

RATE = 16_000
CLIPS = ("emodb/03a01Wa.flac", "crema-d/1001_DFA_ANG_XX.opus")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> str:
    """A model that takes a baseline."""
    path = tmp_path_factory.mktemp("models") / "relative.onnx"
    path.write_bytes(relative_model(tiny_graph, tiny_metadata))
    return str(path)


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory, clips_dir: Path) -> tuple[Path, list[tuple[float, float]]]:
    """Two bundled clips with half a second between them, and when each is spoken."""
    parts, spans, at = [], [], 0.0
    for name in CLIPS:
        sound = load_audio(clips_dir / name, sample_rate=RATE)
        spans.append((round(at, 3), round(at + len(sound) / RATE, 3)))
        parts += [sound, np.zeros(RATE // 2, np.float32)]
        at += len(sound) / RATE + 0.5
    path = tmp_path_factory.mktemp("calls") / "call.wav"
    write_wav(path, np.concatenate(parts))
    return path, spans


def rttm(path: Path, spans: list[tuple[float, float]]) -> Path:
    """As pyannote.audio writes a diarization: `annotation.write_rttm(file)`."""
    core = pytest.importorskip("pyannote.core")
    annotation = core.Annotation(uri="call")
    for number, span in enumerate(spans):
        annotation[core.Segment(*span), number] = f"SPEAKER_{number:02}"
    with path.open("w") as file:
        annotation.write_rttm(file)
    return path


def whisperx_json(path: Path, spans: list[tuple[float, float]]) -> Path:
    """As `whisperx call.wav --diarize --output_format json` writes it."""
    texts = ("Das will sie am Mittwoch abgeben.", "It's eleven o'clock.")
    segments = [
        {
            "start": start,
            "end": end,
            "text": f" {text}",
            "words": [{"word": text.split()[0], "start": start, "end": end, "score": 0.9, "speaker": f"SPEAKER_0{i}"}],
            "speaker": f"SPEAKER_0{i}",
        }
        for i, ((start, end), text) in enumerate(zip(spans, texts, strict=True))
    ]
    path.write_text(json.dumps({"segments": segments, "word_segments": [], "language": "de"}))
    return path


def shown(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)[0]


def test_the_pipeline_from_a_diarizer_and_a_transcriber_to_emotions(
    call: tuple[Path, list[tuple[float, float]]], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, spans = call
    by_rttm = rttm(tmp_path / "call.rttm", spans)
    by_json = whisperx_json(tmp_path / "call.json", spans)
    base = ["predict", str(path), "--model", model]
    assert run([*base, "--turns", str(by_rttm), "--format", "json"]) == 0
    diarized = shown(capsys)
    assert run([*base, "--turns", str(by_json), "--format", "json"]) == 0
    transcribed = shown(capsys)
    recognizer = load(model)
    sound = load_audio(path, sample_rate=RATE)
    for segment, said, (start, end) in zip(diarized["segments"], transcribed["segments"], spans, strict=True):
        alone = recognizer.probabilities([sound[round(start * RATE) : round(end * RATE)]])[0]
        np.testing.assert_allclose(list(segment["probabilities"].values()), alone, atol=1e-5)
        assert segment["probabilities"] == said["probabilities"]
        assert segment["speaker"] == said["speaker"]
        assert segment["text"] is None
    assert [one["text"] for one in transcribed["segments"]][1] == "It's eleven o'clock."
    # Captions stay captions.
    captions = tmp_path / "call.vtt"
    assert run([*base, "--turns", str(by_json), "--output", str(captions)]) == 0
    turns = parse_turns(captions.read_bytes())
    assert [(one.start_s, one.end_s, one.speaker) for one in turns] == [
        (*span, f"SPEAKER_0{number}") for number, span in enumerate(spans)
    ]
    assert turns[1].text.endswith("%] It's eleven o'clock.") or turns[1].text.endswith("speech] It's eleven o'clock.")


def test_tiers_of_a_textgrid_are_named(
    call: tuple[Path, list[tuple[float, float]]], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    path, (first, second) = call
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("Ann", [(*first, "ja")], 0, second[1]))
    grid.addTier(textgrid.IntervalTier("Bob", [(*second, "yes")], 0, second[1]))
    turns = tmp_path / "call.TextGrid"
    grid.save(str(turns), "short_textgrid", includeBlankSpaces=True)
    base = ["predict", str(path), "--model", model, "--turns", str(turns), "--format", "json"]
    assert run(base) == 4
    assert "--tier" in capsys.readouterr().err
    assert run([*base, "--tier", "Bob"]) == 0
    assert [one["speaker"] for one in shown(capsys)["segments"]] == ["Bob"]


def test_a_baseline_is_named_in_the_answer(
    call: tuple[Path, list[tuple[float, float]]], model: str, clips_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = call
    calm = [str(clips_dir / name) for name in CLIPS]
    base = ["predict", calm[0], "--model", model, "--format", "json"]
    assert run([*base, "--baseline", calm[1]]) == 0
    found = shown(capsys)
    expected = load(model)(calm[0], baseline=calm[1])
    assert found["baseline"] == "1001_DFA_ANG_XX.opus"
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    assert run([*base, "--baseline", calm[0], "--baseline", calm[1]]) == 0
    assert shown(capsys)["baseline"] == "03a01Wa.flac, 1001_DFA_ANG_XX.opus"
    assert run(["predict", str(path), "--model", model, "--baseline", calm[1]]) == 0
    assert "relative to the baseline 1001_DFA_ANG_XX.opus" in capsys.readouterr().out


def test_each_speaker_may_have_a_baseline(
    call: tuple[Path, list[tuple[float, float]]], model: str, clips_dir: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path, spans = call
    calm = clips_dir / CLIPS[1]
    base = [
        "predict",
        str(path),
        "--model",
        model,
        "--turns",
        str(rttm(tmp_path / "a.rttm", spans)),
        "--format",
        "json",
    ]
    assert run([*base, "--baseline", f"SPEAKER_01={calm}"]) == 0
    names = [one["baseline"] for one in shown(capsys)["segments"]]
    assert names == [None, "SPEAKER_01: 1001_DFA_ANG_XX.opus"]
    assert run([*base, "--baseline", f"SPEAKER_07={calm}"]) == 5
    assert "a baseline for 'SPEAKER_07', who has no turn" in capsys.readouterr().err


def test_classes_are_chosen(clips_dir: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["predict", str(clips_dir / CLIPS[0]), "--model", model]
    assert run([*base, "--classes", "angry,neutral", "--format", "json"]) == 0
    assert list(shown(capsys)["probabilities"]) == ["neutral", "anger"]
    assert run([*base, "--classes", "angry,contempt"]) == 4
    assert "the model has no class 'contempt'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--baseline", "ann=calm.wav"], 2, "'ann' is a speaker"),
        (["--baseline", "calm.wav", "--baseline", "ann=b.wav", "--turns", "t.rttm"], 2, "names no speaker"),
        (["--baseline", "=b.wav", "--turns", "t.rttm"], 2, "SPEAKER=FILE"),
        (["--baseline", "no/such.wav"], 3, "no/such.wav"),
        (["--tier", "Ann"], 2, "--turns"),
        (["--turns", "no/such.rttm"], 4, "cannot read the turns"),
        (["--turns", "t.rttm", "--channels", "split"], 2, "mix of all channels"),
        (["--classes", "anger"], 4, "at least two"),
    ],
)
def test_what_does_not_go_together_is_refused(
    clips_dir: Path, model: str, words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(clips_dir / CLIPS[0]), "--model", model, *words]) == status
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_model_without_baselines_refuses_one(
    clips_dir: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(clips_dir / CLIPS[0])
    assert run(["predict", clip, "--model", str(tiny_model), "--baseline", clip]) == 5
    assert "the model 'tiny' takes no baseline" in capsys.readouterr().err


def test_a_batch_has_turns_baselines_and_classes(
    call: tuple[Path, list[tuple[float, float]]], model: str, clips_dir: Path, tmp_path: Path
) -> None:
    path, spans = call
    turns = rttm(tmp_path / "calls.rttm", spans)
    output = tmp_path / "calls.csv"
    words = ["--turns", str(turns), "--baseline", f"SPEAKER_00={clips_dir / CLIPS[1]}", "--classes", "neutral,anger"]
    assert run(["predict", str(path.parent), "--model", model, "--workers", "1", "--output", str(output), *words]) == 0
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["speaker"], row["baseline"]) for row in rows] == [
        ("SPEAKER_00", "SPEAKER_00: 1001_DFA_ANG_XX.opus"),
        ("SPEAKER_01", ""),
    ]
    assert list(rows[0])[-2:] == ["neutral", "anger"]


def test_turns_of_one_recording_are_not_those_of_another(
    call: tuple[Path, list[tuple[float, float]]], model: str, clips_dir: Path, tmp_path: Path, capsys
) -> None:
    path, spans = call
    turns = rttm(tmp_path / "calls.rttm", spans)
    other = str(clips_dir / CLIPS[0])
    words = ["--model", model, "--turns", str(turns)]
    # Alone, a recording may have another name than in the file.
    assert run(["predict", other, *words, "--format", "json"]) == 0
    capsys.readouterr()
    output = tmp_path / "calls.jsonl"
    for batch in ([], ["--workers", "1"]):
        assert run(["predict", str(path), other, *words, *batch, "--overwrite", "--output", str(output)]) == 4
        assert [json.loads(line)["file"] for line in output.read_text().splitlines()] == [str(path)]
        assert "no turns for" in capsys.readouterr().err


def test_a_baseline_of_a_speaker_who_never_speaks_is_refused(
    call: tuple[Path, list[tuple[float, float]]], model: str, clips_dir: Path, tmp_path: Path, capsys
) -> None:
    path, spans = call
    clip = str(clips_dir / CLIPS[1])
    turns = rttm(tmp_path / "calls.rttm", spans)
    words = ["--model", model, "--turns", str(turns), "--baseline", f"SPEAKR_00={clip}"]
    for files in ([str(path)], [str(path), clip], [str(path.parent), "--workers", "1", "-o", str(tmp_path / "x.csv")]):
        assert run(["predict", *files, *words]) == 5
        assert "a baseline for 'SPEAKR_00', who has no turn" in capsys.readouterr().err
