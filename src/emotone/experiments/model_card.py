"""What a model file says of its training and of its scores, taken from the run that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emotone.evaluation.results import Results
from emotone.model_file import Score, TrainingCorpus

_PARTS = {
    "open-four": (("crema-d", "ODbL-1.0"), ("emodb", "CC0-1.0")),
}
"""Merged corpora, and what they are made of."""


def training_corpora(about: dict[str, Any], test_speakers: Sequence[str]) -> tuple[TrainingCorpus, ...]:
    """The corpora that a run's weights have seen, with their licences and the speakers that were held out.

    Args:
        about: what the weights say of themselves.
        test_speakers: of the run's fold; in a merged corpus they are prefixed with the part's name.
    """
    parts = _PARTS.get(about["corpus"])
    if parts is None:
        return (TrainingCorpus(about["corpus"], about.get("licence", "unstated"), "training", tuple(test_speakers)),)
    return tuple(
        TrainingCorpus(
            name,
            licence,
            "training",
            tuple(speaker.removeprefix(f"{name}/") for speaker in test_speakers if speaker.startswith(f"{name}/")),
        )
        for name, licence in parts
    )


def score_of(results: Results, *, note: str = "") -> Score | None:
    """A result as it stands in a model file; None where a single speaker was tested, so that there is no interval."""
    interval = results.pooled.uar_interval
    if interval is None:
        return None
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
