"""What a recognizer says of one recording.

Conventions: probabilities are calibrated, add up to 1, and stand in the order of the model's labels; times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Recognition:
    """One recording, judged as a whole.

    Attributes:
        source: where the sound came from, as given; `<waveform>` and the like where it has no name.
        emotion: the most probable label.
        probabilities: of each label, in the order of the model's outputs.
        unsure: True where the highest probability is under the threshold.
        duration_s: of the sound, at the model's sample rate.
        embedding: shape (d,), what the model made of the sound before it decided; kept out of comparisons.
    """

    source: str
    emotion: str
    probabilities: Mapping[str, float]
    unsure: bool
    duration_s: float
    embedding: npt.NDArray[np.float32] = field(compare=False, repr=False)

    @property
    def confidence(self) -> float:
        """The highest probability."""
        return self.probabilities[self.emotion]
