"""A search for settings: it starts from the recipe, follows from its seed, resumes, and refuses another search."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from emotone.corpora import Corpus, Utterance, protocol_folds
from emotone.errors import RecipeError, TrainingError
from emotone.experiments import tuning
from emotone.experiments.plan import Plan
from emotone.experiments.recipe import load_recipe, recipe_with
from emotone.experiments.tuning import Parameter, default_space, parse_parameter, tune

SPACE = (
    Parameter(key="training.learning_rate", low=1e-4, high=1e-2, scale="log"),
    Parameter(key="normalisation.centre", values=("none", "bands")),
    Parameter(key="augmentation.time_masks", values=(0, 2)),
)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    utterances = tuple(
        Utterance(f"{speaker}{emotion}", tmp_path / "none.wav", emotion, speaker)
        for speaker in "abcdef"
        for emotion in ("anger", "neutral")
    )
    corpus = Corpus("made-up", utterances, ("anger", "neutral"), "CC0-1.0")
    monkeypatch.setattr(tuning.WaveformStore, "open", lambda *_, **__: None)
    recipe = load_recipe("tripathi2019-mfcc")
    return Plan(corpus, protocol_folds(corpus), recipe, (0,), tmp_path / "run", tmp_path / "store", only_folds=(0,))


@pytest.fixture
def trained(monkeypatch):
    """Stands for training: the best learning rate is 3e-3, the best normalisation `bands`. Gives what was trained."""
    seen = []

    def validation_uar(plan, seed, fold, report):
        seen.append(plan.recipe)
        distance = abs(math.log(plan.recipe.training.learning_rate / 3e-3))
        return 0.8 - 0.05 * distance - 0.1 * (plan.recipe.normalisation.centre == "none")

    monkeypatch.setattr(tuning, "validation_uar", validation_uar)
    return seen


def test_the_first_trial_is_the_recipe_and_the_best_is_never_below_it(plan, trained):
    found = tune(plan, SPACE, n_trials=6)
    assert found.trials[0].settings == ()
    assert trained[0] == plan.recipe
    assert len(trained) == len(found.trials) == 6
    assert found.best.validation_uar >= found.trials[0].validation_uar
    assert recipe_with(plan.recipe, found.trials[1].settings) == trained[1]


def test_a_search_that_was_stopped_makes_the_same_trials_as_one_that_was_not(plan, trained):
    whole = tune(replace(plan, folder=plan.folder / "whole"), SPACE, n_trials=6)
    shown = []
    tune(plan, SPACE, n_trials=3)
    assert tune(plan, SPACE, n_trials=6, trial_done=lambda number, trial: shown.append(number)) == whole
    assert shown == list(range(6))
    assert len(trained) == 12


def test_another_search_in_the_same_folder_is_refused(plan, trained):
    tune(plan, SPACE, n_trials=1)
    with pytest.raises(TrainingError, match="another recipe, corpus, folds, seed or settings"):
        tune(replace(plan, seeds=(1,)), SPACE, n_trials=2)
    with pytest.raises(TrainingError, match="choose another output folder"):
        tune(plan, SPACE[:1], n_trials=2)


def test_a_setting_that_the_recipe_lacks_is_refused_by_name(plan, trained):
    with pytest.raises(RecipeError, match="learning_speed"):
        tune(plan, (Parameter(key="training.learning_speed", values=(1, 2)),), n_trials=2)


@pytest.mark.parametrize("name", ["tripathi2019-mfcc", "lee2015", "satt2017-conv-blstm", "yenigalla2018-spectrogram"])
def test_every_recipe_accepts_every_value_of_its_default_space(name):
    recipe = load_recipe(name)
    for parameter in default_space(recipe):
        for value in parameter.values or (parameter.low, parameter.high):
            setting = f"{parameter.key}={value}"
            assert recipe_with(recipe, [setting]) == load_recipe(name, [setting])


@pytest.mark.parametrize("text", ["", "loss.gamma", "loss.gamma=", "a=2:1", "a=0:1:log", "a=1:2:cubic", "a=x:2"])
def test_a_range_that_cannot_be_is_refused_with_an_example(text):
    with pytest.raises(RecipeError, match=r"key=low:high:log, for example"):
        parse_parameter(text)
