"""The IEMOCAP reader, on a made-up tree in its layout."""

from __future__ import annotations

from collections import Counter

import pytest

from corpora.iemocap_tree import build_iemocap
from emotone.corpora import protocol_folds, read_corpus
from emotone.corpora.check import check
from emotone.corpora.readers import iemocap
from emotone.corpora.release import ABSENT, EMPTY
from emotone.emotions import FOUR_CLASSES
from emotone.errors import CorpusError, CorpusNotFoundError


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("iemocap") / "IEMOCAP_full_release"
    return root, build_iemocap(root)


def test_improvised_turns_in_four_classes_are_the_default(tree):
    root, made = tree
    corpus = read_corpus("iemocap", root)
    expected = [turn.id for turn in made if turn.improvised and turn.code in ("neu", "hap", "sad", "ang")]
    assert [utterance.id for utterance in corpus.utterances] == sorted(expected)
    assert corpus.classes == FOUR_CLASSES
    assert {utterance.style for utterance in corpus.utterances} == {"improvised"}
    assert corpus.sentences_shared is False


def test_the_folder_above_will_do(tree):
    root, _ = tree
    assert len(iemocap.read(root.parent).utterances) == len(iemocap.read(root).utterances)


@pytest.mark.parametrize(("style", "n_dialogs"), [("improvised", 2), ("scripted", 1), ("both", 3)])
def test_styles_can_be_chosen(tree, style, n_dialogs):
    root, _ = tree
    assert len(iemocap.read(root, style=style, four_class=False).utterances) == n_dialogs * 5 * 14


def test_the_turn_tells_who_speaks_not_the_markers(tree):
    root, made = tree
    speakers = {turn.id: turn.speaker for turn in made}
    corpus = iemocap.read(root, style="both", four_class=False)
    assert all(utterance.speaker == speakers[utterance.id] for utterance in corpus.utterances)
    worn_by_her = [utterance for utterance in corpus.utterances if utterance.id.startswith("Ses01F_impro01_M")]
    assert {(utterance.speaker, utterance.sex) for utterance in worn_by_her} == {("Ses01M", "male")}


def test_excitement_can_be_counted_as_happiness(tree):
    root, _ = tree
    apart = Counter(utterance.emotion for utterance in iemocap.read(root).utterances)
    merged = Counter(utterance.emotion for utterance in iemocap.read(root, merge_excitement=True).utterances)
    assert merged["happiness"] == 2 * apart["happiness"]
    every = iemocap.read(root, merge_excitement=True, four_class=False)
    assert "excitement" not in every.classes


def test_all_labels_are_kept_on_request(tree):
    root, _ = tree
    corpus = iemocap.read(root, four_class=False)
    assert corpus.classes == (*FOUR_CLASSES, "excitement", "frustration", "undecided")


def test_labels_outside_the_task_are_counted(tree):
    root, _ = tree
    assert iemocap.read(root).dropped["class frustration is not part of the task"] == 20


def test_phones_and_words_are_read(tree):
    root, made = tree
    turns = {turn.id: turn for turn in made}
    corpus = iemocap.read(root, phonemes=True)
    assert all(utterance.phonemes == turns[utterance.id].phones for utterance in corpus.utterances)
    assert all(utterance.text == turns[utterance.id].words for utterance in corpus.utterances)


def test_an_alignment_is_read_leniently(tmp_path):
    file = tmp_path / "x.phseg"
    file.write_text("\tSFrm EFrm SegAScr Phone\n 0 3 -5 SIL\n\n 4 9 -77 EH SIL K b\nnoise\n Total score: -3 4\n")
    assert iemocap.read_phonemes(file) == ("SIL", "EH")
    assert iemocap.read_phonemes(tmp_path / "none.phseg") is None


@pytest.mark.parametrize(("protocol", "n_folds", "n_train"), [("iemocap-5", 5, 6), ("iemocap-10", 10, 8)])
def test_its_protocols_keep_speakers_apart(tree, protocol, n_folds, n_train):
    root, _ = tree
    folds = protocol_folds(iemocap.read(root), protocol).folds
    assert len(folds) == n_folds
    assert all(len(fold.train) == n_train for fold in folds)
    if protocol == "iemocap-10":
        assert all({*fold.test, *fold.validation} == {fold.test[0][:5] + sex for sex in "FM"} for fold in folds)
    else:
        assert folds[4].test == ("Ses05F", "Ses05M")
        assert folds[4].validation == ("Ses01F", "Ses01M")


def test_the_official_counts_agree_with_each_other():
    assert sum(iemocap.COUNTS.values()) == 10_039
    totals = Counter()
    for counts in iemocap.IMPROVISED_COUNTS.values():
        totals.update(counts)
    assert totals["all turns"] == 4784
    assert [totals[emotion] for emotion in FOUR_CLASSES] == [1099, 284, 608, 289]
    assert totals["excitement"] == 663


def test_a_partial_tree_is_read_and_the_difference_reported(tmp_path):
    root = tmp_path / "IEMOCAP_full_release"
    build_iemocap(root, sessions=2)
    lost = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    lost.unlink()
    hollow = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M001.wav"
    hollow.write_bytes(b"")
    (lost.parent / "Ses01F_impro01_F099.wav").write_bytes(b"some bytes")
    assert {ABSENT: 1, EMPTY: 1}.items() <= iemocap.read(root).dropped.items()
    report = check("iemocap", root, quick=True)
    assert report.missing == ("Ses01F_impro01_F000",)
    assert report.empty == ("Ses01F_impro01_M001",)
    assert report.extra == ("Ses01F_impro01_F099",)
    assert "Session1, improvised, neutral: 4, official 223" in report.differences
    assert "Session3, improvised, all turns: 0, official 1044" in report.differences
    assert not report.ok


def test_a_folder_without_sessions_is_refused_with_what_was_found(tmp_path):
    (tmp_path / "something").mkdir()
    with pytest.raises(CorpusNotFoundError, match=r"Session1/dialog/EmoEvaluation.*something/"):
        iemocap.read(tmp_path)


def test_unknown_styles_and_labels_are_refused(tree, tmp_path):
    root, _ = tree
    with pytest.raises(CorpusError, match="improvised, scripted, both"):
        iemocap.read(root, style="spontaneous")
    build_iemocap(tmp_path, sessions=1)
    file = tmp_path / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    file.write_text(file.read_text().replace("\tneu\t", "\tzzz\t"))
    with pytest.raises(CorpusError, match="unknown label 'zzz'"):
        iemocap.read(tmp_path)
