"""Turns: who speaks when, as a diarizer, a transcriber or a person has written it down.

Conventions: times are in seconds from the beginning of the recording.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from emotone.errors import TurnsError

SHORTEST_TURN_S = 0.3
"""Anything shorter is a "yes" at most, and too little to classify."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One person speaking.

    Attributes:
        start_s: in seconds.
        end_s: in seconds; infinite for "until the recording ends".
        speaker: empty if unknown.
        text: what is said; empty if unknown.
    Raises:
        TurnsError: a time that is negative or not a number.
    """

    start_s: float
    end_s: float
    speaker: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and self.start_s >= 0.0) or not self.end_s >= 0.0:
            raise TurnsError(f"a turn from {self.start_s} to {self.end_s} s; expected times of 0 s or later")


def clean_text(text: str) -> str:
    r"""Text on one line, without control characters.

    >>> clean_text("  two\nlines ")
    'two lines'
    """
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
