"""The leaky protocols, to show how much of a published number is protocol. Every figure of theirs is stamped LEAKY.

They are defined here only and never go through `corpora.folds`, which has no switch to allow a speaker in two parts.

- `random`: utterances are dealt out at random, so that test speakers are also training speakers.
- `epoch`: folds disjoint by speaker, but the epoch and the temperature are chosen on the test fold itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from emotone.corpora import Corpus, Folds, Split
from emotone.errors import CorpusError

Leak = Literal["random", "epoch"]

STAMP = "LEAKY"


@dataclass(frozen=True, eq=False)
class LeakyFold:
    """A split whose parts are not apart.

    Attributes:
        split: positions of each part's utterances.
        validation: speakers of the validation part.
        test: speakers of the test part.
    """

    split: Split
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def indices(self, corpus: Corpus) -> Split:
        """The split as it was made; nothing is refused."""
        return self.split


@dataclass(frozen=True, eq=False)
class LeakyFolds:
    """A leaky protocol as it applies to one corpus.

    Attributes:
        protocol: its name, which begins with LEAKY.
        folds: in order.
        hash: 12 hexadecimal digits that change with any utterance of any part.
        speaker_independent: always false.
    """

    protocol: str
    folds: tuple[LeakyFold, ...]
    hash: str
    speaker_independent: bool = False


def leaky_folds(corpus: Corpus, honest: Folds, leak: Leak, *, seed: int = 0) -> LeakyFolds:
    """A leaky counterpart of an honest protocol, with as many folds.

    Args:
        corpus: the task.
        honest: its speaker-disjoint folds.
        leak: which leak.
        seed: of the random split.
    Raises:
        CorpusError: no such leak, or fewer utterances than folds.
    """
    if leak == "random":
        name = f"{STAMP} random split, {len(honest.folds)} parts"
        splits = _random_splits(corpus, len(honest.folds), seed)
    elif leak == "epoch":
        name = f"{STAMP} epoch chosen on the test fold, {honest.protocol}"
        own = [fold.indices(corpus) for fold in honest.folds]
        splits = [Split(split.train, split.test, split.test) for split in own]
    else:
        raise CorpusError(f"unknown leak {leak!r}; expected one of {', '.join(get_args(Leak))}")
    folds = tuple(
        LeakyFold(split, _speakers(corpus, split.validation), _speakers(corpus, split.test)) for split in splits
    )
    digest = hashlib.sha256(f"{name}\n{honest.hash}\n{seed}\n".encode())
    for split in splits:
        for part in (split.train, split.validation, split.test):
            digest.update(("\n".join(corpus.utterances[index].id for index in part) + "\n\n").encode())
    return LeakyFolds(name, folds, digest.hexdigest()[:12])


def _random_splits(corpus: Corpus, n_parts: int, seed: int) -> list[Split]:
    n = len(corpus.utterances)
    if n_parts < 3 or n < n_parts:
        raise CorpusError(f"got {n} utterances and {n_parts} parts; a random split needs at least 3 parts, none empty")
    parts = np.array_split(np.random.Generator(np.random.PCG64(seed)).permutation(n).astype(np.int64), n_parts)
    splits = []
    for fold in range(n_parts):
        following = (fold + 1) % n_parts
        rest = [part for number, part in enumerate(parts) if number not in (fold, following)]
        splits.append(Split(np.sort(np.concatenate(rest)), np.sort(parts[following]), np.sort(parts[fold])))
    return splits


def _speakers(corpus: Corpus, indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[str, ...]:
    return tuple(sorted({corpus.utterances[index].speaker for index in indices.tolist()}))
