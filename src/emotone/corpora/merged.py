"""Several corpora as one; and `open-four`, what the shipped model learns from.

Conventions: speakers and ids are prefixed with their corpus (`crema-d/1001`), so that no two corpora can share one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emotone.corpora import crema_d, emodb
from emotone.corpora.utterance import Corpus
from emotone.emotions import FOUR_CLASSES


def merge_corpora(name: str, corpora: Sequence[Corpus], classes: Sequence[str]) -> Corpus:
    """One corpus out of several.

    Args:
        name: of the whole.
        corpora: the parts, with different names.
        classes: the label set of the whole; what lies outside is dropped and counted.
    Raises:
        CorpusError: two parts have the same name.
    """
    utterances = []
    dropped: dict[str, int] = {}
    for corpus in corpora:
        part = corpus.with_classes(classes)
        for utterance in part.utterances:
            prefixed = replace(
                utterance,
                id=f"{corpus.name}/{utterance.id}",
                speaker=f"{corpus.name}/{utterance.speaker}",
                session=None if utterance.session is None else f"{corpus.name}/{utterance.session}",
            )
            utterances.append(prefixed)
        dropped.update({f"{corpus.name}: {reason}": count for reason, count in part.dropped.items()})
    return Corpus(
        name=name,
        utterances=tuple(sorted(utterances, key=lambda utterance: utterance.id)),
        classes=tuple(classes),
        licence=" AND ".join(dict.fromkeys(corpus.licence for corpus in corpora)),
        sentences_shared=any(corpus.sentences_shared for corpus in corpora),
        dropped=dropped,
    )


def read_open_four(directory: str | os.PathLike[str]) -> Corpus:
    """The openly licensed corpora in the paper's four classes.

    Args:
        directory: the folder that holds the folders `crema-d` and `emodb`.
    Raises:
        CorpusNotFoundError: one of the two is not there.
    """
    folder = Path(directory)
    parts = (crema_d.read(folder / "crema-d"), emodb.read(folder / "emodb"))
    return merge_corpora("open-four", parts, FOUR_CLASSES)
