"""What a model file says of its training and of its scores, taken from the run that made it."""

from __future__ import annotations

from typing import Any

from emotone.errors import EvaluationError
from emotone.evaluation.results import Results
from emotone.model_file import Score, TrainingCorpus

_PARTS = {
    "open-four": (("crema-d", "ODbL-1.0"), ("emodb", "CC0-1.0")),
}
"""Merged corpora, and what they are made of."""


def training_corpora(about: dict[str, Any]) -> tuple[TrainingCorpus, ...]:
    """The corpora that a run's weights have seen, with their licences."""
    parts = _PARTS.get(about["corpus"], ((about["corpus"], about.get("licence", "unstated")),))
    return tuple(TrainingCorpus(name, licence, "training") for name, licence in parts)


def score_of(results: Results, *, note: str = "") -> Score:
    """A result as it stands in a model file.

    Raises:
        EvaluationError: it has no interval, because a single speaker was tested.
    """
    interval = results.pooled.uar_interval
    if interval is None:
        raise EvaluationError(
            f"the score on {results.corpus} has no interval (one speaker); it cannot stand in a model file"
        )
    return Score(
        corpus=results.corpus,
        protocol=results.protocol,
        n=results.n,
        uar=results.pooled.uar,
        uar_low=interval.low,
        uar_high=interval.high,
        accuracy=results.pooled.accuracy,
        fold_hash=results.fold_hash,
        speaker_independent=results.speaker_independent,
        note=note,
    )
