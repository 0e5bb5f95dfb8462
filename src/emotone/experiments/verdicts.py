"""Two rows of the table against each other, on the same utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotone.evaluation import metrics, significance
from emotone.experiments.tables import Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two systems on the same utterances.

    Attributes:
        first: title of the one that should be better.
        second: title of the other.
        uar: first minus second, UAR.
        accuracy: first minus second, accuracy.
        mcnemar: over the utterances of the first seed.
    """

    first: str
    second: str
    uar: significance.Comparison
    accuracy: significance.Comparison
    mcnemar: significance.McNemar


def compare(first: Outcome, second: Outcome) -> Verdict | None:
    """The paired tests of two rows; None where one of them has no figure."""
    if not first.predictions or not second.predictions:
        return None
    n_runs = min(len(first.predictions), len(second.predictions))
    one, other = first.predictions[:n_runs], second.predictions[:n_runs]
    truth, labels = one[0].truth, one[0].labels
    order = {name: position for position, name in enumerate(one[0].utterances)}
    a = np.stack([run.prediction[_rows(run.utterances, order)] for run in one])
    b = np.stack([run.prediction[_rows(run.utterances, order)] for run in other])
    tests = [
        significance.speaker_permutation(truth, a, b, one[0].speakers, statistic, n_labels=len(labels))
        for statistic in (metrics.uar_of, metrics.accuracy_of)
    ]
    return Verdict(first.row.title, second.row.title, tests[0], tests[1], significance.mcnemar(truth, a[0], b[0]))


def claim(verdict: Verdict, *, stamp: str = "") -> str:
    """The plain sentence: whether focal loss is better here, and by how much; `stamp` stands behind each figure."""
    test = verdict.uar
    holds = test.effect > 0 and test.interval.low > 0 and test.p_value < 0.05
    stamp = f" {stamp}" if stamp else ""
    return (
        f"The paper's claim {'holds' if holds else 'does not hold'} here, by {signed(test.effect)}{stamp} points "
        f"of UAR ({100 * test.interval.level:.0f} % interval {signed(test.interval.low)}{stamp} to "
        f"{signed(test.interval.high)}{stamp}, p = {test.p_value:.3f}{stamp} by swapping the two systems speaker by "
        f"speaker) and {signed(verdict.accuracy.effect)}{stamp} points of accuracy: {verdict.first} against "
        f"{verdict.second}."
    )


def _rows(names: Sequence[str], order: dict[str, int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where each utterance of `order` stands among `names`."""
    place = {name: position for position, name in enumerate(names)}
    return np.array([place[name] for name in order], dtype=np.int64)


def signed(share: float) -> str:
    """A difference in points, with its sign."""
    return f"{100 * share:+.1f}"
