"""How honest the probabilities are: temperature scaling, expected calibration error, reliability.

Conventions: `logits` (n, n_labels) before any scaling; `probabilities` (n, n_labels) with rows that sum to 1; `targets`
(n,) class indices. The temperature T divides the logits: T > 1 makes a system less sure. It never changes a decision.
The confidence of an utterance is the probability of the class that was chosen.

References:
    Guo, Pleiss, Sun & Weinberger (2017): On Calibration of Modern Neural Networks.
    Brier (1950): Verification of forecasts expressed in terms of probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotone.errors import EvaluationError, MissingExtraError

Floats = NDArray[np.float64]

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a fitted temperature: a validation part without a single error would else drive it to zero."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width; each array (n_bins,), NaN in an empty bin.

    Attributes:
        edges: the bins' borders, shape (n_bins + 1,); a bin holds its upper border, not its lower.
        counts: utterances in each bin.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    edges: Floats
    counts: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap of confidence and accuracy, weighted by the counts."""
        filled = self.counts > 0
        gaps = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float((gaps * self.counts[filled]).sum() / self.counts.sum())


def softmax(logits: ArrayLike, temperature: ArrayLike = 1.0) -> Floats:
    """Probabilities of logits (n, n_labels), each row divided by its temperature (a number, or shape (n,))."""
    return np.exp(_log_softmax(np.asarray(logits, dtype=np.float64), np.asarray(temperature, dtype=np.float64)))


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature with the best Brier score; fit it on validation speakers, never on test speakers.

    Departs from the paper: Guo et al. maximise the likelihood. That is unbounded, so that a single speaker whom a
    system misunderstands decides alone when there are ten (EXPERIMENTS.md, 2026-11-23); the Brier score is as proper,
    and bounded.

    Args:
        logits: shape (n, n_labels), finite.
        targets: class indices, shape (n,).
    Returns:
        a temperature in [0.05, 20].
    Raises:
        EvaluationError: the arrays do not belong together, or hold no utterances.
        MissingExtraError: SciPy is not installed.
    """
    try:
        from scipy.optimize import minimize_scalar
    except ImportError as error:
        raise MissingExtraError("fitting a temperature", "train") from error

    scores, true = _validate(logits, targets, "logits")
    truth = np.eye(scores.shape[1])[true]

    def distance(log_t: float) -> float:
        return float(((softmax(scores, np.exp(log_t)) - truth) ** 2).sum())

    # Bounded, the score may have a second valley: the whole range is tried before the best value is refined.
    grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), 61)
    best = int(np.argmin([distance(log_t) for log_t in grid]))
    bounds = (grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)])
    found = minimize_scalar(distance, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.clip(np.exp(found.x), COLDEST, HOTTEST))


def negative_log_likelihood(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """The mean of -log p(target), natural logarithm; lower is better, finite even for a probability of 0."""
    shares, true = _validate(probabilities, targets, "probabilities")
    return _nll(np.log(np.maximum(shares, np.finfo(np.float64).tiny)), true)


def brier_score(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """The mean squared distance of the probabilities from the truth, in [0, 2]; lower is better."""
    shares, true = _validate(probabilities, targets, "probabilities")
    return float(((shares - np.eye(shares.shape[1])[true]) ** 2).sum(1).mean())


def reliability(probabilities: ArrayLike, targets: ArrayLike, n_bins: int = 15) -> Reliability:
    """Confidence against accuracy.

    Args:
        probabilities: shape (n, n_labels).
        targets: class indices, shape (n,).
        n_bins: bins of equal width over [0, 1].
    Raises:
        EvaluationError: the arrays do not belong together, or hold no utterances.
    """
    shares, true = _validate(probabilities, targets, "probabilities")
    confidence, right = shares.max(1), (shares.argmax(1) == true).astype(np.float64)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)

    def mean(values: Floats) -> Floats:
        sums = np.bincount(bins, weights=values, minlength=n_bins)
        means: Floats = np.divide(sums, counts, out=np.full(n_bins, np.nan), where=counts > 0)
        return means

    return Reliability(edges, counts.astype(np.int64), mean(confidence), mean(right))


def expected_calibration_error(probabilities: ArrayLike, targets: ArrayLike, n_bins: int = 15) -> float:
    """The mean gap between confidence and accuracy, in [0, 1]; 0 is honest.

    >>> expected_calibration_error([[0.5, 0.5], [0.5, 0.5]], [0, 1])
    0.0
    """
    return reliability(probabilities, targets, n_bins).error


def _log_softmax(logits: Floats, temperature: Floats) -> Floats:
    scaled = logits / (temperature[:, None] if temperature.ndim else temperature)
    scaled = scaled - scaled.max(1, keepdims=True)
    shifted: Floats = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
    return shifted


def _nll(log_probabilities: Floats, targets: NDArray[np.int64]) -> float:
    return float(-log_probabilities[np.arange(len(targets)), targets].mean())


def _validate(values: ArrayLike, targets: ArrayLike, name: str) -> tuple[Floats, NDArray[np.int64]]:
    array, true = np.asarray(values, dtype=np.float64), np.asarray(targets)
    if array.ndim != 2 or true.ndim != 1:
        raise EvaluationError(
            f"{name} has shape {array.shape} and targets {true.shape}; expected (n, n_labels) and (n,)"
        )
    if len(array) != len(true):
        raise EvaluationError(f"{name} has {len(array)} utterances but targets {len(true)}; they must be the same")
    if not len(array):
        raise EvaluationError(f"{name} holds no utterances; calibration needs at least one")
    if not np.isfinite(array).all():
        raise EvaluationError(f"{name} holds NaN or infinite values; expected finite ones")
    if not np.issubdtype(true.dtype, np.integer) or true.min() < 0 or true.max() >= array.shape[1]:
        raise EvaluationError(f"targets must be class indices, integers in [0, {array.shape[1]})")
    return array, true.astype(np.int64)
