"""Search for settings on validation speakers, with a small fixed budget.

Conventions: a trial trains one fold and is scored by the UAR of its validation speakers; test speakers are never
scored. The first trial is the recipe as it is, so a search never ends below its start. Trials are written down one by
one, and a search that was stopped continues with the same trials that it would have made.

The validation speakers of one fold are test speakers of another: figures of tuned settings on the same corpus must say
so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from emotone.cores import available_cores
from emotone.errors import MissingExtraError, RecipeError, TrainingError
from emotone.experiments.folds.training import validation_uar
from emotone.experiments.plan import Listener, Plan, SilentListener
from emotone.experiments.recipe import Recipe, recipe_with
from emotone.files import write_text
from emotone.models.residual import ResidualOptions
from emotone.training.data.waveform_store import WaveformStore

BUDGET = 8
"""Trials of a search; the same for every row of the tables."""

Value = bool | int | float | str


class Parameter(BaseModel):
    """A setting to vary.

    Attributes:
        key: of the recipe, dotted.
        values: what to choose from; or none, and a range:
        low: the lowest value.
        high: the highest value.
        scale: how the range is drawn from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scale: Literal["linear", "log"] = "linear"


class Trial(BaseModel):
    """One trained setting.

    Attributes:
        settings: as `--set` takes them; none for the recipe as it is.
        validation_uar: mean over the folds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: tuple[str, ...]
    validation_uar: float


class Tuning(BaseModel):
    """The trials of a search, in order.

    Attributes:
        run: what was searched: recipe, folds, seed, corpus and parameters; a search of something else is refused.
        trials: those that are done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: dict[str, Any]
    trials: tuple[Trial, ...] = ()

    @property
    def best(self) -> Trial:
        """The trial with the highest validation UAR; of equal ones the first.

        Raises:
            TrainingError: no trial is done.
        """
        if not self.trials:
            raise TrainingError("no trial is done yet; run the search first")
        return max(self.trials, key=lambda trial: trial.validation_uar)


def default_space(recipe: Recipe) -> tuple[Parameter, ...]:
    """The settings that are a project's choice rather than a paper's: the same kinds for every recipe.

    Learning rate, weight decay, epochs and dropout for all; for residual networks also the normalisation of each
    utterance, the masks of SpecAugment and, where the input has a fixed size, that size.
    """
    training = recipe.training
    space = [
        Parameter(key="training.learning_rate", low=training.learning_rate / 4, high=training.learning_rate * 4,
                  scale="log"),
        Parameter(key="training.weight_decay", values=(0.0, 0.02, 0.1)),
        Parameter(key="training.epochs", values=(training.epochs, 2 * training.epochs)),
    ]  # fmt: skip
    if hasattr(recipe.model, "dropout"):
        space.append(Parameter(key="model.dropout", values=(0.1, 0.3, 0.5)))
    if isinstance(recipe.model, ResidualOptions):
        space.append(Parameter(key="normalisation.centre", values=("none", "level", "bands")))
        space.append(Parameter(key="augmentation.time_masks", values=(0, 2)))
        space.append(Parameter(key="augmentation.frequency_masks", values=(0, 2)))
        if recipe.features.fixed_frames:
            space.append(Parameter(key="features.fixed_frames", values=(0, 128, recipe.features.fixed_frames)))
    return tuple(space)


def parse_parameter(text: str) -> Parameter:
    """A setting to vary, as it is typed: `key=a,b,c` to choose from, `key=low:high` or `key=low:high:log` for a range.

    Raises:
        RecipeError: it is none of these.

    >>> parse_parameter("training.learning_rate=0.001:0.01:log").scale
    'log'
    >>> parse_parameter("loss.gamma=0,2").values
    (0, 2)
    """
    key, separator, rest = text.partition("=")
    parts = rest.split(":")
    try:
        if not key or not separator or not rest:
            raise ValueError(text)
        if len(parts) == 1:
            return Parameter(key=key, values=tuple(_value(word.strip()) for word in rest.split(",")))
        low, high = float(parts[0]), float(parts[1])
        if len(parts) > 3 or not low < high or (parts[2:] not in ([], ["log"])) or (parts[2:] and low <= 0):
            raise ValueError(text)
        return Parameter(key=key, low=low, high=high, scale="log" if parts[2:] else "linear")
    except ValueError as error:
        raise RecipeError(
            f"got --vary {text!r}; expected key=a,b,c or key=low:high or key=low:high:log, for example "
            "training.learning_rate=0.0005:0.01:log"
        ) from error


def tune(
    plan: Plan,
    space: Sequence[Parameter],
    *,
    n_trials: int = BUDGET,
    listener: Listener | None = None,
    trial_done: Callable[[int, Trial], None] = lambda number, trial: None,
) -> Tuning:
    """Search for the settings with the highest UAR on validation speakers.

    Args:
        plan: corpus, recipe, folder, and the folds whose validation speakers decide (`only_folds`); of its seeds the
            first is used.
        space: what to vary.
        n_trials: how many settings are tried, the recipe as it is among them.
        listener: of the progress of each training.
        trial_done: called with the number and the result of each trial, those of an earlier call among them.
    Returns:
        all trials, which are also in `tuning.json` in the plan's folder.
    Raises:
        MissingExtraError: Optuna is not installed.
        RecipeError: a setting that the recipe does not have.
        TrainingError: the folder holds another search.
    """
    listener = listener or SilentListener()
    tuning = _begun(plan, space)
    for number, trial in enumerate(tuning.trials[:n_trials]):
        trial_done(number, trial)
    if len(tuning.trials) < n_trials:
        WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(
            plan.corpus.utterances, workers=available_cores(), progress=listener.decoded
        )
    while len(tuning.trials) < n_trials:
        number = len(tuning.trials)
        settings = _suggested(tuning, space, seed=plan.seeds[0]) if number else ()
        recipe = recipe_with(plan.recipe, settings)
        own = replace(plan, recipe=recipe, folder=plan.folder / f"trial-{number:02d}")
        uars = [validation_uar(own, plan.seeds[0], fold, listener.epoch) for fold in plan.fold_numbers]
        trial = Trial(settings=settings, validation_uar=sum(uars) / len(uars))
        tuning = tuning.model_copy(update={"trials": (*tuning.trials, trial)})
        write_text(plan.folder / "tuning.json", tuning.model_dump_json(indent=1) + "\n")
        for fold in plan.fold_numbers:
            own.fold(plan.seeds[0], fold).checkpoint.unlink(missing_ok=True)
        trial_done(number, trial)
    return tuning


def read_tuning(path: Path) -> Tuning:
    """Read the trials of a search.

    Raises:
        TrainingError: no such file, or a damaged one.
    """
    try:
        return Tuning.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingError(f"{path} does not hold a search for settings: {error}") from error


def _begun(plan: Plan, space: Sequence[Parameter]) -> Tuning:
    run = {
        "recipe": plan.recipe.model_dump(mode="json"),
        "corpus": [plan.corpus.name, list(plan.corpus.classes), plan.corpus.digest],
        "folds": [plan.folds.hash, list(plan.fold_numbers)],
        "seed": plan.seeds[0],
        "space": [parameter.model_dump(mode="json") for parameter in space],
    }
    path = plan.folder / "tuning.json"
    if not path.exists():
        return Tuning(run=run)
    found = read_tuning(path)
    if found.run != json.loads(json.dumps(run)):
        raise TrainingError(
            f"{path} holds a search with another recipe, corpus, folds, seed or settings to vary; "
            "choose another output folder"
        )
    return found


def _suggested(tuning: Tuning, space: Sequence[Parameter], *, seed: int) -> tuple[str, ...]:
    """The settings of the next trial; they follow from the seed and the trials so far, so a search can be resumed."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("the search for settings", "tune") from error

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions: dict[str, Any] = {}
    for parameter in space:
        if parameter.values:
            distributions[parameter.key] = optuna.distributions.CategoricalDistribution(parameter.values)
        else:
            distributions[parameter.key] = optuna.distributions.FloatDistribution(
                parameter.low, parameter.high, log=parameter.scale == "log"
            )
    sampler = optuna.samplers.TPESampler(seed=seed + len(tuning.trials), n_startup_trials=max(2, BUDGET // 2))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in tuning.trials[1:]:
        drawn = {key: _value(text) for key, _, text in (setting.partition("=") for setting in trial.settings)}
        study.add_trial(
            optuna.trial.create_trial(params=drawn, distributions=distributions, value=trial.validation_uar)
        )
    asked = study.ask(distributions)
    return tuple(f"{parameter.key}={_text(asked.params[parameter.key])}" for parameter in space)


def _text(value: Value) -> str:
    """A value as `--set` takes it, such that `_value` gives it back."""
    return value if isinstance(value, str) else json.dumps(value)


def _value(text: str) -> Value:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
