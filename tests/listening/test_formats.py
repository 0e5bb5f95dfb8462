"""Recognitions as text: read back by the library that owns each format."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from emotone.listening.formats import FORMATS, as_csv, as_json, as_table, printable
from emotone.listening.recognition import Recognition


def recognition(source: str = "clip.wav", *, anger: float = 0.75, unsure: bool = False) -> Recognition:
    shares = {"neutral": 1.0 - anger, "anger": anger}
    return Recognition(
        source, max(shares, key=lambda label: shares[label]), shares, unsure, 1.5, np.zeros(2, np.float32)
    )


def test_csv_reads_back_as_it_was() -> None:
    names = ["clip.wav", 'with,comma "and quotes".wav', "two\nlines.wav", "a\rreturn.wav", "emoji 🎤.wav"]
    rows = list(csv.DictReader(io.StringIO(as_csv([recognition(name) for name in names]))))
    assert [row["file"] for row in rows] == names
    assert list(rows[0]) == ["file", "emotion", "unsure", "duration_s", "neutral", "anger"]
    assert (rows[0]["emotion"], rows[0]["unsure"], float(rows[0]["anger"])) == ("anger", "false", 0.75)


def test_json_reads_back_as_it_was() -> None:
    rows = json.loads(as_json([recognition(unsure=True), recognition("b.wav", anger=0.2)]))
    assert rows[0] == {
        "file": "clip.wav",
        "emotion": "anger",
        "unsure": True,
        "duration_s": 1.5,
        "probabilities": {"neutral": 0.25, "anger": 0.75},
    }
    assert rows[1]["emotion"] == "neutral"


def test_the_table_says_file_emotion_and_each_probability() -> None:
    text = as_table([recognition(unsure=True), recognition("a [bold]b[/bold].wav", anger=0.2)])
    lines = text.splitlines()
    assert lines[0].split() == ["file", "emotion", "neutral", "anger"]
    assert lines[2].split() == ["clip.wav", "anger", "(unsure)", "0.25", "0.75"]
    assert "a [bold]b[/bold].wav" in lines[3]
    assert "\x1b" not in text


def test_a_narrow_terminal_folds_the_table_and_loses_no_letter() -> None:
    text = as_table([recognition("a" * 50 + ".wav")], width=50, colour=True)
    assert "\x1b[" in text
    assert text.count("a" * 5) >= 5


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_name_of_stray_bytes_can_still_be_written(kind: str) -> None:
    text = FORMATS[kind]([recognition("stray-\udcff-byte.wav")])
    assert "stray-" in text.encode("utf-8").decode("utf-8")
    assert text.endswith("\n")


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_no_recognitions_are_no_error(kind: str) -> None:
    assert FORMATS[kind]([]).endswith("\n")


def test_terminal_codes_in_a_name_are_shown_not_obeyed() -> None:
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert "\x1b" not in as_table([recognition("\x1b[31mred.wav")])
