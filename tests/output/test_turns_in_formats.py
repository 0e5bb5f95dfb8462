"""Recognitions of turns in every format: no turn is lost, and each keeps its speaker and text."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment
from emotone.listening.turns.files import parse_turns
from emotone.output.columns import to_annotation, to_dataframe
from emotone.output.formats import TEXT_FORMATS, as_text, write_results

LABELS = ("neutral", "anger")
SHARES = {"neutral": 0.17, "anger": 0.83}


def call() -> Recognition:
    """Two speakers who overlap, one of them with a turn that is too short, and one turn said twice at once."""
    segments = (
        Segment(0.5, 2.25, "anger", SHARES, speaker="Ann Lee", text='Say "hi" <now> & go.', turn=0, unfamiliar=0.5),
        Segment(2.0, 3.5, "anger", SHARES, True, speaker="Bob", text="=Yes.", turn=1, reason="unfamiliar speech",
                unfamiliar=0.99, baseline="Bob: calm.wav", note="overlaps another turn for 0.25 s"),
        Segment(3.0, 3.2, None, unsure=True, speaker="Bob", text="No.", turn=2, reason="too short"),
        Segment(2.0, 3.5, "anger", SHARES, speaker="Eve", turn=3, unfamiliar=0.5),
        Segment(4.5, 6.0, "anger", SHARES, turn=4, note="ends 1.00 s after the recording", unfamiliar=0.5),
    )  # fmt: skip
    return Recognition(
        "call.wav", "anger", SHARES, False, 5.0, np.zeros(2, np.float32), segments, labels=LABELS,
        unfamiliar=0.6, baseline="Bob: calm.wav",
    )  # fmt: skip


TIMES = [(0.5, 2.25), (2.0, 3.5), (3.0, 3.2), (2.0, 3.5), (4.5, 6.0)]
SPEAKERS = ["Ann Lee", "Bob", "Bob", "Eve", ""]


@pytest.mark.parametrize("kind", TEXT_FORMATS)
def test_every_text_format_keeps_every_speaker_and_text(kind: str) -> None:
    text = as_text([call()], kind).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    for word in ("Ann", "Bob", "Eve", "Yes.", "No.", "<now>", "anger", "too"):
        assert word in text


def test_csv_and_json_say_all_there_is() -> None:
    rows = list(csv.DictReader(io.StringIO(as_text([call()], "csv"))))
    assert [(float(row["start_s"]), float(row["end_s"])) for row in rows] == TIMES
    assert [row["speaker"] for row in rows] == SPEAKERS
    assert rows[1]["text"] == "'=Yes."
    assert rows[1]["reason"] == "unfamiliar speech"
    assert (rows[1]["unfamiliar"], rows[1]["baseline"]) == ("0.99", "Bob: calm.wav")
    (found,) = json.loads(as_text([call()], "json"))
    assert (found["unfamiliar"], found["baseline"]) == (0.6, "Bob: calm.wav")
    assert [one["turn"] for one in found["segments"]] == [0, 1, 2, 3, 4]
    assert found["segments"][2]["reason"] == "too short"


@pytest.mark.parametrize("kind", ["rttm", "webvtt", "srt"])
def test_what_is_written_reads_back_as_the_same_turns(kind: str) -> None:
    turns = parse_turns(as_text([call()], kind).encode())
    by_time = sorted(range(5), key=lambda place: TIMES[place][0]) if kind != "rttm" else range(5)
    assert [(one.start_s, one.end_s) for one in turns] == [TIMES[place] for place in by_time]
    names = [SPEAKERS[place] for place in by_time]
    assert [one.speaker for one in turns] == [name.replace(" ", "_") if kind == "rttm" else name for name in names]


def test_captions_stay_captions_with_the_emotion_added() -> None:
    assert '<v Ann Lee>[anger 83 %] Say "hi" &lt;now&gt; &amp; go.</v>' in as_text([call()], "webvtt")
    assert "<v Bob>[perhaps anger 83 %, unfamiliar speech] =Yes.</v>" in as_text([call()], "webvtt")
    assert "1\n00:00:00,500 --> 00:00:02,250\n[Ann Lee]: [anger 83 %] Say" in as_text([call()], "srt")
    assert "[Bob]: [too short] No." in as_text([call()], "srt")


def test_textgrid_has_tiers_for_each_speaker(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    path = tmp_path / "call.TextGrid"
    write_results([call()], "textgrid", path)
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    names = set(grid.tierNames)
    assert {"Ann Lee", "Ann Lee: emotion", "Bob", "Bob (2)", "Bob: unfamiliar", "Eve: emotion", "turns"} <= names
    assert [one.label for one in grid.getTier("Ann Lee").entries] == ['Say "hi" <now> & go.']
    assert [one.label for one in grid.getTier("Bob (2): emotion").entries] == ["too short"]
    assert grid.maxTimestamp == 6.0
    turns = parse_turns(path.read_bytes(), tiers=["Ann Lee", "Bob"])
    assert [(one.start_s, one.speaker, one.text[:4]) for one in turns] == [
        (0.5, "Ann Lee", "Say "),
        (2.0, "Bob", "=Yes"),
    ]


# audformat is behind pandas.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_audformat_parquet_and_data_frames_have_every_turn(tmp_path: Path) -> None:
    audformat = pytest.importorskip("audformat")
    write_results([call()], "audformat", tmp_path / "database")
    database = audformat.Database.load(str(tmp_path / "database"))
    assert sorted(database.tables) == ["emotion", "emotion-same-times-2"]
    frame = database["emotion"].get()
    assert list(frame["speaker"].fillna("")) == ["Ann Lee", "Bob", "Bob", ""]
    assert list(database["emotion-same-times-2"].get()["speaker"]) == ["Eve"]
    assert list(frame["reason"].fillna(""))[:3] == ["", "unfamiliar speech", "too short"]
    parquet = pytest.importorskip("pyarrow.parquet")
    write_results([call()], "parquet", tmp_path / "call.parquet")
    table = parquet.read_table(tmp_path / "call.parquet").to_pylist()
    assert [row["speaker"] or "" for row in table] == SPEAKERS
    assert table[1]["unfamiliar"] == pytest.approx(0.99)
    assert list(to_dataframe(call())["text"].fillna(""))[1] == "=Yes."


def test_an_annotation_has_every_classified_turn() -> None:
    pytest.importorskip("pyannote.core")
    tracks = list(to_annotation(call()).itertracks(yield_label=True))
    assert [(span.start, track, label) for span, track, label in tracks] == [
        (0.5, "Ann Lee", "anger"), (2.0, "Bob", "anger"), (2.0, "Eve", "anger"), (4.5, tracks[3][1], "anger"),
    ]  # fmt: skip
