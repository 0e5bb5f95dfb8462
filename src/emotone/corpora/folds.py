"""Speaker-disjoint protocols: who trains, who validates, who is tested.

Conventions: a fold is a split of speakers into three parts. Validation speakers choose the epoch and the temperature;
test speakers choose nothing. A speaker in two parts is a `SpeakerLeakError`, and there is no switch to allow it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from emotone.corpora.utterance import Corpus
from emotone.errors import CorpusError, SpeakerLeakError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Positions in `Corpus.utterances`, one integer array a part, each of shape (n_utterances_of_part,)."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fold:
    """One split of the speakers.

    Attributes:
        index: from 0.
        train: speakers, sorted.
        validation: speakers, sorted.
        test: speakers, sorted.
    Raises:
        SpeakerLeakError: a speaker is in two parts.
        CorpusError: a part has no speaker.
    """

    index: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        for one, other in combinations(PARTS, 2):
            if both := sorted(set(getattr(self, one)) & set(getattr(self, other))):
                raise SpeakerLeakError(f"fold {self.index}: speakers {shown(both)} are in {one} and in {other} too")
        for part in PARTS:
            if not getattr(self, part):
                raise CorpusError(f"fold {self.index} has no {part} speaker; each part needs at least one")

    def indices(self, corpus: Corpus) -> Split:
        """The positions of each part's utterances in the corpus.

        Raises:
            CorpusError: a speaker of the corpus is in no part.
            SpeakerLeakError: an utterance of one part is spoken by a speaker of another.
        """
        part_of = {speaker: part for part in PARTS for speaker in getattr(self, part)}
        positions: dict[str, list[int]] = {part: [] for part in PARTS}
        for position, utterance in enumerate(corpus.utterances):
            if utterance.speaker not in part_of:
                raise CorpusError(
                    f"fold {self.index}: speaker {utterance.speaker} of {corpus.name} is in no part; the fold was made "
                    "for another corpus"
                )
            positions[part_of[utterance.speaker]].append(position)
        split = Split(*(np.asarray(positions[part], dtype=np.int64) for part in PARTS))
        require_disjoint(corpus, split)
        return split


@dataclass(frozen=True, slots=True)
class Folds:
    """A protocol as it applies to one corpus.

    Attributes:
        protocol: its name; shown with every score.
        folds: in order.
        hash: 12 hexadecimal digits that change with any utterance or speaker of any part.
        speaker_independent: always true of the protocols made here.
    """

    protocol: str
    folds: tuple[Fold, ...]
    hash: str
    speaker_independent: bool = True


def require_disjoint(corpus: Corpus, split: Split) -> None:
    """Check the utterances of any split.

    Raises:
        SpeakerLeakError: a speaker has utterances in two parts.
    """
    speakers = {
        part: {corpus.utterances[position].speaker for position in getattr(split, part).tolist()} for part in PARTS
    }
    for one, other in combinations(PARTS, 2):
        if both := sorted(speakers[one] & speakers[other]):
            raise SpeakerLeakError(
                f"{corpus.name}: speakers {shown(both)} have utterances in {one} and in {other}; split by speaker"
            )


def fold_hash(corpus: Corpus, protocol: str, folds: Sequence[Fold]) -> str:
    """12 hexadecimal digits of the SHA-256 over the protocol and every utterance of every part of every fold."""
    digest = hashlib.sha256(f"{protocol}\n".encode())
    for fold in folds:
        split = fold.indices(corpus)
        for part in PARTS:
            digest.update(f"fold {fold.index} {part}\n".encode())
            lines = sorted(
                f"{corpus.utterances[position].id}\t{corpus.utterances[position].speaker}\n"
                for position in getattr(split, part).tolist()
            )
            digest.update("".join(lines).encode())
    return digest.hexdigest()[:12]


def shown(speakers: Sequence[str]) -> str:
    """The first eight names, and how many more there are."""
    return ", ".join(speakers[:8]) + (f" and {len(speakers) - 8} more" if len(speakers) > 8 else "")
