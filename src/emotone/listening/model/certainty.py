"""When an answer is unsure, and why.

Conventions: a reason is a short phrase from the constants below; empty for an answer that is sure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LOW_CONFIDENCE = "low confidence"
NARROW_MARGIN = "close to the runner-up"
UNFAMILIAR = "unfamiliar speech"
TOO_SHORT = "too short"
NO_SPEECH = "no speech"
NO_SPEECH_FOUND = "no speech detected"


@dataclass(frozen=True, slots=True)
class UnsureRule:
    """An answer is unsure if one of these holds.

    Attributes:
        confidence: the highest probability is below this.
        margin: the highest probability exceeds the second highest by less than this.
        unfamiliar: the speech is farther from the training data than this quantile, in [0, 1].
    """

    confidence: float = 0.0
    margin: float = 0.0
    unfamiliar: float = 1.0

    def reason(self, probabilities: Mapping[str, float], unfamiliar: float | None = None) -> str:
        """Why an answer is unsure; empty if it is sure.

        Args:
            probabilities: of each class; empty without speech.
            unfamiliar: in [0, 1]; None if the model does not measure it.

        >>> UnsureRule(0.5, margin=0.1).reason({"anger": 0.51, "neutral": 0.49})
        'close to the runner-up'
        """
        if not probabilities:
            return NO_SPEECH
        best, *others = sorted(probabilities.values(), reverse=True)
        if best < self.confidence:
            return LOW_CONFIDENCE
        if others and best - others[0] < self.margin:
            return NARROW_MARGIN
        if unfamiliar is not None and unfamiliar > self.unfamiliar:
            return UNFAMILIAR
        return ""


def known(value: float) -> float | None:
    """A number, or None for NaN, which means "not measured" in arrays.

    >>> known(0.5), known(float("nan"))
    (0.5, None)
    """
    return None if math.isnan(value) else float(value)
