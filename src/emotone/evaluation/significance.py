"""How sure a score is, and whether two systems differ.

Conventions: `truth` is (n,); a system's `prediction` is (n,), or (n_seeds, n) for one trained several times, in which
case every statistic is the mean over its seeds; `speakers` is (n,). A statistic takes confusion matrices
(..., n_labels, n_labels) and gives (...): `metrics.uar_of`, `metrics.accuracy_of`.

Utterances of one speaker are not independent: a system that fails on a voice fails on all of it. So speakers, not
utterances, are what is resampled and what is swapped. All of it runs on one confusion matrix a speaker, which makes ten
thousand resamples a matter of a moment.

An interval over a handful of speakers is itself rough (with fewer than about ten, a percentile interval tends to be too
narrow); it says how much the score hangs on who was recorded, not how the system does on other kinds of speech.

References:
    Efron & Tibshirani (1993): An Introduction to the Bootstrap, ch. 13 (percentile intervals).
    Good (2005): Permutation, Parametric, and Bootstrap Tests of Hypotheses. McNemar (1947), exact form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotone.errors import EvaluationError, MissingExtraError
from emotone.evaluation import metrics

Floats = NDArray[np.float64]
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]

N_RESAMPLES = 10_000
MOST_SPEAKERS_ENUMERATED = 14
"""Up to this many speakers every swap is tried (2**14 of them), beyond it random ones are."""


class Interval(NamedTuple):
    """An interval of a statistic, and how much of its distribution lies inside (0.95 for 95 %)."""

    low: float
    high: float
    level: float


class McNemar(NamedTuple):
    """Utterances that only one of two systems has right, and the two-sided p value of that imbalance."""

    only_a: int
    only_b: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """System a against system b on the same utterances.

    Attributes:
        effect: the statistic of a minus that of b.
        interval: of the effect, by bootstrap over speakers.
        p_value: two-sided, by swapping the systems speaker by speaker.
        exact: True where every swap was tried.
        n_speakers: how many speakers the test rests on; the smallest p value it can give is 2 / 2**n_speakers.
    """

    effect: float
    interval: Interval
    p_value: float
    exact: bool
    n_speakers: int


def confusion_by_speaker(
    truth: ArrayLike, prediction: ArrayLike, speakers: Sequence[str], n_labels: int
) -> NDArray[np.int64]:
    """One confusion matrix a speaker.

    Args:
        truth: class indices, shape (n,).
        prediction: class indices, shape (n,) or (n_seeds, n).
        speakers: who speaks, n of them.
        n_labels: how many classes there are.
    Returns:
        shape (n_speakers, n_labels, n_labels), or (n_speakers, n_seeds, n_labels, n_labels); speakers in sorted order.
    Raises:
        EvaluationError: the arrays do not belong together.
    """
    runs = np.asarray(prediction)
    if runs.ndim not in (1, 2) or not runs.shape[0]:
        raise EvaluationError(f"prediction has shape {runs.shape}; expected (n,) or (n_seeds, n)")
    names, who = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    matrices = []
    for run in np.atleast_2d(runs):
        true, predicted = metrics.validate(truth, run, n_labels)
        if len(who) != len(true):
            raise EvaluationError(f"{len(true)} utterances but {len(who)} speakers; expected one for each")
        cells = (who * n_labels + true) * n_labels + predicted
        counts = np.bincount(cells, minlength=len(names) * n_labels**2)
        matrices.append(counts.reshape(len(names), n_labels, n_labels))
    stacked = np.stack(matrices, axis=1).astype(np.int64)
    return stacked[:, 0] if runs.ndim == 1 else stacked


def bootstrap_over_speakers(
    truth: ArrayLike,
    prediction: ArrayLike,
    speakers: Sequence[str],
    statistic: Statistic = metrics.uar_of,
    *,
    n_labels: int,
    n: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """A percentile interval of a statistic, drawing speakers with replacement.

    With several seeds one draw of speakers serves them all, so the interval is that of the mean over these seeds.

    Args:
        truth: class indices, shape (n_utterances,).
        prediction: class indices, shape (n_utterances,) or (n_seeds, n_utterances).
        speakers: who speaks each utterance.
        statistic: of confusion matrices.
        n_labels: how many classes there are.
        n: resamples.
        level: how much of the distribution lies inside.
        seed: of the draws.
    Raises:
        EvaluationError: the arrays do not belong together, or there are fewer than two speakers.
    """
    matrices = _with_seeds(confusion_by_speaker(truth, prediction, speakers, n_labels))
    values = _resample([matrices], lambda drawn: _mean_over_seeds(statistic, drawn[0]), n=n, seed=seed)
    return _percentiles(values, level)


def mcnemar(truth: ArrayLike, a: ArrayLike, b: ArrayLike) -> McNemar:
    """McNemar's exact test of whether two systems err equally often on the same utterances.

    It takes the utterances as independent, which those of one speaker are not: its p values are too small where few
    speakers speak much. Prefer `speaker_permutation`; this is for comparison with the papers that give it.

    Args:
        truth: class indices, shape (n,).
        a: one system's classes, shape (n,).
        b: the other's, shape (n,).
    Raises:
        EvaluationError: the lengths differ.
        MissingExtraError: SciPy is not installed.
    """
    try:
        from scipy.stats import binomtest
    except ImportError as error:
        raise MissingExtraError("McNemar's test", "train") from error

    true, first, second = np.asarray(truth), np.asarray(a), np.asarray(b)
    if not (true.shape == first.shape == second.shape) or true.ndim != 1:
        raise EvaluationError(f"truth has shape {true.shape}, a {first.shape}, b {second.shape}; expected (n,) of each")
    right_a, right_b = first == true, second == true
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return McNemar(0, 0, 1.0)
    return McNemar(only_a, only_b, float(binomtest(only_a, only_a + only_b, 0.5).pvalue))


def speaker_permutation(
    truth: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    speakers: Sequence[str],
    statistic: Statistic = metrics.uar_of,
    *,
    n_labels: int,
    n: int = N_RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Whether system a differs from system b: swap the two on some speakers, pool, and compare the statistic again.

    If the systems were alike, it would not matter which of them scored a speaker; the p value is the share of swaps
    that give a difference at least as large as the one seen. All 2**n_speakers swaps are tried where they are few.

    Args:
        truth: class indices, shape (n_utterances,).
        a: one system's classes, shape (n_utterances,) or (n_seeds, n_utterances).
        b: the other's, in the same shape or with another number of seeds.
        speakers: who speaks each utterance.
        statistic: of confusion matrices.
        n_labels: how many classes there are.
        n: random swaps where they cannot all be tried, and resamples of the interval.
        level: of the interval.
        seed: of the draws.
    Raises:
        EvaluationError: the arrays do not belong together, or there are fewer than two speakers.
    """
    first = _with_seeds(confusion_by_speaker(truth, a, speakers, n_labels))
    second = _with_seeds(confusion_by_speaker(truth, b, speakers, n_labels))

    # Swapping is only defined between runs, so seeds are paired; with unequal numbers both are repeated to a multiple.
    runs = math.lcm(first.shape[1], second.shape[1])
    first = np.tile(first, (1, runs // first.shape[1], 1, 1))
    second = np.tile(second, (1, runs // second.shape[1], 1, 1))

    def difference(pair: list[Floats]) -> Floats:
        return _mean_over_seeds(statistic, pair[0]) - _mean_over_seeds(statistic, pair[1])

    n_speakers = len(first)
    effect = float(difference([first.sum(0, dtype=np.float64), second.sum(0, dtype=np.float64)]))
    exact = n_speakers <= MOST_SPEAKERS_ENUMERATED
    if exact:
        swaps = (np.arange(2**n_speakers)[:, None] >> np.arange(n_speakers)) & 1
    else:
        swaps = np.random.default_rng(seed).integers(0, 2, size=(n, n_speakers))
    both = first + second
    as_extreme = 0
    for chunk in np.array_split(swaps.astype(np.float64), max(1, len(swaps) // 1024)):
        one = np.einsum("ns,s...->n...", chunk, first, optimize=True)
        one += np.einsum("ns,s...->n...", 1 - chunk, second, optimize=True)
        # The tolerance keeps swaps that are equal in truth from being lost to rounding.
        as_extreme += int((np.abs(difference([one, both.sum(0) - one])) >= abs(effect) - 1e-12).sum())
    p_value = as_extreme / len(swaps) if exact else (as_extreme + 1) / (len(swaps) + 1)
    values = _resample([first, second], difference, n=n, seed=seed)
    return Comparison(effect, _percentiles(values, level), float(p_value), exact, n_speakers)


def _with_seeds(matrices: NDArray[np.int64]) -> NDArray[np.int64]:
    return matrices[:, None] if matrices.ndim == 3 else matrices


def _mean_over_seeds(statistic: Statistic, matrices: Floats) -> Floats:
    values: Floats = np.asarray(statistic(matrices), dtype=np.float64).mean(-1)
    return values


def _resample(
    systems: Sequence[NDArray[np.int64]], statistic: Callable[[list[Floats]], Floats], *, n: int, seed: int
) -> Floats:
    """The statistic over n draws of speakers; each system (n_speakers, n_seeds, n_labels, n_labels)."""
    n_speakers = len(systems[0])
    if n_speakers < 2:
        raise EvaluationError(f"an interval over speakers needs at least 2 of them, got {n_speakers}")
    draws = np.random.default_rng(seed).multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), size=n)
    values = []
    for chunk in np.array_split(draws.astype(np.float64), max(1, n // 1024)):
        flat = [chunk @ matrices.reshape(n_speakers, -1) for matrices in systems]
        pooled = [drawn.reshape(-1, *matrices.shape[1:]) for drawn, matrices in zip(flat, systems, strict=True)]
        values.append(statistic(pooled))
    return np.concatenate(values)


def _percentiles(values: Floats, level: float) -> Interval:
    if not 0 < level < 1:
        raise EvaluationError(f"an interval's level is between 0 and 1, got {level}")
    outside = (1 - level) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return Interval(float(low), float(high), level)
