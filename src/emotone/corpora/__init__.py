"""Where labelled recordings come from: one small reader a corpus, manifests, speaker-disjoint protocols."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from emotone.corpora import manifest, merged
from emotone.corpora.folds import Fold, Folds, Split
from emotone.corpora.merged import merge_corpora
from emotone.corpora.origins import origin
from emotone.corpora.protocols import PROTOCOLS, protocol_folds
from emotone.corpora.readers import crema_d, emodb, emogator, emovo, iemocap, nemo, ravdess, savee, tess, urdu
from emotone.corpora.release import read_release, unreadable
from emotone.corpora.utterance import Corpus, Utterance
from emotone.errors import CorpusError

__all__ = [
    "CORPUS_NAMES",
    "PROTOCOLS",
    "Corpus",
    "Fold",
    "Folds",
    "Split",
    "Utterance",
    "merge_corpora",
    "origin",
    "protocol_folds",
    "read_corpus",
]

_READERS: dict[str, Callable[..., Corpus]] = {
    "crema-d": crema_d.read,
    "crema-d-imbalanced": crema_d.read_imbalanced,
    "emodb": emodb.read,
    "emogator": partial(read_release, emogator.RELEASE),
    "emovo": partial(read_release, emovo.RELEASE),
    "iemocap": iemocap.read,
    "manifest": manifest.read,
    "nemo": nemo.read,
    "open-four": partial(merged.read_merged, "open-four"),
    "open-six": partial(merged.read_merged, "open-six"),
    "research-six": partial(merged.read_merged, "research-six"),
    "ravdess": partial(read_release, ravdess.RELEASE),
    "savee": partial(read_release, savee.RELEASE),
    "tess": partial(read_release, tess.RELEASE),
    "urdu": partial(read_release, urdu.RELEASE),
}

CORPUS_NAMES = tuple(_READERS)
"""Every name that `read_corpus` knows."""


def read_corpus(
    name: str, directory: str | os.PathLike[str], *, labels: Mapping[str, str] | None = None, **options: Any
) -> Corpus:
    """Read a corpus by name. No audio is decoded.

    Args:
        name: one of `CORPUS_NAMES`.
        directory: its folder; for `manifest`, the manifest.
        labels: rules that rename labels, such as `{"annoyed": "anger"}`; see `emotone.emotions`.
        options: the reader's own, such as `phonemes=True` for EmoDB.
    Raises:
        CorpusError: no such name or option.
        CorpusNotFoundError: the folder does not hold the corpus.
    """
    reader = _READERS.get(name)
    if reader is None:
        raise CorpusError(f"unknown corpus {name!r}; expected one of {', '.join(CORPUS_NAMES)}")
    known = [
        option
        for option in inspect.signature(reader).parameters
        if option not in ("release", "directory", "path", "labels")
    ]
    if unknown := sorted(set(options) - set(known)):
        raise CorpusError(
            f"corpus {name} has no option {', '.join(unknown)}; it has {', '.join(known) if known else 'none'}"
        )
    try:
        if reader is manifest.read:
            # Here the rules apply to the labels as they are written, before synonyms are replaced.
            return manifest.read(directory, labels=labels, **options)
        return reader(directory, **options).with_labels(labels or {})
    except OSError as error:
        raise unreadable(name, error) from error
