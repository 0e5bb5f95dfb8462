"""Phoneme sequences as numbers.

Conventions: 0 pads, 1 stands for every phoneme that no training speaker said (and for an utterance without any); the
others are numbered from 2 on, commonest first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PADDING, UNKNOWN, FIRST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class PhonemeVocabulary:
    """The phonemes of the training speakers.

    Attributes:
        symbols: commonest first.
    """

    symbols: tuple[str, ...]

    @classmethod
    def learn(cls, sequences: Iterable[Sequence[str]], *, limit: int) -> PhonemeVocabulary:
        """The commonest phonemes of `sequences`.

        Args:
            sequences: of the training speakers alone.
            limit: most numbers there may be, padding and unknown included.
        """
        counts = Counter(phoneme for sequence in sequences for phoneme in sequence)
        ordered = sorted(counts, key=lambda phoneme: (-counts[phoneme], phoneme))
        return cls(tuple(ordered[: limit - FIRST]))

    def encode(self, sequences: Sequence[Sequence[str] | None]) -> Tensor:
        """Numbers of shape (n, longest), padded with 0; an utterance without phonemes is one unknown.

        >>> PhonemeVocabulary(("a", "b")).encode([["b", "x"], None]).tolist()
        [[3, 1], [1, 0]]
        """
        number = {symbol: position for position, symbol in enumerate(self.symbols, start=FIRST)}
        rows = [[number.get(phoneme, UNKNOWN) for phoneme in sequence or ()] or [UNKNOWN] for sequence in sequences]
        encoded = torch.full((len(rows), max(map(len, rows))), PADDING, dtype=torch.long)
        for row, numbers in zip(encoded, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return encoded
