"""The end of a stream of sound, kept while later windows need it.

Conventions: positions are samples from the stream's beginning.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from typing import Self

import numpy as np

from emotone.listening.sound.sources import Waveform


class KeptSound:
    """Blocks of one channel, joined to pieces of a second or more.

    Args:
        sample_rate: in Hz.
    Attributes:
        n_samples: of the whole stream so far.
    """

    def __init__(self, sample_rate: int) -> None:
        self.n_samples = 0
        self._rate = sample_rate
        self._pieces: deque[tuple[int, Waveform]] = deque()

    def __deepcopy__(self, memo: object) -> Self:
        # The pieces are never changed, so that copies can share them.
        other = copy(self)
        other._pieces = deque(self._pieces)
        return other

    def add(self, block: Waveform) -> None:
        """Keep a block, shape (n_samples,); a copy, since callers may reuse theirs."""
        at, block = self.n_samples, np.array(block, dtype=np.float32)
        self.n_samples += len(block)
        if self._pieces and len(self._pieces[-1][1]) < self._rate:
            at, start = self._pieces.pop()
            block = np.concatenate([start, block])
        self._pieces.append((at, block))

    def read(self, start: int, end: int) -> Waveform:
        """The samples between two positions, both of which are still kept, shape (end - start,)."""
        return np.concatenate(
            [piece[max(0, start - at) : end - at] for at, piece in self._pieces if at < end and at + len(piece) > start]
        )

    def forget_before(self, position: int) -> None:
        """Drop the pieces that end before a position."""
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= position:
            self._pieces.popleft()
