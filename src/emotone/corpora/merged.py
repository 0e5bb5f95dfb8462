"""Several corpora as one; and those that the models of this project are trained on.

Conventions: speakers and ids are prefixed with their corpus (`crema-d/1001`), so that no two corpora can share one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from emotone.corpora.origins import MERGED_FROM
from emotone.corpora.readers import crema_d, emodb, emogator, nemo, ravdess
from emotone.corpora.release import read_release
from emotone.corpora.utterance import Corpus
from emotone.emotions import FOUR_CLASSES, SIX_CLASSES


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


def read_merged(name: str, directory: str | os.PathLike[str]) -> Corpus:
    """One of the merged corpora that the models of this project are trained on.

    Args:
        name: "open-four" and "open-six" hold openly licensed corpora alone, in the paper's four classes and in six;
            "research-six" holds corpora for research besides, under CC BY-NC-SA 4.0.
        directory: the folder that holds a folder for each of `origins.MERGED_FROM`, named like it.
    Raises:
        CorpusNotFoundError: one of them is not there.
    """
    classes = FOUR_CLASSES if name == "open-four" else SIX_CLASSES
    return merge_corpora(name, [_READERS[part](Path(directory) / part) for part in MERGED_FROM[name]], classes)


_READERS: dict[str, Callable[[Path], Corpus]] = {
    "crema-d": crema_d.read,
    "emodb": emodb.read,
    "emogator": partial(read_release, emogator.RELEASE),
    "nemo": nemo.read,
    "ravdess": partial(read_release, ravdess.RELEASE),
}

PART_LICENCES = {one.RELEASE.name: one.RELEASE.licence for one in (crema_d, emodb, emogator, nemo, ravdess)}
"""Licence of each part of the merged corpora."""
