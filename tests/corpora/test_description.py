"""`emotone corpora describe` as a person runs it, and what it counts as clipped."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from emotone.cli.main import run
from emotone.corpora.description import clipped_peaks
from voices import RATE, voice, write_wav


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    clean = voice("neutral", 0, 0)
    sounds = {
        "clean": clean,
        "loud": np.clip(8 * clean, -1, 1),
        "silent": np.zeros(RATE),
        "quiet": 0.01 * clean,
    }
    rows = ["path,emotion,speaker,sex"]
    for number, (name, sound) in enumerate(sounds.items()):
        write_wav(folder / f"{name}.wav", sound)
        rows.append(f"{name}.wav,{'stressed' if number else '<calm>'},s{number % 2},{'f' if number % 2 else ''}")
    (folder / "broken.wav").write_bytes(b"no audio")
    rows += ["broken.wav,stressed,s1,f", "absent.wav,stressed,s1,f"]
    (folder / "mine.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "mine.csv"


def test_a_corpus_is_described_as_text_and_as_one_page(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "mine.html"
    assert run(["corpora", "describe", "manifest", str(table), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "5 utterances" in shown
    assert "2 speakers (1 female, 1 unknown sex)" in shown
    assert "silent: 1\n  silent.wav" in shown
    assert re.search(r"clipped: 1\n  loud.wav: \d+ clipped peaks", shown)
    assert "unreadable: 1\n  broken.wav" in shown
    assert "left out by the reader: 1" in shown
    assert "class <calm> is spoken by s0 alone" in shown
    text = page.read_text(encoding="utf-8")
    assert text.count("<html") == 1
    assert "&lt;calm&gt;" in text
    assert "<calm>" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("<svg") == 2


def test_a_file_of_another_kind_is_not_replaced(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "notes.html"
    other.write_text("my notes", encoding="utf-8")
    assert run(["corpora", "describe", "manifest", str(table), "--html", str(other)]) == 8
    assert other.read_text(encoding="utf-8") == "my notes"


def test_a_sine_at_full_scale_is_not_clipped_and_a_square_of_it_is() -> None:
    sine = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert clipped_peaks(sine) == 0
    assert clipped_peaks(np.clip(2 * sine, -1, 1)) > 100
    assert clipped_peaks(0.1 * np.clip(2 * sine, -1, 1)) == 0
