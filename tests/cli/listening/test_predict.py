"""`emotone predict`, as a person or a script meets it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emotone.cli.main import run


@pytest.fixture
def clip(clips_dir: Path) -> str:
    return str(clips_dir / "emodb" / "03a01Wa.flac")


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["--model", str(tiny_model)]


def test_a_table_by_default(clip: str, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", clip, *model]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["file", "emotion", "neutral", "happiness", "sadness", "anger"]
    assert "03a01Wa.flac" in out


def test_threshold_one_makes_all_unsure(clip: str, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", clip, *model, "--threshold", "1", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unsure"] is True
    assert run(["predict", clip, *model, "--threshold", "0", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unsure"] is False


def test_output_goes_to_the_file_and_nowhere_else(
    clip: str, model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new folder" / "results.csv"
    assert run(["predict", clip, clip, *model, "--format", "csv", "--output", str(path)]) == 0
    assert capsys.readouterr().out == ""
    with path.open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [clip, clip]


def test_a_bad_file_among_good_ones_is_listed_at_the_end(
    clip: str, model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad\n[name].wav"
    bad.write_text("not audio")
    absent = str(tmp_path / "absent.wav")
    assert run(["predict", str(bad), absent, clip, *model, "--format", "json"]) == 3
    out, err = capsys.readouterr()
    assert [row["file"] for row in json.loads(out)] == [clip]
    lines = err.splitlines()
    assert lines[0] == "2 of 3 recordings could not be used:"
    assert "bad\\n[name].wav" in lines[1]
    assert "absent.wav" in lines[2]
    assert len(lines) == 3


def test_with_no_good_file_no_results_are_written(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "results.json"
    assert run(["predict", str(tmp_path), *model, "--format", "json", "--output", str(output)]) == 3
    assert not output.exists()


def test_a_truncated_recording_is_used_with_a_warning(clip: str, model: list[str], tmp_path: Path) -> None:
    import wave

    whole = tmp_path / "whole.wav"
    with wave.open(str(whole), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "NONE"))
        file.writeframes((1_000 * np.random.default_rng(1).standard_normal(16_000)).astype("<i2").tobytes())
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[:20_000])
    done = emotone("predict", str(cut), *model, "--format", "json")
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)
    assert found["duration_s"] < 0.7
    # For readers of the results, who do not see the warning.
    assert found["note"].startswith("truncated (it declares 1.000 s); 0.62")
    assert done.stderr.startswith("warning: ")
    assert "Traceback" not in done.stderr
    assert ".py:" not in done.stderr


def test_plot_draws_one_recording(clip: str, model: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    assert run(["predict", clip, *model, "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_plot_of_two_recordings_is_a_usage_error(
    clip: str, model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", clip, clip, *model, "--plot", str(tmp_path / "picture.png")]) == 2
    assert "--plot" in capsys.readouterr().err


def test_a_picture_that_cannot_be_drawn_is_said_before_the_work(
    clip: str, model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", clip, *model, "--plot", "picture.docx"]) == 8
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


def test_a_model_that_is_none_has_its_own_status(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", clip, "--model", clip]) == 5
    assert capsys.readouterr().err.startswith("error: ")


def test_an_output_that_cannot_be_written_has_its_own_status(clip: str, model: list[str]) -> None:
    assert run(["predict", clip, *model, "--output", f"{clip}/below-a-file.txt"]) == 8


@pytest.fixture
def call(tmp_path: Path, spoken_call: np.ndarray) -> str:
    """A stereo call of 20 seconds."""
    import wave

    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", "NONE"))
        file.writeframes((spoken_call.T * 32_767).astype("<i2").tobytes())
    return str(path)


@pytest.fixture(scope="module")
def spoken_call(clips_dir: Path) -> np.ndarray:
    from emotone.audio import load_audio

    clips = [load_audio(path) for path in sorted(clips_dir.glob("emodb/*.flac"))] * 4
    left = np.concatenate(clips)[: 20 * 16_000]
    return np.stack([left, np.roll(left, 50_000) * 0.3])


def test_a_long_recording_has_segments(call: str, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", call, *model, "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["duration_s"] == 20.0
    assert found["segments"][0]["start_s"] == 0.0
    assert found["segments"][-1]["end_s"] == 20.0


def test_windows_voice_detection_and_channels_can_be_chosen(
    call: str, model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--window", "1", "--hop", "1", "--no-vad", "--channels", "split", "--format", "jsonl"]
    assert run(["predict", call, *model, *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {segment["channel"] for segment in found["segments"]} == {0, 1}
    assert all(segment["speech"] for segment in found["segments"])
    assert all(segment["start_s"] % 1.0 == 0.0 for segment in found["segments"])
    assert len(found["channels"]) == 2


@pytest.mark.parametrize("arguments", [["--window", "60"], ["--window", "0"], ["--hop", "9"]])
def test_a_window_that_does_not_fit_the_model_is_a_usage_error(
    call: str, model: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["predict", call, *model, *arguments]) == 2
    assert "--window / --hop" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["parquet", "audformat"])
def test_a_format_that_is_no_text_wants_an_output(
    call: str, model: list[str], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert run(["predict", call, *model, "--format", kind]) == 8
    assert "--output" in capsys.readouterr().err


def test_every_format_of_text_can_be_printed(call: str, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    begins = {"rttm": "SPEAKER call 1 ", "textgrid": "File type", "webvtt": "WEBVTT", "jsonl": "{", "csv": '"file"'}
    for kind, begin in begins.items():
        assert run(["predict", call, *model, "--format", kind]) == 0
        assert capsys.readouterr().out.startswith(begin)


def test_parquet_goes_to_a_file(call: str, model: list[str], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    output = tmp_path / "results.parquet"
    assert run(["predict", call, call, *model, "--format", "parquet", "--output", str(output)]) == 0
    assert set(pq.read_table(output)["file"].to_pylist()) == {call}


def emotone(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = shutil.which("emotone", path=str(Path(sys.executable).parent))
    assert command is not None
    return subprocess.run([command, *arguments], capture_output=True, text=True, timeout=240, check=False)


def test_the_installed_command_runs(clip: str, model: list[str]) -> None:
    done = emotone("predict", clip, *model, "--format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('"file","start_s","end_s","channel","emotion","unsure","reason"')


def test_a_reader_that_goes_away_is_no_traceback(clip: str, model: list[str]) -> None:
    words = [sys.executable, "-c", "from emotone.cli.main import main; main()", "predict", clip, *model]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=240) == 141
    assert err == ""


def test_the_shipped_model_is_the_default(shipped_model: Path, clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", clip]) == 0
    assert "03a01Wa.flac" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.csv", '"file"'), ("a.json", "["), ("a.jsonl", "{"), ("a.rttm", "SPEAKER"), ("a.TextGrid", "File type"),
     ("a.vtt", "WEBVTT"), ("a.txt", " file")],
)  # fmt: skip
def test_the_suffix_of_the_output_says_the_format(
    clip: str, model: list[str], tmp_path: Path, name: str, begin: str
) -> None:
    assert run(["predict", clip, *model, "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text().startswith(begin)
    assert run(["predict", clip, *model, "--format", "json", "--overwrite", "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text().startswith("[")


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_standard_output_is_written_to_and_never_replaced(
    clip: str, model: list[str], tmp_path: Path, output: str
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("what stood there\n")
    words = [sys.executable, "-c", "from emotone.cli.main import main; main()", "predict", clip, *model]
    with kept.open("a") as file:
        subprocess.run([*words, "--format", "csv", "--output", output], stdout=file, check=True, timeout=240)
    assert kept.read_text().startswith('what stood there\n"file"')


def test_a_recording_can_come_through_standard_input(clip: str, model: list[str]) -> None:
    words = [sys.executable, "-c", "from emotone.cli.main import main; main()", "predict", "-", *model]
    done = subprocess.run(
        [*words, "--format", "json"], input=Path(clip).read_bytes(), capture_output=True, timeout=240, check=True
    )
    (found,) = json.loads(done.stdout)
    assert found["duration_s"] > 1.0


def test_empty_names_are_usage_errors(clip: str, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([""], [clip, "--output", ""]):
        assert run(["predict", *words, *model]) == 2
        assert "an empty name" in capsys.readouterr().err


def test_an_impossible_hop_is_said_as_it_was_given(
    call: str, model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", call, *model, "--hop", "0.00001"]) == 2
    assert "hop_s = 1e-05; expected 0.05 to 2 s" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: no disk that is always full")
@pytest.mark.parametrize("command", [["predict", "-"], ["listen", "-", "--format", "jsonl", "--no-vad"]])
def test_a_full_disk_behind_standard_output_is_no_traceback(clip: str, model: list[str], command: list[str]) -> None:
    words = [sys.executable, "-c", "from emotone.cli.main import main; main()", *command, *model]
    sound = Path(clip).read_bytes() if command[0] == "predict" else bytes(5 * 32_000)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, input=sound, stdout=full, stderr=subprocess.PIPE, timeout=240, check=False)
    assert done.returncode == 8
    assert done.stderr == b"error: cannot write to standard output: No space left on device\n"
