"""Recipes: one TOML file holds all settings of a training run.

A recipe is strict: an unknown key is an error, and so is a value of the wrong type. It travels with every run, result
and model file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from emotone.errors import RecipeError
from emotone.experiments.recipe_files import read_settings, recipe_names, recipe_path
from emotone.features.augmentation import AugmentationOptions
from emotone.features.conditions import ConditionOptions
from emotone.features.front_end import FeatureOptions
from emotone.features.silence import SilenceOptions
from emotone.models.recognition_network import NormalisationOptions
from emotone.models.residual import ResidualOptions
from emotone.models.systems import ModelOptions, require_fit
from emotone.training.losses import LossOptions
from emotone.training.options import TrainingOptions

__all__ = ["Recipe", "load_recipe", "recipe_from", "recipe_names"]


class Recipe(BaseModel):
    """All settings of a training run.

    Attributes:
        name: shown with every score.
        summary: one line on what the recipe is for.
        choices: what the paper does not print, and the project chose.
        features: the front end.
        normalisation: of the features.
        augmentation: during training.
        model: of which system the network is, and its settings; the residual network where `system` is not named.
        loss: the loss.
        copies: augmented copies of recordings whose encoder's frames are stored.
        silence: copies with other silence around the speech, of any recordings.
        training: optimiser, schedule, stopping.
        labels: rules that rename the corpus's labels, such as `annoyed = "anger"`; see `emotone.emotions`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str = ""
    choices: tuple[str, ...] = ()
    features: FeatureOptions = FeatureOptions()
    normalisation: NormalisationOptions = NormalisationOptions()
    augmentation: AugmentationOptions = AugmentationOptions()
    model: ModelOptions = ResidualOptions()
    loss: LossOptions = LossOptions()
    copies: ConditionOptions = ConditionOptions()
    silence: SilenceOptions = SilenceOptions()
    training: TrainingOptions = TrainingOptions()
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        require_fit(self.features, self.model)
        model: Any = self.model
        if self.features.learns and (model.linear or model.baseline):
            raise ValueError(
                f"got model.linear {model.linear:g} and model.baseline {model.baseline:g} with an encoder that learns; "
                "both are measured on frames that do not change: set them to 0, or features.fine_tuned to 0"
            )
        if self.training.encoder_rate != 1 and not self.features.learns:
            raise ValueError("training.encoder_rate is of an encoder that learns; set features.fine_tuned")
        if self.training.teacher_embedding and (model.system not in ("residual", "frames") or self.augmentation.mixup):
            raise ValueError(
                f"got training.teacher_embedding with model.system {model.system} and augmentation.mixup "
                f"{self.augmentation.mixup:g}; expected residual or frames, and no mixup"
            )
        if self.copies.copies and (self.features.kind != "whisper" or self.features.trainable):
            raise ValueError("copies are only made of the frames of a frozen encoder; use [augmentation] instead")
        if self.normalisation.centre == "loud" and self.features.kind != "log_mel":
            raise ValueError(f"normalisation.centre loud needs features.kind log_mel, got {self.features.kind}")
        drawn = sum(table.share for table in (self.copies, self.silence) if table.copies)
        if drawn > 1:
            raise ValueError(f"copies.share and silence.share are {drawn:g} together; expected at most 1")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A run's key is made of its recipe: a table that came later must not change the keys of runs without it.
        settings: dict[str, Any] = write(self)
        if not self.labels:
            settings.pop("labels", None)
        if not self.copies.copies:
            settings.pop("copies", None)
        if not self.silence.copies:
            settings.pop("silence", None)
        return settings


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name: a path to a TOML file, or the name of a recipe that comes with emotone.
        overrides: such as "loss.gamma=0": a dotted key and a TOML value. `training.epochs` also sets
            `training.min_steps` to 0, unless that is given too.
    Raises:
        RecipeError: no such recipe, broken TOML, an unknown key, an impossible value.
    """
    path = recipe_path(name)
    settings = read_settings(path)
    settings.setdefault("name", path.stem)
    return recipe_from(_changed(settings, overrides), source=str(path))


def recipe_with(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """A recipe with some settings changed, as `load_recipe` changes them.

    Raises:
        RecipeError: an unknown key, an impossible value.
    """
    if not overrides:
        return recipe
    return recipe_from(_changed(recipe.model_dump(mode="json"), overrides), source=recipe.name)


def recipe_from(settings: dict[str, Any], *, source: str) -> Recipe:
    """A recipe from plain settings, as a run or a model file holds them.

    Raises:
        RecipeError: an unknown key or an impossible value; the message names `source` and each key.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors()))
        raise RecipeError(f"the recipe {source} does not fit: {faults}") from error


def _fault(fault: Any) -> str:
    """One fault that pydantic found, with the key it is in; for an unknown key, the known key that is most like it."""
    words = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return str(words)  # of tables that do not fit one another
    *parents, last = map(str, fault["loc"])
    if parents[:1] == ["model"]:
        parents = ["model"]  # without the system that pydantic puts after it
    key = ".".join([*parents, last])
    if fault["type"] != "extra_forbidden":
        return f"{key}: {words}"
    known = list(_known_keys(Recipe))
    close = get_close_matches(key, known, n=1, cutoff=0.7) or [one for one in known if one.split(".")[-1] == last]
    if close:
        return f"unknown key {key}; did you mean {close[0]}?"
    beside = [one for one in known if one.rpartition(".")[0] == ".".join(parents)]
    return f"unknown key {key}; expected one of {', '.join(dict.fromkeys(beside or known))}"


def _known_keys(kind: Any, prefix: str = "") -> Iterator[str]:
    """The dotted key of every setting below a class of settings, or below each class of a union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield prefix + name
            yield from _known_keys(field.annotation, f"{prefix}{name}.")
    elif not isinstance(kind, type):
        for part in get_args(kind):
            yield from _known_keys(part, prefix)


def _changed(settings: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply overrides to plain settings, which are changed in place, and add them to the recipe's name."""
    for override in overrides:
        _apply(settings, override)
    changed = {override.partition("=")[0].strip() for override in overrides}
    if "training.epochs" in changed and "training.min_steps" not in changed:
        # Two epochs that were asked for are two, also on a small corpus.
        settings["training"]["min_steps"] = 0
    if overrides:
        settings["name"] = f"{settings['name']} ({', '.join(overrides)})"
    return settings


def _apply(settings: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise RecipeError(f"got --set {override!r}; expected key=value, for example --set loss.gamma=0")
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is taken as a string, since quotes in a shell would have to be doubled
    *parents, last = key.strip().split(".")
    table = settings
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"got --set {override!r}, but {parent!r} is a value, not a table")
    table[last] = value
