"""What a system said of each test utterance: the one table that every score, figure and test is computed from.

Conventions: one row an utterance, and every utterance once; `logits` are the network's own, before the temperature;
each row carries the temperature of the model that scored it, because each fold has its own.

As a file it is a CSV with the columns utterance, speaker, sex, fold, truth, prediction, temperature and one
`logit_<label>` for each class, in the order of the model's outputs. Numbers are written so that they read back exactly.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.errors import EvaluationError
from emotone.evaluation.calibration import softmax
from emotone.files import write_text

_COLUMNS = ("utterance", "speaker", "sex", "fold", "truth", "prediction", "temperature")
_LOGIT = "logit_"


@dataclass(frozen=True, eq=False)
class Predictions:
    """The test predictions of one fold, or of many, checked on construction.

    Attributes:
        labels: the classes in the order of the model's outputs, n_labels of them.
        utterances: the utterances' ids, n of them.
        speakers: who speaks each.
        sexes: "female", "male", or "" where it is not known.
        folds: the fold in which each was tested, shape (n,).
        truth: the true class's index, shape (n,).
        logits: shape (n, n_labels), before the temperature.
        temperatures: of the model that scored each, shape (n,).
    Raises:
        EvaluationError: the columns do not belong together; see `validate`.
    """

    labels: tuple[str, ...]
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    sexes: tuple[str, ...]
    folds: NDArray[np.int64]
    truth: NDArray[np.int64]
    logits: NDArray[np.float64]
    temperatures: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("labels", "utterances", "speakers"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "sexes", tuple(sex or "" for sex in self.sexes))
        for name in ("folds", "truth"):
            values = np.asarray(getattr(self, name))
            if values.size and not np.issubdtype(values.dtype, np.integer):
                raise EvaluationError(f"predictions: {name} is of type {values.dtype}; expected integers")
            object.__setattr__(self, name, values.astype(np.int64))
        for name in ("logits", "temperatures"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        self.validate()

    def __len__(self) -> int:
        return len(self.utterances)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predictions):
            return NotImplemented
        return (
            (self.labels, self.utterances, self.speakers, self.sexes)
            == (other.labels, other.utterances, other.speakers, other.sexes)
            and np.array_equal(self.folds, other.folds)
            and np.array_equal(self.truth, other.truth)
            and np.array_equal(self.logits, other.logits)
            and np.array_equal(self.temperatures, other.temperatures)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def prediction(self) -> NDArray[np.int64]:
        """The class chosen for each utterance, shape (n,); of equal logits the first class."""
        chosen: NDArray[np.int64] = self.logits.argmax(1).astype(np.int64)
        return chosen

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated: the softmax of logits over temperature, shape (n, n_labels)."""
        return softmax(self.logits, self.temperatures)

    @property
    def uncalibrated(self) -> NDArray[np.float64]:
        """The softmax of the logits as they are, shape (n, n_labels)."""
        return softmax(self.logits)

    def validate(self) -> None:
        """Check that the columns belong together.

        Raises:
            EvaluationError: columns of different lengths, a class or a temperature that cannot be, logits that are not
                finite, or an utterance that appears twice (it would count twice in every score).
        """
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise EvaluationError(f"predictions: labels are {self.labels}; expected at least two, all different")
        n, n_labels = len(self.utterances), len(self.labels)
        for name in ("speakers", "sexes", "folds", "truth", "logits", "temperatures"):
            length = len(getattr(self, name))
            if length != n:
                raise EvaluationError(f"predictions: {n} utterances but {length} {name}; expected one for each")
        if self.logits.shape != (n, n_labels):
            raise EvaluationError(
                f"predictions: logits have shape {self.logits.shape}; expected {(n, n_labels)}, one column a label"
            )
        if not np.isfinite(self.logits).all():
            first = self.utterances[int(np.flatnonzero(~np.isfinite(self.logits).all(1))[0])]
            raise EvaluationError(f"predictions: the logits of {first!r} are not finite; training has diverged")
        if n and not (self.truth.min() >= 0 and self.truth.max() < n_labels):
            raise EvaluationError(
                f"predictions: truth ranges from {self.truth.min()} to {self.truth.max()}; expected [0, {n_labels})"
            )
        if not (np.isfinite(self.temperatures) & (self.temperatures > 0)).all():
            raise EvaluationError("predictions: every temperature must be a finite number above 0")
        twice = [name for name, count in Counter(self.utterances).items() if count > 1]
        if twice:
            raise EvaluationError(f"predictions: {len(twice)} utterances appear twice, first {twice[0]!r}")

    def take(self, rows: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> Predictions:
        """The rows of the given indices, or where a mask (n,) is true."""
        index = np.arange(len(self))[np.asarray(rows, dtype=None if len(rows) else np.int64)]
        return Predictions(
            labels=self.labels,
            utterances=tuple(self.utterances[row] for row in index),
            speakers=tuple(self.speakers[row] for row in index),
            sexes=tuple(self.sexes[row] for row in index),
            folds=self.folds[index],
            truth=self.truth[index],
            logits=self.logits[index],
            temperatures=self.temperatures[index],
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV, whole or not at all.

        Raises:
            OutputError: it could not be written.
        """
        text = io.StringIO()
        # All text in quotes: else a lone carriage return within a name would end its row.
        table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        table.writerow([*_COLUMNS, *(_LOGIT + label for label in self.labels)])
        names = zip(self.utterances, self.speakers, self.sexes, strict=True)
        # tolist gives Python's own numbers, which csv writes as the shortest text that reads back to the same bits.
        chosen = [self.labels[index] for index in self.prediction.tolist()]
        true = [self.labels[index] for index in self.truth.tolist()]
        numbers = zip(self.folds.tolist(), self.temperatures.tolist(), self.logits.tolist(), strict=True)
        for row, (who, (fold, temperature, logits)) in enumerate(zip(names, numbers, strict=True)):
            table.writerow([*who, fold, true[row], chosen[row], temperature, *logits])
        write_text(path, text.getvalue())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Predictions:
        """Read a table that `write` wrote.

        Raises:
            EvaluationError: no such file, no such table, or rows that cannot be.
        """
        try:
            with Path(path).open(encoding="utf-8", newline="") as handle:
                header, *rows = csv.reader(handle)
        except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
            raise EvaluationError(f"cannot read predictions from {path}: {error}") from error
        n_fixed = len(_COLUMNS)
        if tuple(header[:n_fixed]) != _COLUMNS or not all(name.startswith(_LOGIT) for name in header[n_fixed:]):
            raise EvaluationError(
                f"{path} is not a table of predictions: its columns are {header}; "
                f"expected {', '.join(_COLUMNS)}, then {_LOGIT}<label> for each class"
            )
        labels = tuple(name.removeprefix(_LOGIT) for name in header[n_fixed:])
        index = {label: position for position, label in enumerate(labels)}
        for number, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise EvaluationError(f"{path}, row {number}: {len(row)} columns, expected {len(header)}")
        try:
            table = cls(
                labels=labels,
                utterances=tuple(row[0] for row in rows),
                speakers=tuple(row[1] for row in rows),
                sexes=tuple(row[2] for row in rows),
                folds=np.array([int(row[3]) for row in rows], dtype=np.int64),
                truth=np.array([index[row[4]] for row in rows], dtype=np.int64),
                logits=np.array([[float(cell) for cell in row[n_fixed:]] for row in rows]).reshape(-1, len(labels)),
                temperatures=np.array([float(row[6]) for row in rows], dtype=np.float64),
            )
        except EvaluationError as error:
            raise EvaluationError(f"{path}: {error}") from error
        except (KeyError, ValueError) as error:
            raise EvaluationError(f"{path} holds a value that cannot be: {error}") from error
        if [labels[chosen] for chosen in table.prediction] != [row[5] for row in rows]:
            raise EvaluationError(f"{path}: the column prediction does not follow from the logits; was it edited?")
        return table


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """The tables of several folds as one, in the order given.

    Raises:
        EvaluationError: there are none, their labels differ, or an utterance was tested in two folds.
    """
    if not parts:
        raise EvaluationError("no predictions to put together; expected those of at least one fold")
    first = parts[0]
    for part in parts[1:]:
        if part.labels != first.labels:
            raise EvaluationError(f"labels differ between folds: {first.labels} and {part.labels}")
    return Predictions(
        labels=first.labels,
        utterances=tuple(name for part in parts for name in part.utterances),
        speakers=tuple(name for part in parts for name in part.speakers),
        sexes=tuple(name for part in parts for name in part.sexes),
        folds=np.concatenate([part.folds for part in parts]),
        truth=np.concatenate([part.truth for part in parts]),
        logits=np.concatenate([part.logits for part in parts]),
        temperatures=np.concatenate([part.temperatures for part in parts]),
    )
