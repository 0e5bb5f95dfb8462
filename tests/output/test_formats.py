"""Recognitions in every format: read back by the library that owns it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotone import extras
from emotone.errors import MissingExtraError, OutputError
from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment
from emotone.output.annotations import as_rttm, as_textgrid, as_webvtt
from emotone.output.formats import (
    FORMATS,
    TEXT_FORMATS,
    as_text,
    check_format,
    format_of,
    write_results,
    write_table,
)
from emotone.output.names import printable
from emotone.output.objects import SEGMENT_COLUMNS, recording_object
from emotone.output.text import as_csv, as_json, as_jsonl, as_table

ONE_RECORDING = [name for name, one in FORMATS.items() if one.one_recording]
LABELS = ("neutral", "anger")


def recognition(source: str = "clip.wav", *, anger: float = 0.75, unsure: bool = False) -> Recognition:
    shares = {"neutral": 1.0 - anger, "anger": anger}
    return Recognition(
        source, max(shares, key=lambda label: shares[label]), shares, unsure, 1.5, np.zeros(2, np.float32)
    )


def spoken(start_s: float, end_s: float, anger: float, channel: int | None = None, unsure: bool = False) -> Segment:
    shares = {"neutral": 1.0 - anger, "anger": anger}
    return Segment(start_s, end_s, "anger" if anger > 0.5 else "neutral", shares, unsure, channel=channel)


def call(source: str = "calls/first call.wav", *, channels: bool = False) -> Recognition:
    """An hour and a bit: anger, silence, something unsure; with `channels`, the other side is neutral for a while."""
    own = 0 if channels else None
    segments = [
        spoken(0.0, 1.25, 0.75, own),
        Segment(1.25, 2.5, None, speech=False, channel=own),
        spoken(2.5, 4_000.125, 0.375, own, unsure=True),
    ]
    if channels:
        segments.insert(1, spoken(0.0, 4_000.125, 0.25, 1))
    shares = {"neutral": 0.5, "anger": 0.5}
    return Recognition(
        source, "neutral", shares, True, 4_000.125, np.zeros(2, np.float32), tuple(segments), labels=LABELS
    )


def silence() -> Recognition:
    return Recognition("silence.wav", None, {}, True, 60.0, np.zeros(2, np.float32), labels=LABELS)


def test_csv_reads_back_as_it_was() -> None:
    names = ["clip.wav", 'with,comma "and quotes".wav', "two\nlines.wav", "a\rreturn.wav", "emoji 🎤.wav"]
    rows = list(csv.DictReader(io.StringIO(as_csv([recognition(name) for name in names]))))
    assert [row["file"] for row in rows] == names
    assert list(rows[0]) == [*SEGMENT_COLUMNS, "neutral", "anger"]
    assert (rows[0]["emotion"], rows[0]["unsure"], float(rows[0]["anger"])) == ("anger", "false", 0.75)
    assert (float(rows[0]["start_s"]), float(rows[0]["end_s"]), rows[0]["channel"]) == (0.0, 1.5, "")


def test_csv_has_a_row_a_segment() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv([call(channels=True), silence()]))))
    assert [(row["channel"], row["emotion"], row["anger"]) for row in rows] == [
        ("0", "anger", "0.75"),
        ("1", "neutral", "0.25"),
        ("0", "", ""),
        ("0", "neutral", "0.375"),
        ("", "", ""),
    ]


def test_json_reads_back_as_it_was() -> None:
    rows = json.loads(as_json([recognition(unsure=True), recognition("b.wav", anger=0.2), silence()]))
    assert rows[0] == {
        "file": "clip.wav",
        "model": "",
        "labels": ["neutral", "anger"],
        "duration_s": 1.5,
        "emotion": "anger",
        "confidence": 0.75,
        "unsure": True,
        "reason": "",
        "unsure_threshold": None,
        "unfamiliar": None,
        "baseline": None,
        "probabilities": {"neutral": 0.25, "anger": 0.75},
        "narrow_band": False,
        "note": "",
        "segments": [
            {
                "start_s": 0.0,
                "end_s": 1.5,
                "channel": None,
                "emotion": "anger",
                "confidence": 0.75,
                "unsure": True,
                "reason": "",
                "unfamiliar": None,
                "speech": True,
                "speaker": None,
                "text": None,
                "turn": None,
                "baseline": None,
                "note": "",
                "probabilities": {"neutral": 0.25, "anger": 0.75},
            }
        ],
        "channels": [],
        "timeline": {"start_s": [], "end_s": [], "channel": [], "speech": [], "probabilities": []},
    }
    assert rows[1]["emotion"] == "neutral"
    assert (rows[2]["emotion"], rows[2]["probabilities"], rows[2]["segments"][0]["speech"]) == (None, {}, False)


def test_jsonl_is_the_json_line_by_line() -> None:
    both = [call("a\nb.wav"), recognition("b\u2028c.wav")]
    lines = as_jsonl(both).removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == json.loads(as_json(both))


def test_the_table_says_file_emotion_and_each_probability() -> None:
    text = as_table([recognition(unsure=True), recognition("a [bold]b[/bold].wav", anger=0.2)])
    lines = text.splitlines()
    assert lines[0].split() == ["file", "emotion", "neutral", "anger"]
    assert lines[2].split() == ["clip.wav", "anger", "(unsure)", "0.25", "0.75"]
    assert "a [bold]b[/bold].wav" in lines[3]
    assert "\x1b" not in text


def test_the_table_shows_the_segments_of_a_long_recording() -> None:
    lines = [line.split() for line in as_table([call(), silence()]).splitlines()]
    assert lines[2][-4:] == ["neutral", "(unsure)", "0.50", "0.50"]
    assert lines[3] == ["0:00.0", "-", "0:01.2", "anger", "0.25", "0.75"]
    assert lines[4] == ["0:01.2", "-", "0:02.5", "no", "speech"]
    assert lines[5] == ["0:02.5", "-", "1:06:40.1", "neutral", "(unsure)", "0.62", "0.38"]
    assert lines[6] == ["silence.wav", "no", "speech"]


def test_a_narrow_terminal_folds_the_table_and_loses_no_letter() -> None:
    text = as_table([recognition("a" * 50 + ".wav")], width=50, colour=True)
    assert "\x1b[" in text
    assert text.count("a" * 5) >= 5


def test_a_terminal_of_80_columns_shows_six_classes_without_cutting_a_word() -> None:
    shares = {"neutral": 0.4, "happiness": 0.3, "sadness": 0.1, "anger": 0.1, "fear": 0.05, "disgust": 0.05}
    six = Recognition(
        "clip.wav", "neutral", shares, True, 1.5, np.zeros(2, np.float32), reason="unfamiliar speech", unfamiliar=0.9
    )
    text = as_table([six], width=80)
    assert "…" not in text
    assert text.splitlines()[0].split() == ["file", "emotion", "probabilities"]
    assert "neutral (unsure: unfamiliar speech)   0.40 neutral" in text
    assert "0.30 happiness" in text
    assert all(label in as_table([six], width=130).splitlines()[0] for label in shares)


@pytest.mark.parametrize("width", [None, 60, 100])
def test_a_note_spans_the_columns_of_the_table(width: int | None) -> None:
    words = "a note of so many words that it would make the first column as wide as it is itself, or fold it into rags"
    noted = replace(recognition(), note=words)
    lines = as_table([noted, recognition("b.wav")], width=width).splitlines()
    assert max(map(len, lines[:3])) <= 60
    assert max(map(len, lines)) <= (width or 10_000)
    assert " ".join(line.strip() for line in lines[3:-1]) == words
    assert lines[-1].startswith(" b.wav")


def test_rttm_is_read_by_pyannote(tmp_path: Path) -> None:
    from pyannote.database.util import load_rttm

    path = tmp_path / "calls.rttm"
    write_results([call(), recognition("other.wav"), silence()], "rttm", path)
    read = load_rttm(path)
    assert sorted(read) == ["first_call", "other"]
    tracks = [(one.start, one.end, label) for one, _, label in read["first_call"].itertracks(yield_label=True)]
    assert tracks == [(0.0, 1.25, "anger"), (2.5, 4_000.125, "neutral")]
    own = call().to_annotation()
    own.uri = "first_call"
    assert [(one, label) for one, _, label in own.itertracks(yield_label=True)] == [
        (one, label) for one, _, label in read["first_call"].itertracks(yield_label=True)
    ]


def test_rttm_counts_channels_from_one() -> None:
    assert [line.split()[2] for line in as_rttm([call(channels=True)]).splitlines()] == ["1", "2", "1"]


@pytest.mark.parametrize("channels", [False, True])
def test_textgrid_is_read_by_praatio(tmp_path: Path, channels: bool) -> None:
    from praatio import textgrid

    path = tmp_path / "call.TextGrid"
    write_results([call(channels=channels)], "textgrid", path)
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    names = ["emotion 1", "probability 1", "emotion 2", "probability 2"] if channels else ["emotion", "probability"]
    assert list(grid.tierNames) == names
    assert grid.maxTimestamp == 4_000.125
    first = [(one.start, one.end, one.label) for one in grid.getTier(names[0]).entries]
    assert first == [(0.0, 1.25, "anger"), (1.25, 2.5, ""), (2.5, 4_000.125, "neutral")]
    assert [one.label for one in grid.getTier(names[1]).entries] == ["0.750", "", "0.625"]


def test_webvtt_is_read_by_webvtt(tmp_path: Path) -> None:
    import webvtt

    path = tmp_path / "call.vtt"
    write_results([call()], "webvtt", path)
    cues = [(cue.start, cue.end, cue.text) for cue in webvtt.read(str(path))]
    assert cues == [
        ("00:00:00.000", "00:00:01.250", "anger 75 %"),
        ("00:00:02.500", "01:06:40.125", "perhaps neutral 62 %"),
    ]
    write_results([call(channels=True)], "webvtt", path)
    assert [(cue.voice, cue.text) for cue in webvtt.read(str(path))][1] == ("channel 2", "neutral 75 %")


def test_parquet_is_read_by_pyarrow(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "results.parquet"
    write_results([call(channels=True), silence(), recognition("stray-\udcff-byte.wav")], "parquet", path)
    table = pq.read_table(path)
    assert table.column_names[:6] == ["file", "start_s", "end_s", "channel", "emotion", "unsure"]
    assert table["emotion"].to_pylist() == ["anger", "neutral", None, "neutral", None, "anger"]
    assert table["channel"].to_pylist() == [0, 1, 0, 0, None, None]
    assert table["anger"].to_pylist() == [0.75, 0.25, None, 0.375, None, 0.75]
    assert table["end_s"].to_pylist()[0] == 1.25
    write_results([silence()], "parquet", path)
    assert pq.read_table(path).schema == table.schema


# audformat is behind pandas.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_audformat_is_read_by_audformat(tmp_path: Path) -> None:
    import audformat

    folder = tmp_path / "database"
    write_results([call(), recognition("other.wav"), silence()], "audformat", folder)
    database = audformat.Database.load(str(folder))
    table = database["emotion"].get()
    assert table.index.get_level_values("file").tolist() == ["calls/first call.wav"] * 2 + ["other.wav"]
    assert table.index.get_level_values("end").total_seconds().tolist() == [1.25, 4_000.125, 1.5]
    assert table["emotion"].tolist() == ["anger", "neutral", "anger"]
    assert table["unsure"].tolist() == [False, True, False]
    assert table["probability"].tolist() == [0.75, 0.625, 0.75]
    assert list(database.schemes["emotion"].labels) == list(LABELS)
    with pytest.raises(OutputError, match="there already"):
        write_results([call()], "audformat", folder)
    assert [one.name for one in tmp_path.iterdir()] == ["database"]


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_audformat_keeps_the_sides_of_a_call_apart(tmp_path: Path) -> None:
    import audformat

    write_results([call(channels=True)], "audformat", tmp_path / "new" / "database")
    database = audformat.Database.load(str(tmp_path / "new" / "database"))
    assert sorted(database.tables) == ["emotion-0", "emotion-1"]
    assert [len(database[name].get()) for name in sorted(database.tables)] == [2, 1]


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_audformat_takes_sides_that_speak_at_once_and_a_recording_named_twice(tmp_path: Path) -> None:
    import audformat

    both = replace(call(), segments=(spoken(0.0, 1.0, 0.75, channel=0), spoken(0.0, 1.0, 0.25, channel=1)))
    write_results([both, both], "audformat", tmp_path / "database")
    database = audformat.Database.load(str(tmp_path / "database"))
    assert database["emotion-0"].get()["emotion"].tolist() == ["anger"]
    assert database["emotion-1"].get()["emotion"].tolist() == ["neutral"]


def test_rttm_has_an_id_for_each_recording() -> None:
    sources = ["a/call.wav", "b/call.wav", "b/call.mp3", "b/call one.wav", "b/call_one.wav", "a/call.wav"]
    lines = as_rttm([recognition(source) for source in sources]).splitlines()
    ids = [line.split()[1] for line in lines]
    assert all(len(line.split()) == 10 for line in lines)
    assert ids[:3] == ["a_call.wav", "b_call.wav", "call.mp3"]
    assert ids[0] == ids[5]
    assert len(set(ids)) == 5


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_has_no_formulas_unless_it_is_asked_for_as_it_is(first: str, tmp_path: Path) -> None:
    name = f"{first}cmd|'/c calc'!A1.wav"
    one = recognition(name)
    assert next(csv.DictReader(io.StringIO(as_csv([one]), newline="")))["file"] == f"'{name}"
    assert next(csv.DictReader(io.StringIO(as_text([one], "csv-raw"), newline="")))["file"] == name
    table = tmp_path / "many.csv"
    write_table(table, table, [recording_object(one)], LABELS)
    with table.open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["file"] == f"'{name}"


def test_labels_of_any_letters_do_not_break_a_format() -> None:
    segment = replace(spoken(0.0, 1.0, 0.75), emotion='very "happy" <b>')
    one = replace(call(), segments=(segment,))
    assert len(as_rttm([one]).split()) == 10
    assert 'text = "very ""happy"" <b>"' in as_textgrid([one])
    assert '\nvery "happy" &lt;b&gt; 75 %' in as_webvtt([one])


def test_a_data_frame_has_a_row_a_segment() -> None:
    frame = call(channels=True).to_dataframe()
    assert frame["emotion"].fillna("").tolist() == ["anger", "neutral", "", "neutral"]
    assert frame["channel"].tolist() == [0, 1, 0, 0]
    assert frame["anger"].isna().tolist() == [False, False, True, False]
    assert frame.dtypes["anger"].kind == "f"
    assert silence().to_dataframe()["channel"].isna().all()


@pytest.mark.parametrize("kind", TEXT_FORMATS)
def test_a_name_of_stray_bytes_can_still_be_written(kind: str) -> None:
    text = as_text([recognition("stray-\udcff-byte.wav")], kind)
    if kind not in ONE_RECORDING:
        assert "stray-" in text.encode("utf-8").decode("utf-8")
    assert text.endswith("\n")


@pytest.mark.parametrize("kind", TEXT_FORMATS)
def test_no_recognitions_and_no_speech_are_no_error(kind: str) -> None:
    assert as_text([], kind).endswith("\n")
    assert as_text([silence()], kind).endswith("\n")


def test_a_format_for_one_recording_refuses_two() -> None:
    for write in (as_textgrid, as_webvtt):
        with pytest.raises(OutputError, match="got 2"):
            write([recognition(), recognition()])
    for kind in ONE_RECORDING:
        with pytest.raises(OutputError, match="got 2"):
            check_format(kind, n_recordings=2, output=None)


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - set(TEXT_FORMATS)))
def test_a_format_that_is_no_text_wants_a_file(kind: str) -> None:
    with pytest.raises(OutputError, match="--output"):
        check_format(kind, n_recordings=1, output=None)


@pytest.mark.parametrize("kind", [name for name, one in FORMATS.items() if one.library])
def test_without_its_library_a_format_names_the_extra(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"emotone\[formats\]"):
        check_format(kind, n_recordings=1, output="results")


def test_without_its_library_a_method_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        if "." in name:
            raise ModuleNotFoundError(name)

    monkeypatch.setattr(extras, "find_spec", absent)
    for method in (recognition().to_dataframe, recognition().to_annotation):
        with pytest.raises(MissingExtraError, match=r"emotone\[formats\]"):
            method()


def test_every_suffix_asks_for_one_format_only() -> None:
    suffixes = [suffix for one in FORMATS.values() for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    for suffix in suffixes:
        assert suffix in format_of(f"calls{suffix.upper()}").suffixes  # type: ignore[union-attr]


def test_terminal_codes_in_a_name_are_shown_not_obeyed() -> None:
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert "\x1b" not in as_table([recognition("\x1b[31mred.wav")])
