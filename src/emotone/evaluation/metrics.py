"""How right a system is: accuracy, unweighted average recall, confusion matrix, precision, recall and F1.

Conventions:
    - `truth` and `prediction` are class indices, shape (n,), integers in [0, n_labels).
    - `labels` is the whole label set in the order of the model's outputs; it is always passed, never guessed from the
      data, so that a class that was never predicted still has its row and column.
    - A confusion matrix has the truth on its rows and the prediction on its columns, shape (n_labels, n_labels).
    - Every score is a share in [0, 1]. What is undefined (the recall of a class without utterances, the precision of a
      class never predicted) is NaN, never a silent 0.
    - `accuracy` is what the field also calls weighted accuracy (WA); `unweighted_average_recall` (UAR) is what it also
      calls unweighted or class accuracy (UA). UAR is the mean over the classes that have utterances;
      `absent_classes` names the others, and they are shown wherever the score is.
    - The functions `..._of` take confusion matrices, shape (..., n_labels, n_labels), and keep the leading axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotone.errors import EvaluationError

Indices = NDArray[np.int64]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


class ClassMeasures(NamedTuple):
    """Precision, recall and F1 in [0, 1] (NaN where undefined), and the number of utterances; each (n_labels,)."""

    precision: Floats
    recall: Floats
    f1: Floats
    support: Counts


def validate(truth: ArrayLike, prediction: ArrayLike, n_labels: int) -> tuple[Indices, Indices]:
    """Both as int64 arrays that belong together.

    Args:
        truth: class indices, shape (n,).
        prediction: class indices, shape (n,).
        n_labels: how many classes there are.
    Raises:
        EvaluationError: the lengths differ, there are no utterances, or an index is not that of a class.
    """
    true, predicted = _indices(truth, "truth", n_labels), _indices(prediction, "prediction", n_labels)
    if len(true) != len(predicted):
        raise EvaluationError(
            f"truth has {len(true)} utterances but prediction has {len(predicted)}; they must be the same utterances"
        )
    if not len(true):
        raise EvaluationError("truth and prediction hold no utterances; a score needs at least one")
    return true, predicted


def confusion_matrix(truth: ArrayLike, prediction: ArrayLike, n_labels: int) -> Counts:
    """How often each class (row) was taken for each class (column), shape (n_labels, n_labels).

    Raises:
        EvaluationError: see `validate`.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 3).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    """
    true, predicted = validate(truth, prediction, n_labels)
    cells = np.bincount(true * n_labels + predicted, minlength=n_labels * n_labels)
    return cells.reshape(n_labels, n_labels).astype(np.int64)


def accuracy_of(confusion: ArrayLike) -> Floats:
    """Accuracy of confusion matrices (..., n_labels, n_labels); shape (...), NaN for an empty one."""
    counts = np.asarray(confusion, dtype=np.float64)
    right = np.trace(counts, axis1=-2, axis2=-1)
    return _share(right, counts.sum((-2, -1)))


def recalls_of(confusion: ArrayLike) -> Floats:
    """Recall of each class, shape (..., n_labels), NaN for a class without utterances."""
    counts = np.asarray(confusion, dtype=np.float64)
    return _share(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def uar_of(confusion: ArrayLike) -> Floats:
    """Unweighted average recall of confusion matrices; shape (...); classes without utterances are left out."""
    recalls = recalls_of(confusion)
    present = ~np.isnan(recalls)
    return _share(np.where(present, recalls, 0.0).sum(-1), present.sum(-1).astype(np.float64))


def measures_of(confusion: ArrayLike) -> ClassMeasures:
    """Precision, recall, F1 and support of each class of one confusion matrix (n_labels, n_labels)."""
    counts = np.asarray(confusion, dtype=np.float64)
    right, true, predicted = np.diagonal(counts), counts.sum(1), counts.sum(0)
    return ClassMeasures(
        precision=_share(right, predicted),
        recall=_share(right, true),
        f1=_share(2 * right, true + predicted),
        support=true.astype(np.int64),
    )


def accuracy(truth: ArrayLike, prediction: ArrayLike, n_labels: int) -> float:
    """The share of utterances that are right, in [0, 1].

    >>> accuracy([0, 0, 1, 1], [0, 0, 1, 0], 2)
    0.75
    """
    return float(accuracy_of(confusion_matrix(truth, prediction, n_labels)))


def unweighted_average_recall(truth: ArrayLike, prediction: ArrayLike, n_labels: int) -> float:
    """The mean recall over the classes that have utterances, in [0, 1]; see `absent_classes` for the others.

    >>> unweighted_average_recall([0, 0, 0, 1], [0, 0, 0, 0], 3)
    0.5
    """
    return float(uar_of(confusion_matrix(truth, prediction, n_labels)))


def precision_recall_f1(truth: ArrayLike, prediction: ArrayLike, n_labels: int) -> ClassMeasures:
    """Precision, recall, F1 and support of each class."""
    return measures_of(confusion_matrix(truth, prediction, n_labels))


def absent_classes(truth: ArrayLike, labels: Sequence[str]) -> tuple[str, ...]:
    """The classes without an utterance: those the UAR leaves out, in the order of `labels`.

    >>> absent_classes([0, 0, 2], ["anger", "disgust", "fear"])
    ('disgust',)
    """
    present = set(_indices(truth, "truth", len(labels)).tolist())
    return tuple(label for index, label in enumerate(labels) if index not in present)


def evaluate(truth: ArrayLike, prediction: ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    """Every score at once, as plain Python values.

    Args:
        truth: class indices, shape (n,).
        prediction: class indices, shape (n,).
        labels: the whole label set.
    Returns:
        see `describe`.
    Raises:
        EvaluationError: see `validate`.
    """
    return describe(confusion_matrix(truth, prediction, len(labels)), labels)


def describe(confusion: ArrayLike, labels: Sequence[str]) -> dict[str, Any]:
    """Every score of one confusion matrix, as plain Python values fit for JSON (None where undefined).

    Returns:
        `n`, `accuracy`, `uar`, `macro_f1` (both over the classes that have utterances), `absent_classes`, `per_class`
        (label -> precision, recall, f1, support) and `confusion_matrix` (nested lists).
    """
    counts = np.asarray(confusion, dtype=np.int64)
    if counts.shape != (len(labels), len(labels)):
        raise EvaluationError(
            f"the confusion matrix has shape {counts.shape} but there are {len(labels)} labels; "
            f"expected ({len(labels)}, {len(labels)})"
        )
    measures = measures_of(counts)
    present = measures.support > 0
    return {
        "n": int(counts.sum()),
        "accuracy": _plain(accuracy_of(counts)),
        "uar": _plain(uar_of(counts)),
        "macro_f1": _plain(measures.f1[present].mean()) if present.any() else None,
        "absent_classes": [label for label, there in zip(labels, present, strict=True) if not there],
        "per_class": {
            label: {
                "precision": _plain(measures.precision[index]),
                "recall": _plain(measures.recall[index]),
                "f1": _plain(measures.f1[index]),
                "support": int(measures.support[index]),
            }
            for index, label in enumerate(labels)
        },
        "confusion_matrix": counts.tolist(),
    }


def _indices(values: ArrayLike, name: str, n_labels: int) -> Indices:
    array = np.asarray(values)
    if array.ndim != 1:
        raise EvaluationError(f"{name} has shape {array.shape}; expected one class index an utterance, shape (n,)")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise EvaluationError(f"{name} is of type {array.dtype}; expected class indices, integers in [0, {n_labels})")
    if array.size and not (array.min() >= 0 and array.max() < n_labels):
        raise EvaluationError(
            f"{name} ranges from {array.min()} to {array.max()}; expected class indices in [0, {n_labels})"
        )
    return array.astype(np.int64)


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    shares: Floats = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
    return shares


def _plain(value: ArrayLike) -> float | None:
    number = float(np.asarray(value))
    return None if np.isnan(number) else number
