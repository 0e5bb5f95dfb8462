"""Two rows of the table compared on the same utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emotone.errors import EvaluationError
from emotone.evaluation import metrics, significance
from emotone.experiments.paper_tables.outcome import Answers, Outcome


@dataclass(frozen=True, slots=True)
class RowComparison:
    """Two systems on the same utterances.

    Attributes:
        first: title of the row that should be better.
        second: title of the other.
        seeds: of both; differences are means over them.
        uar: first minus second, UAR.
        accuracy: first minus second, accuracy.
        mcnemar: over the utterances of the first of the seeds.
    """

    first: str
    second: str
    seeds: tuple[int, ...]
    uar: significance.Comparison
    accuracy: significance.Comparison
    mcnemar: significance.McNemar


def compare(first: Outcome, second: Outcome) -> RowComparison | None:
    """The paired tests of two rows, over the seeds that both have; None where no seed is complete in both.

    Raises:
        EvaluationError: they did not score the same utterances.
    """
    one, other = first.answers, second.answers
    if one is None or other is None or first.state != "done" or second.state != "done":
        return None
    seeds = tuple(seed for seed in one.seeds if seed in other.seeds)
    if not seeds:
        return None
    truth, labels = one.truth, one.labels
    a = one.predictions[[one.seeds.index(seed) for seed in seeds]]
    b = other.predictions[[other.seeds.index(seed) for seed in seeds]][:, _places(other, one.utterances)]
    tests = [
        significance.speaker_permutation(truth, a, b, one.speakers, statistic, n_labels=len(labels))
        for statistic in (metrics.uar_of, metrics.accuracy_of)
    ]
    mcnemar = significance.mcnemar(truth, a[0], b[0])
    return RowComparison(first.row.title, second.row.title, seeds, tests[0], tests[1], mcnemar)


def claim(comparison: RowComparison, *, stamp: str = "") -> str:
    """The plain sentence: whether focal loss is better here, and by how much; `stamp` is appended to each figure."""
    stamp = f" {stamp}" if stamp else ""
    uar, accuracy = (
        f"by {signed(test.effect)}{stamp} points ({100 * test.interval.level:.0f} % interval "
        f"{signed(test.interval.low)}{stamp} to {signed(test.interval.high)}{stamp}, "
        f"p {probability(test.p_value, equals='= ')}{stamp})"
        for test in (comparison.uar, comparison.accuracy)
    )
    n_seeds = len(comparison.seeds)
    return (
        f"Focal loss {'raises UAR here' if is_gain(comparison.uar) else 'does not raise UAR here'}: it changes UAR "
        f"{uar} and accuracy {accuracy}, {comparison.first} against {comparison.second}, "
        f"{f'mean of {n_seeds} seeds' if n_seeds > 1 else 'one seed'}; p by swapping the two systems speaker by "
        "speaker."
    )


def is_gain(test: significance.Comparison) -> bool:
    """Whether a difference is positive beyond chance: its interval lies above 0, and p is below 0.05."""
    return test.effect > 0 and test.interval.low > 0 and test.p_value < 0.05


def probability(p: float, *, equals: str = "") -> str:
    """A p-value to three digits; `equals` is put before it where it is not below the smallest that is shown.

    >>> probability(0.0312), probability(0.0312, equals="= "), probability(0.0002, equals="= ")
    ('0.031', '= 0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{equals}{p:.3f}"


def _places(answers: Answers, utterances: Sequence[str]) -> list[int]:
    """The position of each utterance among the answers."""
    place = {name: position for position, name in enumerate(answers.utterances)}
    if missing := [name for name in utterances if name not in place]:
        raise EvaluationError(f"{len(missing)} utterances were scored by one row alone, first {missing[0]!r}")
    return [place[name] for name in utterances]


def signed(share: float) -> str:
    """A difference in points, with its sign; what rounds to nothing is +0.0.

    >>> signed(-0.021), signed(-0.0001)
    ('-2.1', '+0.0')
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}"
