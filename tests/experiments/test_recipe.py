"""Recipes: strict, overridable, and never silently misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotone.errors import RecipeError
from emotone.experiments.recipe import load_recipe, recipe_from, recipe_names


def test_every_recipe_that_comes_with_emotone_can_be_read_and_names_itself() -> None:
    names = recipe_names()
    assert {"default", "tripathi2019-spectrogram", "tripathi2019-mfcc"} <= set(names)
    for name in names:
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.summary


def test_a_recipe_of_the_paper_says_what_the_project_chose() -> None:
    for name in recipe_names():
        if "20" in name:
            assert load_recipe(name).choices, f"{name} departs from its paper without saying so"


def test_overrides_change_one_setting_and_stand_in_the_name() -> None:
    recipe = load_recipe("spectrogram", ["loss.gamma=0", "normalisation.centre=none"])
    assert recipe.loss.gamma == 0
    assert recipe.normalisation.centre == "none"
    assert recipe.name == "spectrogram (loss.gamma=0, normalisation.centre=none)"
    assert recipe.model == load_recipe("spectrogram").model


def test_a_recipe_survives_its_own_record() -> None:
    recipe = load_recipe("spectrogram")
    assert recipe_from(recipe.model_dump(mode="json"), source="record") == recipe


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss.gama=2"], r"loss\.gama"),
        (["loss.gamma=-1"], r"loss\.gamma"),
        (["loss.gamma=two"], r"loss\.gamma"),
        (["loss"], "key=value"),
        (["loss.gamma.x=1"], "is a value"),
        (["training.epochs=0"], r"training\.epochs"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("spectrogram", overrides)


def test_a_recipe_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(RecipeError, match="default"):
        load_recipe("defualt")


def test_broken_toml_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[loss\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"mine\.toml"):
        load_recipe(str(path))


def test_a_number_of_epochs_that_is_asked_for_is_the_number_that_is_run() -> None:
    assert load_recipe("spectrogram").training.n_epochs(100) > 25
    assert load_recipe("spectrogram", ["training.epochs=2"]).training.n_epochs(100) == 2
    asked = load_recipe("spectrogram", ["training.epochs=2", "training.min_steps=50"]).training
    assert asked.n_epochs(24) == 50


def test_rules_for_labels_travel_with_a_recipe_and_leave_others_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[labels]\nannoyed = "anger"\n', encoding="utf-8")
    recipe = load_recipe(str(file))
    assert recipe.labels == {"annoyed": "anger"}
    assert recipe_from(recipe.model_dump(mode="json"), source="record") == recipe
    assert "labels" not in load_recipe("default").model_dump(mode="json")
