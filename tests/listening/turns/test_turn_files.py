"""Files of turns, as diarizers, transcribers and annotation tools write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emotone.errors import TurnsError
from emotone.listening.turns.files import as_turns, parse_turns, read_turns
from emotone.listening.turns.turn import Turn

# The segments that the written files below all hold.
ANN = Turn(0.5, 2.25, "SPEAKER_00", "Hello there.")
BOB = Turn(2.0, 3.5, "SPEAKER_01", "Yes & no <really>.")

# openai/whisper `WriteJSON` writes what transcribe() gave.
WHISPER_JSON = {
    "text": " Hello there. Yes & no <really>.",
    "segments": [
        {
            "id": 0,
            "seek": 0,
            "start": 0.5,
            "end": 2.25,
            "text": " Hello there.",
            "tokens": [50364, 2425, 456, 13, 50451],
            "temperature": 0.0,
            "avg_logprob": -0.21,
            "compression_ratio": 0.9,
            "no_speech_prob": 0.02,
        },
        {"id": 1, "seek": 0, "start": 2.0, "end": 3.5, "text": " Yes & no <really>.", "tokens": [1]},
    ],
    "language": "en",
}

# m-bain/whisperX after assign_word_speakers; a word that could not be aligned has no times.
WHISPERX_JSON = {
    "segments": [
        {
            "start": 0.5,
            "end": 2.25,
            "text": " Hello there.",
            "words": [
                {"word": "Hello", "start": 0.5, "end": 1.0, "score": 0.9, "speaker": "SPEAKER_00"},
                {"word": "there."},
            ],
            "speaker": "SPEAKER_00",
        },
        {"start": 2.0, "end": 3.5, "text": " Yes & no <really>.", "words": [], "speaker": "SPEAKER_01"},
    ],
    "word_segments": [{"word": "Hello", "start": 0.5, "end": 1.0, "score": 0.9, "speaker": "SPEAKER_00"}],
    "language": "en",
}

WHISPER_CPP_JSON = {
    "systeminfo": "AVX = 1",
    "transcription": [
        {
            "timestamps": {"from": "00:00:00,500", "to": "00:00:02,250"},
            "offsets": {"from": 500, "to": 2250},
            "text": " Hello there.",
        },
    ],
}

WHISPERX_SRT = (
    "1\n00:00:00,500 --> 00:00:02,250\n[SPEAKER_00]: Hello there.\n\n"
    "2\n00:00:02,000 --> 00:00:03,500\n[SPEAKER_01]: Yes & no <really>.\n\n"
)

# openai/whisper leaves the hours out of WebVTT.
WHISPER_VTT = "WEBVTT\n\n00:00.500 --> 00:02.250\nHello there.\n\n00:02.000 --> 00:03.500\nYes & no -&gt; really.\n\n"

WHISPER_TSV = "start\tend\ttext\n500\t2250\tHello there.\n2000\t3500\tYes & no <really>.\n"

PYANNOTE_RTTM = (
    "SPEAKER call 1 0.500 1.750 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
    "SPEAKER call 1 2.000 1.500 <NA> <NA> SPEAKER_01 <NA> <NA>\n"
)

# pyannote.audio 4 and pyannoteAI.
PYANNOTE_JSON = {
    "diarization": [{"start": 0.5, "end": 2.25, "speaker": "SPEAKER_00"}],
    "exclusive_diarization": [],
}


def times(turns: object) -> list[tuple[float, float]]:
    return [(turn.start_s, turn.end_s) for turn in turns]  # type: ignore[attr-defined]


def parsed(content: object, **options: object) -> list[Turn]:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return parse_turns(text.encode(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [WHISPERX_JSON, WHISPERX_SRT])
def test_a_transcript_with_speakers_keeps_times_speakers_and_text(content: object) -> None:
    turns = parsed(content)
    assert turns[0] == ANN
    assert (turns[1].start_s, turns[1].end_s, turns[1].speaker) == (2.0, 3.5, "SPEAKER_01")
    assert turns[1].text.startswith("Yes & no")


def test_whisper_json_has_text_and_no_speakers() -> None:
    assert parsed(WHISPER_JSON) == [Turn(0.5, 2.25, "", ANN.text), Turn(2.0, 3.5, "", BOB.text)]


def test_whisper_tsv_is_in_milliseconds() -> None:
    assert parsed(WHISPER_TSV) == parsed(WHISPER_JSON)


def test_whisper_webvtt_without_hours_is_read_and_entities_are_decoded() -> None:
    assert parsed(WHISPER_VTT) == [Turn(0.5, 2.25, "", "Hello there."), Turn(2.0, 3.5, "", "Yes & no -> really.")]


def test_whisper_cpp_json_is_in_milliseconds() -> None:
    assert parsed(WHISPER_CPP_JSON) == [Turn(0.5, 2.25, "", "Hello there.")]


def test_the_transformers_pipeline_leaves_the_last_end_open() -> None:
    turns = parsed({"text": "a b", "chunks": [{"timestamp": [0.0, 1.5], "text": " a"}, {"timestamp": [1.5, None]}]})
    assert times(turns) == [(0.0, 1.5), (1.5, float("inf"))]


def test_pyannote_json_gives_speakers() -> None:
    assert parsed(PYANNOTE_JSON) == [Turn(0.5, 2.25, "SPEAKER_00")]
    assert parsed({"output": PYANNOTE_JSON, "status": "succeeded"}) == [Turn(0.5, 2.25, "SPEAKER_00")]


def test_rttm_as_text_and_as_pyannote_writes_it(tmp_path: Path) -> None:
    core = pytest.importorskip("pyannote.core")
    annotation = core.Annotation(uri="call")
    annotation[core.Segment(0.5, 2.25), "A"] = "SPEAKER_00"
    annotation[core.Segment(2.0, 3.5), "B"] = "SPEAKER_01"
    path = tmp_path / "call.rttm"
    with path.open("w") as file:
        annotation.write_rttm(file)
    expected = (Turn(0.5, 2.25, "SPEAKER_00"), Turn(2.0, 3.5, "SPEAKER_01"))
    assert read_turns(path) == expected == tuple(parsed(PYANNOTE_RTTM)) == as_turns(annotation)


def test_rttm_of_several_recordings_gives_those_of_the_one_asked_for() -> None:
    both = PYANNOTE_RTTM + "SPEAKER other 1 9.000 1.000 <NA> <NA> eve <NA> <NA>\n"
    assert len(parsed(both, recording="calls/call.wav")) == 2
    assert parsed(both, recording="other.mp3") == [Turn(9.0, 10.0, "eve")]
    with pytest.raises(TurnsError, match=r"no turns for third\.wav"):
        parsed(both, recording="third.wav")
    with pytest.raises(TurnsError, match="2 recordings"):
        parsed(both)


def test_webvtt_as_webvtt_py_writes_it_with_voices(tmp_path: Path) -> None:
    webvtt = pytest.importorskip("webvtt")
    captions = webvtt.WebVTT()
    captions.captions.append(webvtt.Caption("00:00:00.500", "00:00:02.250", "<v SPEAKER_00>Hello <b>there</b>.</v>"))
    path = tmp_path / "call.vtt"
    captions.save(str(path))
    assert read_turns(path) == (ANN,)


def test_webvtt_notes_styles_and_settings_are_no_turns() -> None:
    text = (
        "WEBVTT - a title\nKind: captions\n\nNOTE a --> b\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:00:00.500 --> 00:00:02.250 align:start position:0%\n<v.loud Ann Lee>Hello\nthere.\n"
    )
    assert parsed(text) == [Turn(0.5, 2.25, "Ann Lee", "Hello there.")]


def test_subrip_with_windows_line_ends_tags_and_an_old_code_page() -> None:
    content = "1\r\n00:00:00,500 --> 00:00:02,250\r\n<i>Grüß\r\ndich.</i>\r\n\r\n".encode("cp1252")
    assert parse_turns(content) == [Turn(0.5, 2.25, "", "Grüß dich.")]


@pytest.mark.parametrize("form", ["short_textgrid", "long_textgrid"])
def test_textgrid_as_praatio_writes_it(tmp_path: Path, form: str) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("Ann", [(0.5, 2.25, 'say "hi" [2] 3.5')], 0, 4))
    grid.addTier(textgrid.IntervalTier("Bob", [(2.0, 3.5, "Yes.")], 0, 4))
    grid.addTier(textgrid.PointTier("clicks", [(1.0, "x")], 0, 4))
    path = tmp_path / "call.TextGrid"
    grid.save(str(path), form, includeBlankSpaces=True)
    ann = Turn(0.5, 2.25, "Ann", 'say "hi" [2] 3.5')
    assert read_turns(path, tiers=["Ann"]) == (ann,)
    assert read_turns(path, tiers=["Bob", "Ann"]) == (Turn(2.0, 3.5, "Bob", "Yes."), ann)
    with pytest.raises(TurnsError, match=r"'Ann', 'Bob'.*--tier"):
        read_turns(path)
    with pytest.raises(TurnsError, match="no interval tier 'clicks'"):
        read_turns(path, tiers=["clicks"])


def test_textgrid_in_utf_16_as_praat_writes_it() -> None:
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = 4 \ntiers? <exists> \nsize = 1 \n'
        'item []: \n    item [1]:\n        class = "IntervalTier" \n        name = "speech" \n        xmin = 0 \n'
        "        xmax = 4 \n        intervals: size = 2 \n        intervals [1]:\n            xmin = 0 \n"
        '            xmax = 0.5 \n            text = "" \n        intervals [2]:\n            xmin = 0.5 \n'
        '            xmax = 4 \n            text = "świetnie" \n'
    )
    assert parse_turns(text.encode("utf-16")) == [Turn(0.5, 4.0, "speech", "świetnie")]


def test_an_audformat_database_and_its_table(tmp_path: Path) -> None:
    audformat = pytest.importorskip("audformat")
    database = audformat.Database("calls")
    database.schemes["speaker"] = audformat.Scheme("str")
    database["files"] = audformat.Table(audformat.filewise_index(["call.wav"]))
    table = database["turns"] = audformat.Table(
        audformat.segmented_index(
            ["call.wav", "call.wav", "x/other.wav"], ["0.5s", "2s", "0s"], ["2.25s", "3.5s", None]
        )
    )
    table["speaker"] = audformat.Column(scheme_id="speaker")
    table["speaker"].set(["SPEAKER_00", "SPEAKER_01", "eve"])
    database.save(str(tmp_path / "csv"), storage_format="csv")
    database.save(str(tmp_path / "parquet"), storage_format="parquet")
    expected = (Turn(0.5, 2.25, "SPEAKER_00"), Turn(2.0, 3.5, "SPEAKER_01"))
    for place in ("csv", "csv/db.turns.csv", "parquet", "parquet/db.turns.parquet"):
        assert read_turns(tmp_path / place, recording="calls/call.wav") == expected
    assert read_turns(tmp_path / "csv", recording="other.wav") == (Turn(0.0, float("inf"), "eve"),)


@pytest.mark.parametrize(
    "text",
    [
        "start,end,speaker,text\n0.5,2.25,SPEAKER_00,Hello there.\n",
        "start_s;end_s;speaker;text\n0,5;2,25;SPEAKER_00;Hello there.\n",
        "text\tspeaker\tonset\tduration\nHello there.\tSPEAKER_00\t0.5\t1.75\n",
        "begin|end|speaker|text\n00:00:00.5|0:00:02.250|SPEAKER_00|Hello there.\n",
        "start_ms,end_ms,speaker,text\n500,2250,SPEAKER_00,Hello there.\n",
    ],
)
def test_csv_by_the_names_of_its_columns(text: str) -> None:
    assert parsed(text) == [ANN]


def test_labels_of_audacity() -> None:
    assert parsed("0.500000\t2.250000\tHello there.\n\\\t100.0\t200.0\n") == [Turn(0.5, 2.25, "", "Hello there.")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a file of turns"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "not a file of turns"),
        (b"name,age\nann,3\n", "not a file of turns"),
        (b'{"text": "no segments"}', "keys text"),
        (b'{"segments": [{"text": "no times"}]}', "entry 1: no start and end"),
        (b'{"segments": [{"start": "soon", "end": 2}]}', "entry 1: a time is 'soon'"),
        (b'{"segments": [{"start": NaN, "end": 2}]}', "entry 1: a turn from nan"),
        (b"start,end\n-1,2\n", "row 1: a turn from -1.0"),
        (b"start,end\n1,later\n", "row 1: a time is 'later'"),
        (b"SPEAKER call 1 zero 1.0 <NA> <NA> ann <NA> <NA>\n", "line 1: a time is 'zero'"),
        (b"SPEAKER call 1 0.0 1.0\n", "line 1 has 5 fields"),
        (b"[1, 2]", "entry 1 is 1"),
        (b"[", "damaged JSON"),
        (b'File type = "ooTextFile"\n"TextGrid"\n0\n4\n<exists>\n1\n"IntervalTier"\n"a"\n0\n4\n9\n0\n', "damaged"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "turns"
    path.write_bytes(content)
    with pytest.raises(TurnsError, match=message) as caught:
        read_turns(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_empty_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TurnsError, match="cannot read the turns"):
        read_turns(tmp_path / "none.rttm")
    with pytest.raises(TurnsError, match="no turns"):
        as_turns([])
    with pytest.raises(TurnsError, match="turn 2 is 'ab'"):
        as_turns([(0, 1), "ab"])
    with pytest.raises(TurnsError, match="not numbers"):
        as_turns([("a", "b")])
    with pytest.raises(TurnsError, match="expected a file"):
        as_turns(3)  # type: ignore[arg-type]


def test_an_endless_number_of_hours_is_refused() -> None:
    with pytest.raises(TurnsError, match="expected seconds, or hh:mm:ss"):
        parse_turns(b"start,end\n" + b"9" * 400 + b":00:00,2\n")
