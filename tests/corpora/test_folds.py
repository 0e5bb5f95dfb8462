"""Protocols: speakers never meet themselves, and the folds are those that were published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotone.corpora.folds import PARTS, Fold, Split, require_disjoint
from emotone.corpora.protocols import DEFAULT_PROTOCOLS, PROTOCOLS, RAVDESS_FOLDS, protocol_folds
from emotone.corpora.utterance import Corpus, Utterance
from emotone.errors import CorpusError, SpeakerLeakError

CREMA_D = [str(number) for number in range(1001, 1092)]
EMODB = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
NEMO = ["EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"]
RAVDESS = [f"{actor:02}" for actor in range(1, 25)]
OPEN_FOUR = [*(f"crema-d/{speaker}" for speaker in CREMA_D), *(f"emodb/{speaker}" for speaker in EMODB)]
OPEN_SIX = [*OPEN_FOUR, *(f"emogator/{number:06}" for number in range(1, 6))]
SPEAKERS = {
    "iemocap": [f"Ses0{session}{sex}" for session in range(1, 6) for sex in "FM"],
    "emodb": EMODB,
    "ravdess": RAVDESS,
    "crema-d": CREMA_D,
    "nemo": NEMO,
    "open-four": OPEN_FOUR,
    "open-six": OPEN_SIX,
    "research-six": [*OPEN_SIX, *(f"ravdess/{actor}" for actor in RAVDESS), *(f"nemo/{speaker}" for speaker in NEMO)],
    "mine": [f"speaker{number}" for number in range(12)],
}


def corpus_of(name: str, speakers: list[str], sizes: list[int] | None = None) -> Corpus:
    utterances = [
        Utterance(f"{speaker}-{number:03}", Path(f"{speaker}-{number}.wav"), "anger", speaker)
        for speaker, size in zip(speakers, sizes or [3] * len(speakers), strict=True)
        for number in range(size)
    ]
    return Corpus(name, tuple(utterances), ("anger",), "CC0-1.0")


@pytest.fixture(params=[*PROTOCOLS])
def protocol_and_corpus(request):
    name = next((name for name, protocol in DEFAULT_PROTOCOLS.items() if protocol == request.param), "mine")
    name = "iemocap" if request.param == "iemocap-10" else name
    return request.param, corpus_of(name, SPEAKERS[name])


def test_every_utterance_is_in_exactly_one_part_of_each_fold(protocol_and_corpus):
    protocol, corpus = protocol_and_corpus
    for fold in protocol_folds(corpus, protocol).folds:
        split = fold.indices(corpus)
        joined = np.concatenate([split.train, split.validation, split.test])
        assert joined.dtype == np.int64
        assert sorted(joined.tolist()) == list(range(len(corpus.utterances)))


def test_no_speaker_is_on_two_sides(protocol_and_corpus):
    protocol, corpus = protocol_and_corpus
    for fold in protocol_folds(corpus, protocol).folds:
        split = fold.indices(corpus)
        speakers = [{corpus.utterances[place].speaker for place in getattr(split, part)} for part in PARTS]
        assert not speakers[0] & speakers[1]
        assert not speakers[0] & speakers[2]
        assert not speakers[1] & speakers[2]


def test_every_speaker_is_tested_once_but_in_the_single_split(protocol_and_corpus):
    protocol, corpus = protocol_and_corpus
    tested = [speaker for fold in protocol_folds(corpus, protocol).folds for speaker in fold.test]
    single = {"open-four": 19 + 2, "open-six": 19 + 2, "research-six": 19 + 2 + 4 + 1}
    if protocol in single:
        assert len(tested) == len({*tested}) == single[protocol]
    else:
        assert sorted(tested) == sorted(corpus.speakers)


def test_folds_are_speaker_independent(protocol_and_corpus):
    protocol, corpus = protocol_and_corpus
    folds = protocol_folds(corpus, protocol)
    assert folds.speaker_independent
    assert folds.protocol == protocol
    assert [fold.index for fold in folds.folds] == list(range(len(folds.folds)))


def test_emodb_validates_on_the_next_two_speakers():
    folds = protocol_folds(corpus_of("emodb", EMODB)).folds
    assert [fold.test for fold in folds] == [(speaker,) for speaker in EMODB]
    assert folds[0].validation == ("08", "09")
    assert folds[8].validation == ("03", "16")
    assert folds[9].validation == ("03", "08")


def test_ravdess_has_the_published_folds():
    folds = protocol_folds(corpus_of("ravdess", SPEAKERS["ravdess"])).folds
    assert [fold.test for fold in folds] == list(RAVDESS_FOLDS)
    assert [fold.validation for fold in folds] == [*RAVDESS_FOLDS[1:], RAVDESS_FOLDS[0]]


def test_crema_d_deals_out_speakers_by_their_place_in_order():
    folds = protocol_folds(corpus_of("crema-d", CREMA_D)).folds
    assert folds[0].test[:3] == ("1001", "1006", "1011")
    assert folds[0].validation == folds[1].test
    assert folds[4].validation == folds[0].test
    assert [len(fold.test) for fold in folds] == [19, 18, 18, 18, 18]


def test_nemo_leaves_one_speaker_out_and_validates_on_the_next():
    folds = protocol_folds(corpus_of("nemo", SPEAKERS["nemo"])).folds
    assert len(folds) == 9
    assert folds[0].test == ("EB0",)
    assert folds[0].validation == ("IC0",)
    assert folds[8].validation == ("EB0",)


def test_open_four_tests_on_the_first_fold_of_crema_d_and_two_speakers_of_emodb():
    (fold,) = protocol_folds(corpus_of("open-four", SPEAKERS["open-four"])).folds
    own = protocol_folds(corpus_of("crema-d", CREMA_D)).folds[0]
    assert {*fold.test} == {*(f"crema-d/{speaker}" for speaker in own.test), "emodb/03", "emodb/08"}
    assert {"crema-d/1002", "crema-d/1012", "emodb/09"} <= {*fold.validation}
    assert len(fold.validation) == 9 + 1
    assert "crema-d/1007" in fold.train


def test_open_six_tests_and_validates_as_open_four_and_trains_on_every_burst():
    (four,) = protocol_folds(corpus_of("open-four", SPEAKERS["open-four"])).folds
    (six,) = protocol_folds(corpus_of("open-six", SPEAKERS["open-six"])).folds
    assert (six.validation, six.test) == (four.validation, four.test)
    assert {*six.train} - {*four.train} == {f"emogator/{number:06}" for number in range(1, 6)}


def test_research_six_tests_beside_those_of_open_six_a_fold_of_ravdess_and_a_speaker_of_nemo():
    (open_six,) = protocol_folds(corpus_of("open-six", SPEAKERS["open-six"])).folds
    (research,) = protocol_folds(corpus_of("research-six", SPEAKERS["research-six"])).folds
    assert research.validation == open_six.validation
    assert {*research.test} - {*open_six.test} == {*(f"ravdess/{actor}" for actor in RAVDESS_FOLDS[0]), "nemo/WR0"}
    assert {*open_six.train} < {*research.train}


def test_a_speaker_on_two_sides_is_refused():
    with pytest.raises(SpeakerLeakError, match="speakers b are in train and in test too"):
        Fold(0, ("a", "b"), ("c",), ("b",))
    with pytest.raises(SpeakerLeakError, match="validation"):
        Fold(0, ("a",), ("c",), ("c",))


def test_a_split_made_by_hand_is_checked_too():
    corpus = corpus_of("mine", ["a", "b", "c"])
    with pytest.raises(SpeakerLeakError, match="mine: speakers a have utterances in train and in test"):
        require_disjoint(corpus, Split(np.array([0, 1]), np.array([3]), np.array([2])))


def test_a_part_without_speakers_is_refused():
    with pytest.raises(CorpusError, match="no validation speaker"):
        Fold(0, ("a",), (), ("b",))


def test_a_fold_of_another_corpus_is_refused():
    fold = protocol_folds(corpus_of("emodb", EMODB)).folds[0]
    with pytest.raises(CorpusError, match="speaker x of mine is in no part"):
        fold.indices(corpus_of("mine", ["x", "y", "z"]))


def test_a_fixed_protocol_refuses_other_speakers():
    with pytest.raises(CorpusError, match=r"lacks 16; for a part .* group-k"):
        protocol_folds(corpus_of("emodb", EMODB[:-1]))
    with pytest.raises(CorpusError, match="has also x"):
        protocol_folds(corpus_of("emodb", [*EMODB, "x"]))


def test_dropped_utterances_do_not_hinder_a_protocol():
    corpus = corpus_of("emodb", EMODB).where(lambda utterance: utterance.id != "03-000", reason="a trap")
    assert len(protocol_folds(corpus).folds) == 10


def test_unknown_protocols_are_refused_with_what_there_is():
    with pytest.raises(CorpusError, match="expected one of iemocap-5"):
        protocol_folds(corpus_of("mine", ["a", "b", "c"]), "random-10")


def test_the_hash_is_stable_and_changes_with_any_utterance_speaker_protocol_or_seed():
    corpus = corpus_of("mine", SPEAKERS["mine"])
    first = protocol_folds(corpus)
    assert len(first.hash) == 12
    assert int(first.hash, 16) >= 0
    assert first == protocol_folds(corpus)
    fewer = replace(corpus, utterances=corpus.utterances[:-1])
    renamed = replace(corpus, utterances=(replace(corpus.utterances[0], id="another"), *corpus.utterances[1:]))
    hashes = {protocol_folds(other).hash for other in (corpus, fewer, renamed)}
    hashes.add(protocol_folds(corpus, seed=1).hash)
    hashes.add(protocol_folds(corpus, n_folds=4).hash)
    assert len(hashes) == 5


def test_the_hash_does_not_depend_on_the_order_of_utterances():
    corpus = corpus_of("emodb", EMODB)
    assert protocol_folds(replace(corpus, utterances=corpus.utterances[::-1])).hash == protocol_folds(corpus).hash


def test_two_speakers_are_too_few():
    with pytest.raises(CorpusError, match="no speaker-independent score of it is possible"):
        protocol_folds(corpus_of("tess", ["OAF", "YAF"]))


def test_group_k_needs_three_folds():
    with pytest.raises(CorpusError, match="at least 3"):
        protocol_folds(corpus_of("mine", SPEAKERS["mine"]), n_folds=2)


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 40), min_size=3, max_size=30), seed=st.integers(0, 5), n_folds=st.integers(3, 8))
def test_group_k_splits_any_corpus_into_nearly_equal_parts(sizes, seed, n_folds):
    corpus = corpus_of("mine", [f"s{number}" for number in range(len(sizes))], sizes)
    folds = protocol_folds(corpus, "group-k", seed=seed, n_folds=n_folds).folds
    assert len(folds) == min(n_folds, len(sizes))
    tested = [len(fold.indices(corpus).test) for fold in folds]
    assert sum(tested) == sum(sizes)
    assert max(tested) - min(tested) <= max(sizes)


def test_the_number_of_folds_is_chosen_by_the_protocols_name():
    corpus = corpus_of("mine", SPEAKERS["mine"])
    assert len(protocol_folds(corpus, "group-4").folds) == 4
    assert protocol_folds(corpus, "group-4").protocol == "group-4"
    one_out = protocol_folds(corpus, "leave-one-speaker-out").folds
    assert sorted(speaker for fold in one_out for speaker in fold.test) == sorted(SPEAKERS["mine"])
    with pytest.raises(CorpusError, match="needs 13 speakers, but corpus mine has 12"):
        protocol_folds(corpus, "group-13")
    with pytest.raises(CorpusError, match="at least 3"):
        protocol_folds(corpus, "group-2")
