"""Predictions of a model for a batch of waveforms.

Conventions: one row per waveform, in the order in which they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from emotone.listening.model.certainty import UnsureRule
from emotone.listening.sound.sources import Waveform
from emotone.model_files.metadata import ModelMetadata

Prediction: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], np.float32]
"""Of one waveform: probabilities (n_classes,), embedding (d,), unfamiliar."""


class Predictions(NamedTuple):
    """Of a batch.

    Attributes:
        probabilities: shape (n, n_classes).
        embeddings: shape (n, d).
        unfamiliar: shape (n,), in [0, 1]; NaN if the model does not measure it.
    """

    probabilities: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]
    unfamiliar: npt.NDArray[np.float32]

    def rows(self) -> list[Prediction]:
        """One prediction per waveform."""
        return list(zip(*self, strict=True))


class Classifier(Protocol):
    """The part of a recognizer that timelines and recordings use.

    Attributes:
        metadata: of its model.
    """

    metadata: ModelMetadata

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        ...

    @property
    def unsure_rule(self) -> UnsureRule:
        """When an answer is unsure."""
        ...

    @property
    def baseline_name(self) -> str | None:
        """The baseline that predictions are relative to; None for none."""
        ...

    def classify(self, waveforms: Sequence[Waveform]) -> Predictions:
        """Classify whole waveforms."""
        ...
