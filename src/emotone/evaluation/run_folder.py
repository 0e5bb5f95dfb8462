"""A cross-validation's folder as it lies on the disk: results, predictions, histories and the recipe, read and checked.

Conventions: the folds are `RUN/seed-0/fold-00` and so on; with one seed `RUN/fold-00` will do too. Every fold holds
`predictions.csv` and `history.csv`; `RUN/results.json` comes last and says that the run is whole.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.errors import EvaluationError
from emotone.evaluation import metrics
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results

History = Mapping[str, NDArray[np.float64]]
"""A fold's training, column by column (epoch, train_loss, validation_loss, validation_uar, ...), each (n_epochs,)."""


@dataclass(frozen=True)
class RunFolder:
    """One finished cross-validation.

    Attributes:
        path: the folder.
        results: from results.json.
        predictions: of each seed, all folds together.
        histories: of each (seed, fold) that has one.
        recipe_text: recipe.toml as it stands, None where there is none.
    """

    path: Path
    results: Results
    predictions: Mapping[int, Predictions]
    histories: Mapping[tuple[int, int], History]
    recipe_text: str | None


def read_run(path: str | os.PathLike[str]) -> RunFolder:
    """Read a run folder and check that its results follow from its predictions.

    Raises:
        EvaluationError: the folder is no finished run, a file is damaged, or the results are not of these predictions.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise EvaluationError(f"{folder} is not a folder; expected the run folder of a cross-validation")
    if not (folder / "results.json").is_file():
        raise EvaluationError(
            f"{folder} holds no results.json: it is no run folder, or its run has not ended; start the run again with "
            "the same command and it goes on where it stopped"
        )
    results = Results.read(folder / "results.json")
    predictions: dict[int, Predictions] = {}
    histories: dict[tuple[int, int], History] = {}
    for seed in results.seeds:
        parts = []
        of_seed = folder / f"seed-{seed}"
        if len(results.seeds) == 1 and not of_seed.is_dir():
            of_seed = folder
        for fold in sorted(one.info.fold for one in results.per_fold if one.info.seed == seed):
            home = of_seed / f"fold-{fold:02d}"
            parts.append(Predictions.read(home / "predictions.csv"))
            if (home / "history.csv").is_file():
                histories[seed, fold] = read_history(home / "history.csv")
        predictions[seed] = concatenate(parts)
    _check_follows(folder, results, predictions)
    recipe = folder / "recipe.toml"
    text = recipe.read_text(encoding="utf-8", errors="replace") if recipe.is_file() else None
    return RunFolder(folder, results, predictions, histories, text)


def read_history(path: str | os.PathLike[str]) -> History:
    """A fold's history.csv, column by column; cells that are empty or cut off are NaN.

    Raises:
        EvaluationError: no such file, or a cell that is no number.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as handle:
            columns, *rows = csv.reader(handle, strict=True)
        values = np.full((len(rows), len(columns)), np.nan)
        for number, row in enumerate(rows):
            if len(row) > len(columns):
                raise ValueError(f"row {number + 2} has {len(row)} columns, expected {len(columns)}")
            values[number, : len(row)] = [float(cell or "nan") for cell in row]
    except (OSError, ValueError, csv.Error) as error:
        raise EvaluationError(f"cannot read the history {path}: {error}") from error
    return {name: values[:, index] for index, name in enumerate(columns)}


def _check_follows(folder: Path, results: Results, predictions: Mapping[int, Predictions]) -> None:
    n_labels = len(results.labels)
    total = np.zeros((n_labels, n_labels), dtype=np.int64)
    for seed, table in predictions.items():
        if list(table.labels) != results.labels:
            raise EvaluationError(f"{folder}: results.json has the labels {results.labels}, seed {seed} {table.labels}")
        total += metrics.confusion_matrix(table.truth, table.prediction, n_labels)
    if total.tolist() != results.pooled.confusion_matrix:
        raise EvaluationError(
            f"{folder}: results.json does not follow from the folds' predictions ({total.sum()} scored there, "
            f"{np.sum(results.pooled.confusion_matrix)} in results.json); delete results.json and run the same command "
            "again"
        )
