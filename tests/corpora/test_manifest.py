"""Manifests of the user's own."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pytest

from emotone.corpora import manifest, protocol_folds, read_corpus
from emotone.corpora.release import ABSENT, EMPTY
from emotone.corpora.utterance import Corpus, Utterance
from emotone.errors import ManifestError, MissingExtraError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "audio").mkdir()
    for name in "abcd":
        (tmp_path / "audio" / f"{name}.wav").write_bytes(b"some bytes")
    return tmp_path


def write_csv(folder: Path, text: str, name: str = "mine.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.fixture
def corpus(folder):
    utterances = (
        Utterance("one", folder / "audio/a.wav", "anger", "Zoë", text='said "no", twice\nand left', sex="female"),
        Utterance("two", folder / "audio/b.wav", "neutral", "Bob", start_s=0.25, end_s=1.5, session="1", style="acted"),
        Utterance("two-b", folder / "audio/b.wav", "happiness", "Bob", start_s=1.5, phonemes=("AH", "B"), sex="male"),
    )
    return Corpus("mine", utterances, ("neutral", "happiness", "anger"), "unstated")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_what_is_written_is_read_again(corpus, folder, suffix):
    manifest.write(corpus, folder / f"mine{suffix}")
    assert manifest.read(folder / f"mine{suffix}") == corpus


def test_three_columns_are_enough(folder):
    corpus = read_corpus(
        "manifest", write_csv(folder, "path,emotion,speaker\naudio/a.wav,Angry,ann\naudio/b.wav,sad,bob\n")
    )
    assert corpus.name == "mine"
    assert corpus.classes == ("sadness", "anger")
    assert [(u.id, u.emotion, u.speaker) for u in corpus.utterances] == [
        ("audio/a.wav", "anger", "ann"),
        ("audio/b.wav", "sadness", "bob"),
    ]


def test_unknown_emotions_are_kept_and_those_close_to_a_known_one_are_noted(folder):
    rows = "".join(
        f"audio/{name}.wav,{emotion},x\n" for name, emotion in zip("abc", ("stressed", "angery", "SAD"), strict=True)
    )
    corpus = manifest.read(write_csv(folder, f"path,emotion,speaker\n{rows}"))
    assert corpus.classes == ("sadness", "angery", "stressed")
    (note,) = corpus.notes
    assert "if you mean 'anger', use --map 'angery=anger'" in note


def test_rules_apply_to_labels_as_they_are_written_before_synonyms(folder):
    rows = "".join(
        f"audio/{name}.wav,{emotion},x\n" for name, emotion in zip("abc", ("Joy", "happy", "annoyed"), strict=True)
    )
    table = write_csv(folder, f"path,emotion,speaker\n{rows}")
    corpus = read_corpus("manifest", table, labels={"joy": "delight", "annoyed": "angry"})
    assert [utterance.emotion for utterance in corpus.utterances] == ["delight", "happiness", "anger"]
    assert read_corpus("manifest", table, labels={"joy": "joy"}).classes == ("happiness", "annoyed", "joy")


def test_a_rule_that_no_label_matches_is_noted(folder):
    corpus = manifest.read(write_csv(folder, "path,emotion,speaker\naudio/a.wav,sad,x\n"), labels={"anoyed": "anger"})
    assert corpus.notes == ("the rule for 'anoyed' was not used: no label is written so",)


def test_columns_may_come_in_any_order_with_others_between_and_a_byte_order_mark(folder):
    text = "\ufeffspeaker, path ,note,emotion\n ann ,audio/a.wav,hello,anger\n"
    (utterance,) = manifest.read(write_csv(folder, text)).utterances
    assert utterance.speaker == "ann"
    assert utterance.path == folder / "audio/a.wav"


def test_stretches_of_one_file_get_ids_of_their_own(folder):
    text = "path,emotion,speaker,start,end\naudio/a.wav,anger,ann,0,1.5\naudio/a.wav,sad,bob,1.5,\n"
    corpus = manifest.read(write_csv(folder, text))
    assert [utterance.id for utterance in corpus.utterances] == ["audio/a.wav#0-1.5", "audio/a.wav#1.5-"]
    assert corpus.utterances[1].end_s is None


def test_absolute_paths_are_kept(folder):
    (utterance,) = manifest.read(write_csv(folder, f"path,emotion,speaker\n{folder}/audio/a.wav,anger,x\n")).utterances
    assert utterance.path == folder / "audio/a.wav"


def test_absent_and_empty_recordings_are_left_out_and_counted(folder):
    (folder / "audio/b.wav").write_bytes(b"")
    text = "path,emotion,speaker\n" + "".join(f"audio/{name}.wav,anger,x\n" for name in "abz")
    corpus = manifest.read(write_csv(folder, text))
    assert len(corpus.utterances) == 1
    assert corpus.dropped == {ABSENT: 1, EMPTY: 1}


def test_a_manifest_without_any_recording_says_where_it_looked(folder):
    with pytest.raises(ManifestError, match="none of its 1 recordings is there; paths are relative"):
        manifest.read(write_csv(folder, "path,emotion,speaker\nnowhere.wav,anger,x\n"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("audio/a.wav,an\x07ger,x,,,", r"row 2: got 'an\\x07ger' as a label; expected 1 to 60 printable characters"),
        ("audio/a.wav,anger,,,,", "row 2: speaker is missing"),
        (",anger,x,,,", "row 2: path is missing"),
        ("audio/a.wav,anger,x,soon,,", "row 2: start is 'soon'; expected seconds"),
        ("audio/a.wav,anger,x,-1,,", "row 2: start is -1; expected seconds of 0 or more"),
        ("audio/a.wav,anger,x,nan,,", "row 2: start is nan"),
        ("audio/a.wav,anger,x,2,1,", r"row 2: end \(1.0 s\) is not after start \(2.0 s\)"),
        ("audio/a.wav,anger,x,,,robot", "row 2: sex is 'robot'"),
        ("audio/a.wav,anger", "row 2: speaker is missing"),
    ],
)
def test_an_impossible_row_is_named_with_its_number(folder, row, said):
    with pytest.raises(ManifestError, match=said):
        manifest.read(write_csv(folder, f"path,emotion,speaker,start,end,sex\n{row}\n"))


def test_a_missing_column_is_named(folder):
    with pytest.raises(ManifestError, match="lacks the columns emotion, speaker; it has file, path"):
        manifest.read(write_csv(folder, "file,path\nx,audio/a.wav\n"))


def test_a_repeated_id_is_named(folder):
    with pytest.raises(ManifestError, match=r"row 3: id 'audio/a\.wav' is already in row 2"):
        manifest.read(write_csv(folder, "path,emotion,speaker\naudio/a.wav,anger,x\naudio/a.wav,sad,x\n"))


@pytest.mark.parametrize("text", ["", "path,emotion,speaker\n"])
def test_an_empty_manifest_is_refused(folder, text):
    with pytest.raises(ManifestError, match=r"lacks the columns|has no rows"):
        manifest.read(write_csv(folder, text))


def test_unknown_suffixes_and_absent_manifests_are_refused(folder):
    with pytest.raises(ManifestError, match=r"unknown suffix '\.xlsx'"):
        manifest.read(folder / "mine.xlsx")
    with pytest.raises(ManifestError, match="no such manifest"):
        manifest.read(folder / "mine.csv")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00binary", b"path,emotion,speaker\n\x80\x81,anger,x\n"])
def test_bytes_that_are_no_text_are_refused(folder, content):
    (folder / "mine.csv").write_bytes(content)
    with pytest.raises(ManifestError, match="cannot be read"):
        manifest.read(folder / "mine.csv")


@pytest.mark.parametrize("line", ["{not json}", '["a", "list"]'])
def test_a_broken_line_of_json_is_named(folder, line):
    first = json.dumps({"path": "audio/a.wav", "emotion": "anger", "speaker": 7})
    (folder / "mine.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(ManifestError, match="row 2"):
        manifest.read(folder / "mine.jsonl")


def test_numbers_serve_as_speakers(folder):
    (folder / "mine.jsonl").write_text(json.dumps({"path": "audio/a.wav", "emotion": "anger", "speaker": 7}))
    assert manifest.read(folder / "mine.jsonl").speakers == ("7",)


def test_a_file_that_is_no_parquet_is_refused(folder):
    (folder / "mine.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(ManifestError, match="is not a Parquet file"):
        manifest.read(folder / "mine.parquet")


def test_parquet_without_its_extra_says_what_to_install(corpus, folder, monkeypatch):
    (folder / "mine.parquet").write_bytes(b"")
    real = builtins.__import__

    def refuse(name, *rest, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'emotone\[formats\]'"):
        manifest.read(folder / "mine.parquet")
    with pytest.raises(MissingExtraError, match="formats"):
        manifest.write(corpus, folder / "mine.parquet")


def test_a_manifest_is_split_by_speaker(folder):
    text = "path,emotion,speaker\n" + "".join(f"audio/{name}.wav,anger,{name}\n" for name in "abcd")
    folds = protocol_folds(manifest.read(write_csv(folder, text)))
    assert folds.protocol == "group-k"
    assert len(folds.folds) == 4
