"""`emotone convert` writes a smaller model file, or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emotone.cli.main import run
from emotone.listening import conversion
from emotone.model_files.model_file import read_model_file


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_new_file_is_used_like_any_other(
    precision: str, small_model: Path, clips_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(small_model), "--precision", precision]) == 0
    said = capsys.readouterr().out
    made = Path(f"small-{precision}.onnx")
    content, metadata = read_model_file(made)
    assert (metadata.name, metadata.precision) == (made.stem, precision)
    assert f"{made}: {len(content) / 1e6:.2f} MB, " in said
    assert run(["predict", str(clips_dir / "emodb" / "03a01Wa.flac"), "--model", str(made), "--format", "csv"]) == 0
    assert ',"anger",' in capsys.readouterr().out


def test_output_and_name_are_as_asked_for(small_model: Path) -> None:
    arguments = ["convert", str(small_model), "--precision", "int8", "-o", "deep/other.onnx", "--name", "mine"]
    assert run(arguments) == 0
    assert read_model_file(Path("deep/other.onnx"))[1].name == "mine"


def test_a_file_that_cannot_be_converted_is_an_error_of_the_model(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in (tiny_model, Path("absent.onnx")):
        assert run(["convert", str(model), "--precision", "int8", "-o", "out.onnx"]) == 5
        assert capsys.readouterr().err.startswith("error: ")
    assert not Path("out.onnx").exists()


def test_a_model_that_judges_otherwise_is_not_written(
    small_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "TOLERANCE", 1e-4)
    assert run(["convert", str(small_model), "--precision", "int8", "-o", "out.onnx"]) == 5
    assert "nothing was written" in capsys.readouterr().err
    assert not Path("out.onnx").exists()


def test_convert_needs_no_torch(small_model: Path) -> None:
    arguments = ["convert", str(small_model), "--precision", "fp16"]
    code = f"import sys\nfrom emotone.cli.main import run\nassert run({arguments!r}) == 0\n"
    code += "assert 'onnx' in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)
