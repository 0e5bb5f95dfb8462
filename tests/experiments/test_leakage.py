"""The leaky protocols leak what they say, and nothing of them reaches the honest ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotone.corpora import Corpus, Utterance, protocol_folds
from emotone.corpora.folds import require_disjoint
from emotone.errors import CorpusError, SpeakerLeakError
from emotone.experiments.leakage import leaky_folds


@pytest.fixture
def corpus():
    utterances = tuple(
        Utterance(f"{speaker}{take:02}", Path(f"{speaker}{take}.wav"), ("anger", "neutral")[take % 2], speaker)
        for speaker in "abcdef"
        for take in range(10)
    )
    return Corpus("made-up", utterances, ("anger", "neutral"), "CC0-1.0")


def test_a_random_split_shares_speakers_and_tests_every_utterance_once(corpus):
    folds = leaky_folds(corpus, protocol_folds(corpus), "random")
    tested = np.concatenate([fold.indices(corpus).test for fold in folds.folds])
    assert sorted(tested.tolist()) == list(range(60))
    assert not folds.speaker_independent
    for fold in folds.folds:
        split = fold.indices(corpus)
        assert not set(split.train.tolist()) & set(split.test.tolist())
        assert not set(split.validation.tolist()) & set(split.test.tolist())
        with pytest.raises(SpeakerLeakError):
            require_disjoint(corpus, split)


def test_the_epoch_is_chosen_on_the_test_fold_where_it_says_so(corpus):
    honest = protocol_folds(corpus)
    folds = leaky_folds(corpus, honest, "epoch")
    for fold, own in zip(folds.folds, honest.folds, strict=True):
        split = fold.indices(corpus)
        assert np.array_equal(split.validation, split.test)
        assert fold.validation == fold.test == own.test
        assert np.array_equal(split.train, own.indices(corpus).train)


@pytest.mark.parametrize("leak", ["random", "epoch"])
def test_a_leaky_protocol_is_named_so_and_has_a_hash_of_its_own(corpus, leak):
    honest = protocol_folds(corpus)
    folds = leaky_folds(corpus, honest, leak)
    assert folds.protocol.startswith("LEAKY")
    assert folds.hash != honest.hash
    assert folds.hash == leaky_folds(corpus, honest, leak).hash


def test_an_unknown_leak_is_refused(corpus):
    with pytest.raises(CorpusError, match="random, epoch"):
        leaky_folds(corpus, protocol_folds(corpus), "window")
