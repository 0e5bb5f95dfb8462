"""The support vector machine outside: folds, the choice of C, resumption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotone.corpora import Corpus, Utterance, protocol_folds
from emotone.errors import RecipeError
from emotone.experiments import opensmile_baseline as baseline
from emotone.experiments.plan import Plan
from emotone.experiments.recipe import load_recipe

CLASSES = ("anger", "neutral", "sadness")


@pytest.fixture
def plan(tmp_path):
    utterances = tuple(
        Utterance(f"{speaker}{take:02}", Path(f"{speaker}{take}.wav"), CLASSES[take % 3], speaker)
        for speaker in "abcdef"
        for take in range(12)
    )
    corpus = Corpus("made-up", utterances, CLASSES, "CC0-1.0")
    return Plan(corpus, protocol_folds(corpus), load_recipe("spectrogram"), (0,), tmp_path / "row", tmp_path / "store")


@pytest.fixture
def made_features(plan, monkeypatch):
    targets = np.asarray(plan.corpus.targets())
    features = np.random.default_rng(0).normal(size=(len(targets), 5))
    features[:, 0] += 6.0 * targets
    asked = []

    def functionals(plan, feature_set):
        asked.append(feature_set)
        return features

    monkeypatch.setattr(baseline, "functionals", functionals)
    return asked


def silent(seed, fold, info, fresh):
    pass


def test_it_scores_every_speaker_once_and_well_where_features_tell_all(plan, made_features):
    results = baseline.cross_validate_opensmile(plan, "egemaps", silent)
    assert results.n == 72
    assert results.n_speakers == 6
    assert results.pooled.uar > 0.95
    assert results.speaker_independent
    assert (plan.folder / "results.json").is_file()


def test_folds_that_are_done_are_not_done_again(plan, made_features):
    baseline.cross_validate_opensmile(plan, "egemaps", silent)
    heard = []
    again = baseline.cross_validate_opensmile(plan, "egemaps", lambda seed, fold, info, fresh: heard.append(fresh))
    assert made_features == ["egemaps"]
    assert heard == [False] * len(plan.folds.folds)
    assert again.pooled.uar > 0.95


def test_another_feature_set_in_the_same_folder_is_done_anew(plan, made_features):
    baseline.cross_validate_opensmile(plan, "egemaps", silent)
    baseline.cross_validate_opensmile(plan, "compare", silent)
    assert made_features == ["egemaps", "compare"]


def test_an_unknown_feature_set_is_refused(plan):
    with pytest.raises(RecipeError, match="egemaps, compare"):
        baseline.cross_validate_opensmile(plan, "mfcc", silent)
