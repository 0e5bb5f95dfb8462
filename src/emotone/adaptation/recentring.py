"""Adaptation without labels: recentre a model on recordings of the user's own.

A model tends to predict one class too often for a microphone, a room or a language that it was not trained on. A
constant is added to its logits, chosen so that the mean probability of every class over the user's recordings is the
same, and multiplied by n / (n + 20) for n recordings.

This assumes that the classes are about equally frequent in the recordings; those that do not occur can be left out, and
keep their place. On EmoDB and RAVDESS it was better than
moving the mean of the embedding to that of the training data, and lost little where 90 % of the recordings were neutral
(EXPERIMENTS.md, 2026-11-26).

References:
    Saerens, Latinne & Decaestecker (2002): Adjusting the outputs of a classifier to new a priori probabilities.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotone import __version__
from emotone.adaptation.graph import FLOOR, with_logit_shift
from emotone.adaptation.recordings import Recordings
from emotone.listening.model.classes import choose
from emotone.model_files.metadata import ModelMetadata, TrainingCorpus
from emotone.model_files.model_file import with_metadata

SHRINKAGE = 20
"""The shift counts n / (n + SHRINKAGE): half of it with 20 recordings, five sixths with 100."""

ROLE = "recentred on, without labels"
DOMINANT = 0.8
"""A class that is predicted for more than this share of the recordings is warned of."""

_STEPS = 500
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Recentred:
    """A recentred model and what changed.

    Attributes:
        content: the bytes of the new model file.
        metadata: its metadata.
        shift: added to the logits, shape (n_classes,), after shrinkage; its mean is 0, and so is that of a class that
            was left out.
        weight: n / (n + SHRINKAGE).
        before: share of the recordings that each class was predicted for, shape (n_classes,).
        after: the same with the new model.
        changed: how many recordings have another prediction now.
        warnings: sentences on recordings that are not suitable.
        classes: whose logits were shifted.
    """

    content: bytes
    metadata: ModelMetadata
    shift: Floats
    weight: float
    before: Floats
    after: Floats
    changed: int
    warnings: tuple[str, ...]
    classes: tuple[str, ...]


def recentre(
    content: bytes,
    metadata: ModelMetadata,
    recordings: Recordings,
    *,
    name: str,
    corpus: str,
    classes: str | Iterable[str] | None = None,
) -> Recentred:
    """Recentre a model on recordings without labels.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        recordings: the outputs of this model for the recordings.
        name: of the new model.
        corpus: a name for the recordings, for the metadata.
        classes: those that occur in the recordings; only their logits are shifted. None for all.
    Raises:
        UnknownEmotionError: a class that the model does not have, or fewer than two.
        ModelFileError: the graph is not that of a model file.
        MissingExtraError: the extra `adapt` is not installed.
    """
    logarithms = np.log(np.maximum(recordings.probabilities, FLOOR))
    n = len(recordings)
    weight = n / (n + SHRINKAGE)
    chosen = None if classes is None else choose(metadata, classes)[0]
    columns = list(range(len(metadata.labels)) if chosen is None else chosen)
    named = [metadata.labels[one] for one in columns]
    shift = np.zeros(len(metadata.labels))
    shift[columns] = weight * balancing_shift(logarithms[:, columns])
    before, after = logarithms.argmax(1), (logarithms + shift).argmax(1)
    shares = [np.bincount(one, minlength=len(metadata.labels)) / n for one in (before, after)]
    adapted = adapted_metadata(
        content,
        metadata,
        name=name,
        corpus=TrainingCorpus(corpus, "user data", ROLE),
        settings={
            "kind": "recentred",
            "n": n,
            "weight": weight,
            "classes": named,
            "shift": [round(float(one), 6) for one in shift],
        },
    )
    return Recentred(
        content=with_metadata(with_logit_shift(content, shift), adapted),
        metadata=adapted,
        shift=shift,
        weight=weight,
        before=shares[0],
        after=shares[1],
        changed=int((before != after).sum()),
        warnings=tuple(_warnings(metadata.labels, shares[0], recordings)),
        classes=tuple(named),
    )


def balancing_shift(logarithms: Floats, weights: Floats | None = None) -> Floats:
    """The constant that makes the mean probabilities of all classes equal.

    Args:
        logarithms: of probabilities, shape (n, n_classes).
        weights: of the rows in the mean, shape (n,), with sum 1; None for equal ones.
    Returns:
        shape (n_classes,), with mean 0.

    >>> balancing_shift(np.log([[0.8, 0.2], [0.8, 0.2]])).round(3).tolist()
    [-0.693, 0.693]
    """
    n_classes = logarithms.shape[1]
    shift = np.zeros(n_classes)
    for _ in range(_STEPS):
        scores = logarithms + shift
        probabilities = np.exp(scores - scores.max(1, keepdims=True))
        mean = np.average(probabilities / probabilities.sum(1, keepdims=True), axis=0, weights=weights)
        # Half a step: the full one may swing from one class to another where recordings are few and answers sharp.
        step = -0.5 * np.log(np.maximum(mean * n_classes, FLOOR))
        shift += step
        if np.abs(step).max() < 1e-6:
            break
    centred: Floats = shift - shift.mean()
    return centred


def adapted_metadata(
    content: bytes, metadata: ModelMetadata, *, name: str, corpus: TrainingCorpus, settings: dict[str, object]
) -> ModelMetadata:
    """The metadata of an adapted model: what it was made from and how; scores of the unadapted model are dropped.

    Args:
        content: the bytes of the unadapted model file.
        metadata: its metadata.
        name: of the new model.
        corpus: the user's recordings.
        settings: how it was adapted, stored in the recipe under `adaptation`.
    """
    origin = {"name": metadata.name, "sha256": hashlib.sha256(content).hexdigest()}
    return dataclasses.replace(
        metadata,
        name=name,
        recipe={**metadata.recipe, "adaptation": {**settings, "from": origin}},
        corpora=(*metadata.corpora, corpus),
        scores=(),
        emotone_version=__version__,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _warnings(labels: tuple[str, ...], shares: Floats, recordings: Recordings) -> list[str]:
    said = []
    if shares.max() > DOMINANT:
        said.append(
            f"the unadapted model predicts {labels[int(shares.argmax())]} for {shares.max():.0%} of the recordings. If "
            "they really express one emotion, add recordings with other emotions"
        )
    # Copies of one recording, or one sentence repeated.
    spread = recordings.embeddings.std(0).mean()
    size = np.abs(recordings.embeddings).mean()
    if spread < 0.02 * size:
        said.append("the recordings are nearly identical; use recordings of several speakers and sentences")
    return said
