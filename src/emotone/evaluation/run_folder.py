"""Run folders: the files of a run, read and checked. No other module knows their names.

Conventions: a run folder holds `run.json` (the settings of the run), one folder `seed-S/fold-FF` per fold, and
`results.json`, which is written last. A fold's folder holds `predictions.csv`, `history.csv`, `model.safetensors` and
`fold.json`; `fold.json` is written last, so a fold that has it is done. While a fold is training it also holds
`checkpoint.safetensors`. A run with one seed may have its folds at `RUN/fold-FF`; `emotone evaluate` has one fold
without training, whose predictions are in the run folder itself.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.errors import EvaluationError, TrainingError
from emotone.evaluation import metrics
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.files import write_text

History = Mapping[str, NDArray[np.float64]]
"""Training of a fold by column (epoch, train_loss, validation_loss, validation_uar, ...), each of shape (n_epochs,)."""


@dataclass(frozen=True, slots=True)
class FoldFolder:
    """The files of one fold.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def weights(self) -> Path:
        """The network's weights."""
        return self.path / "model.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The state of a training that is under way."""
        return self.path / "checkpoint.safetensors"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.path / "history.csv"

    @property
    def predictions(self) -> Path:
        """One row per test utterance."""
        return self.path / "predictions.csv"

    @property
    def info(self) -> Path:
        """Facts about the training, written last."""
        return self.path / "fold.json"

    @property
    def run(self) -> RunFolder:
        """The run that this fold is in, two folders up."""
        return RunFolder(self.path.parent.parent)

    @property
    def is_done(self) -> bool:
        """Whether the fold is trained and scored."""
        return self.info.is_file()

    def read_info(self) -> dict[str, Any]:
        """The facts about the training.

        Raises:
            EvaluationError: they are missing or damaged.
        """
        try:
            info: dict[str, Any] = json.loads(self.info.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise EvaluationError(
                f"cannot read {self.info} ({error}); delete its folder to run the fold again"
            ) from error
        return info

    def finish(self, predictions: Predictions, info: Mapping[str, Any]) -> None:
        """Write predictions and facts, which makes the fold done, and delete the checkpoint.

        Raises:
            OutputError: a file could not be written.
        """
        predictions.write(self.predictions)
        write_text(self.info, json.dumps(info, indent=2) + "\n")
        self.checkpoint.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def results(self) -> Path:
        """All scores, written when every fold is done."""
        return self.path / "results.json"

    @property
    def settings(self) -> Path:
        """The settings of the run: corpus, protocol, recipe."""
        return self.path / "run.json"

    @property
    def source(self) -> Path:
        """Where the corpus was read on this machine; not part of the settings, since a folder may move."""
        return self.path / "source.json"

    def write_source(self, corpus: str, directory: Path) -> None:
        """Note which corpus was read and where.

        Raises:
            OutputError: it could not be written.
        """
        write_text(self.source, json.dumps({"corpus": corpus, "directory": str(directory.resolve())}, indent=2) + "\n")

    def read_source(self) -> dict[str, str] | None:
        """The keys `corpus` and `directory`; None without a readable note."""
        try:
            found = json.loads(self.source.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        kept = isinstance(found, dict) and {"corpus", "directory"} <= set(found)
        return {name: str(found[name]) for name in ("corpus", "directory")} if kept else None

    def done_folds(self) -> list[FoldFolder]:
        """The folds of all seeds that are trained and scored."""
        folders = [FoldFolder(path) for path in sorted(self.path.glob("seed-*/fold-*"))]
        return [folder for folder in folders if folder.is_done]

    def fold(self, seed: int, fold: int) -> FoldFolder:
        """The folder of a fold, whether it exists or not."""
        return FoldFolder(self.path / f"seed-{seed}" / f"fold-{fold:02d}")

    def find_fold(self, seed: int, fold: int) -> FoldFolder:
        """The folder of a fold of a finished run, in whichever layout."""
        home = self.fold(seed, fold)
        for folder in (home.path, self.path / f"fold-{fold:02d}", self.path):
            if FoldFolder(folder).predictions.is_file():
                return FoldFolder(folder)
        return home if home.path.parent.is_dir() else FoldFolder(self.path / f"fold-{fold:02d}")

    def seeds(self) -> tuple[int, ...]:
        """The seeds that have a folder."""
        numbers = (folder.name.removeprefix("seed-") for folder in self.path.glob("seed-*"))
        return tuple(sorted(int(number) for number in numbers if number.isdecimal()))

    def weights(self) -> list[Path]:
        """The weights of all folds."""
        patterns = ("model.safetensors", "seed-*/fold-*/model.safetensors")
        return [path for pattern in patterns for path in sorted(self.path.glob(pattern))]

    def claim(self, settings: Mapping[str, Any]) -> None:
        """Write down the settings, or check that they are those of the run that is there.

        Raises:
            TrainingError: the folder holds a run with other settings, or a damaged file.
        """
        if not self.settings.exists():
            write_text(self.settings, json.dumps(settings, indent=2) + "\n")
            return
        try:
            found = json.loads(self.settings.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainingError(f"{self.settings} is damaged ({error}); choose another output folder") from error
        differing = [key for key in settings if found.get(key) != json.loads(json.dumps(settings[key]))]
        if differing:
            raise TrainingError(
                f"{self.path} holds a run with other {', '.join(differing)}; choose another output folder"
            )


@dataclass(frozen=True)
class FinishedRun:
    """One finished run, read whole.

    Attributes:
        path: of the folder.
        results: all scores.
        predictions: of each seed, all folds together.
        histories: of each (seed, fold) that has one.
    """

    path: Path
    results: Results
    predictions: Mapping[int, Predictions]
    histories: Mapping[tuple[int, int], History]


def read_run(path: str | os.PathLike[str]) -> FinishedRun:
    """Read a run folder and check that its results follow from its predictions.

    Raises:
        EvaluationError: not a finished run, a damaged file, or results of other predictions.
    """
    folder = RunFolder(Path(path))
    if not folder.path.is_dir():
        raise EvaluationError(
            f"{folder.path} is not a folder; expected the run folder of `emotone crossval` or `emotone evaluate`"
        )
    if not folder.results.is_file():
        raise EvaluationError(
            f"{folder.path} holds no {folder.results.name}: it is not a run folder, or its run has not ended; "
            "run the same command again to continue it"
        )
    results = Results.read(folder.results)
    predictions: dict[int, Predictions] = {}
    histories: dict[tuple[int, int], History] = {}
    for seed in results.seeds:
        parts = []
        for fold in sorted(one.info.fold for one in results.per_fold if one.info.seed == seed):
            home = folder.find_fold(seed, fold)
            parts.append(Predictions.read(home.predictions))
            if home.history.is_file():
                histories[seed, fold] = read_history(home.history)
        predictions[seed] = concatenate(parts)
    _check_follows(folder, results, predictions)
    return FinishedRun(folder.path, results, predictions, histories)


def read_history(path: str | os.PathLike[str]) -> History:
    """The history of a fold, by column; cells that are empty or cut off are NaN.

    Raises:
        EvaluationError: no such file, or a cell that is not a number.
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


def _check_follows(folder: RunFolder, results: Results, predictions: Mapping[int, Predictions]) -> None:
    n_labels, name = len(results.labels), folder.results.name
    total = np.zeros((n_labels, n_labels), dtype=np.int64)
    for seed, table in predictions.items():
        if list(table.labels) != results.labels:
            raise EvaluationError(f"{folder.path}: {name} has the labels {results.labels}, seed {seed} {table.labels}")
        total += metrics.confusion_matrix(table.truth, table.prediction, n_labels)
    if total.tolist() != results.pooled.confusion_matrix:
        raise EvaluationError(
            f"{folder.path}: {name} does not follow from the folds' predictions ({total.sum()} scored there, "
            f"{np.sum(results.pooled.confusion_matrix)} in {name}); delete {name} and run the same command again"
        )
