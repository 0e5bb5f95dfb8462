"""No command replaces a file of another kind, or its own input, without --overwrite."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from emotone.cli.main import run
from emotone.output.formats import FORMATS

REPO = Path(__file__).resolve().parents[2]
FILES = [(name, (one.suffixes or (".csv",))[0]) for name, one in FORMATS.items() if name != "audformat"]


@pytest.fixture
def clip(clips_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(clips_dir / "emodb" / "03a01Wa.flac", tmp_path))


def predict(clip: Path, model: Path, *words: str) -> int:
    return run(["predict", str(clip), "--model", str(model), *words])


@pytest.mark.parametrize(("kind", "suffix"), FILES)
def test_earlier_results_are_replaced_and_other_files_are_not(
    kind: str, suffix: str, clip: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"results{suffix}"
    words = ["--format", kind, "--output", str(output)]
    assert predict(clip, tiny_model, *words) == 0
    made = output.read_bytes()
    output.write_bytes(made)
    assert predict(clip, tiny_model, *words) == 0
    output.write_bytes(b"")
    assert predict(clip, tiny_model, *words) == 0
    output.write_text("path,emotion,speaker\na.wav,anger,1\n")
    capsys.readouterr()
    assert predict(clip, tiny_model, *words) == 8
    assert "name another output, or add --overwrite" in capsys.readouterr().err
    assert output.read_text().startswith("path,")
    assert predict(clip, tiny_model, *words, "--overwrite") == 0
    assert output.read_bytes() == made


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("call.rttm", "SPEAKER call 1 0.000 1.000 <NA> <NA> anna <NA> <NA>\n"),
        ("call.vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nGood morning\n"),
        ("call.srt", "1\n00:00:00,000 --> 00:00:01,000\nGood morning\n"),
        ("call.TextGrid", 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n        name = "words"\n'),
        ("call.json", '[{"start": 0.0, "end": 1.0, "text": "Good morning"}]'),
    ],
)
def test_a_transcript_in_a_format_of_results_is_not_replaced(
    name: str, content: str, clip: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    assert predict(clip, tiny_model, "-o", str(tmp_path / name)) == 8
    assert (tmp_path / name).read_text() == content


def test_a_recording_is_not_replaced_by_its_results(
    clip: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = clip.read_bytes()
    (tmp_path / "link.csv").symlink_to(clip)
    for output in (clip, tmp_path / "link.csv"):
        assert predict(clip, tiny_model, "-o", str(output)) == 8
        assert "is an input of this command" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_a_batch_replaces_its_table_and_nothing_else(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.csv"
    words = ["predict", str(clip.parent), "--model", str(tiny_model), "--workers", "1", "-o", str(output)]
    assert run(words) == 0
    assert run(words) == 0
    output.write_text("path,emotion,speaker\n")
    assert run(words) == 8
    assert output.read_text() == "path,emotion,speaker\n"


def test_a_plot_replaces_pictures_alone(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG of before")
    assert predict(clip, tiny_model, "--plot", str(picture)) == 0
    picture.write_text("notes")
    assert predict(clip, tiny_model, "--plot", str(picture)) == 8
    assert picture.read_text() == "notes"


def test_convert_replaces_models_alone_and_not_its_own(small_model: Path, tmp_path: Path) -> None:
    model = Path(shutil.copy(small_model, tmp_path / "model.onnx"))
    before = model.read_bytes()
    words = ["convert", str(model), "--precision", "int8", "-o"]
    assert run([*words, str(model)]) == 8
    other = tmp_path / "other.onnx"
    other.write_bytes(b"a model of another program")
    assert run([*words, str(other)]) == 8
    assert other.read_bytes() == b"a model of another program"
    assert run([*words, str(other), "--overwrite"]) == 0
    assert run([*words, str(other)]) == 0
    assert model.read_bytes() == before


def test_no_message_advises_to_delete_a_file() -> None:
    advice = re.compile(r"""(delete|remove|erase) (it|the \w+|\{|\w+\.json)""", re.IGNORECASE)
    for path in sorted((REPO / "src" / "emotone").rglob("*.py")):
        if path.parent.name in ("batch", "service") or path.name == "run_folder.py":
            continue
        text = path.read_text(encoding="utf-8")
        strings = re.findall(r'f?"(?:[^"\\\n]|\\.)*"', re.sub(r'""".*?"""', "", text, flags=re.DOTALL))
        assert [one for one in strings if advice.search(one)] == [], path
