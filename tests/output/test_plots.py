"""Pictures of recognitions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from emotone.emotions import EMOTIONS
from emotone.errors import MissingExtraError, OutputError
from emotone.listening.recognition import Recognition
from emotone.output.pictures import COLOURS
from emotone.output.plots import log_spectrogram, plot_recognition

TONE = (0.5 * np.sin(2 * np.pi * 2_000 * np.arange(16_000) / 16_000)).astype(np.float32)


def recognition(source: str = "clip.wav") -> Recognition:
    return Recognition(source, "anger", {"neutral": 0.2, "anger": 0.8}, False, 1.0, np.zeros(2, np.float32))


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_a_picture_is_of_the_kind_its_suffix_says(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"picture{suffix}"
    plot_recognition(TONE, 16_000, recognition("cost $5 or $x^2.wav"), path)
    assert path.read_bytes().startswith(magic)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("n_samples", [1, 400, 3_000_000])
def test_the_shortest_and_long_sounds_can_be_drawn(tmp_path: Path, n_samples: int) -> None:
    plot_recognition(np.zeros(n_samples, dtype=np.float32), 16_000, recognition(), tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 1_000


def test_a_tone_stands_at_its_frequency() -> None:
    level_db, step_s = log_spectrogram(TONE, 16_000)
    middle = level_db[:, level_db.shape[1] // 2]
    assert middle.argmax() / (len(middle) - 1) * 8_000 == pytest.approx(2_000, abs=32)
    assert level_db.max() == 0.0
    assert level_db.shape[1] * step_s == pytest.approx(1.0, abs=0.05)


def test_a_long_sound_has_no_more_columns_than_a_picture() -> None:
    level_db, step_s = log_spectrogram(np.ones(5_000_000, dtype=np.float32), 16_000)
    assert level_db.shape[1] <= 1_602
    assert level_db.shape[1] * step_s == pytest.approx(5_000_000 / 16_000, rel=0.01)


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=re.escape(".png, .svg, .pdf")):
        plot_recognition(TONE, 16_000, recognition(), tmp_path / "picture.docx")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotone.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=re.escape("emotone[plot]")):
        plot_recognition(TONE, 16_000, recognition(), tmp_path / "picture.png")


def test_every_emotion_has_its_own_colour() -> None:
    assert set(EMOTIONS) - set(COLOURS) == {"other", "undecided"}
    assert len(set(COLOURS.values())) == len(COLOURS)
