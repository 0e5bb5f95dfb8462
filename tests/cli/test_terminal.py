"""Terminals that cannot print a character get a plain one or an escape, never a traceback."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emotone.cli.main import run

ENCODINGS = ("ascii", "latin-1", "cp1252", "utf-8")


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command with strict standard streams of an encoding; what it wrote to standard output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(encoding: str, *words: str, status: int = 0) -> str:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        found = run(list(words))
        out.flush()
        err.flush()
        assert b"Traceback" not in err.buffer.getvalue()
        assert found == status
        return out.buffer.getvalue().decode(encoding)

    return call


@pytest.fixture
def clip(clips_dir: Path, tmp_path: Path) -> str:
    """A recording with letters of three alphabets in its name."""
    shutil.copy(clips_dir / "emodb" / "03a01Wa.flac", tmp_path / "é łódź 猫🐈.flac")
    return "é łódź 猫🐈.flac"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_table_has_lines_that_the_terminal_knows(
    encoding: str, clip: str, tiny_model: Path, said: Callable[..., str]
) -> None:
    line = said(encoding, "predict", clip, "--model", str(tiny_model)).splitlines()[1].strip()
    assert set(line) == ({"─"} if encoding == "utf-8" else {"-"})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_json_is_valid_and_complete_in_any_encoding(
    encoding: str, kind: str, clip: str, tiny_model: Path, said: Callable[..., str]
) -> None:
    found = json.loads(said(encoding, "predict", clip, "--model", str(tiny_model), "--format", kind))
    assert (found[0] if kind == "json" else found)["file"] == clip


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["corpora", "list"], 0),
        (["predict", "--help"], 0),
        (["predict", "ł.wav"], 3),
        (["predict", "a.wav", "--ł"], 2),
        (["predict", os.fsdecode(b"\xff.wav")], 3),
        (["predict", "a.wav", os.fsdecode(b"--\xff")], 2),
    ],
)
def test_other_words_are_printed_too(encoding: str, words: list[str], status: int, said: Callable[..., str]) -> None:
    said(encoding, *words, status=status)


def test_letters_that_the_encoding_has_are_kept(clip: str, tiny_model: Path, said: Callable[..., str]) -> None:
    out = said("cp1252", "predict", clip, "--model", str(tiny_model), "--format", "csv")
    assert "é \\u0142ód\\u017a" in out


def test_h_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "-h"]) == 0
    short = capsys.readouterr().out
    assert run(["convert", "--help"]) == 0
    assert capsys.readouterr().out == short


def test_the_module_is_the_command(clip: str, tiny_model: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emotone", "predict", clip, "--model", str(tiny_model)],
        capture_output=True, env=os.environ | {"PYTHONIOENCODING": "cp1252"}, cwd=tmp_path, timeout=240, check=True,
    )  # fmt: skip
    assert "é \\u0142ód\\u017a \\u732b" in done.stdout.decode("cp1252")


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "a\x1b[31m.wav"],
        ["predict", "a.wav", "--model", "m\x1b[2J.onnx"],
        ["predict", "a.wav", "--output", "\x1b[2J/\x00"],
        ["corpora", "check", "emodb", "no\x1bwhere"],
    ],
)
def test_names_in_errors_cannot_control_the_terminal(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) != 0
    assert "\x1b" not in capsys.readouterr().err
