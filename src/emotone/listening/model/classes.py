"""Some of a model's classes: which, and their probabilities.

Conventions: a subset keeps the order of the model's labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from emotone.emotions import FOUR_CLASSES, canonical
from emotone.errors import UnknownEmotionError
from emotone.model_files.metadata import ModelMetadata

_TINY = np.finfo(np.float32).tiny

CERTAINLY_UNFAMILIAR = 0.99
"""With a subset of the classes, `unfamiliar` above this is unsure, also in a model that does not measure it."""


def choose(metadata: ModelMetadata, classes: Iterable[str]) -> tuple[tuple[int, ...] | None, float]:
    """Which of a model's labels are meant, and how much sharper or flatter their probabilities become.

    Args:
        metadata: of the model.
        classes: at least two names, in any order; a name that the model does not have is looked up as a synonym.
    Returns:
        positions of the labels, None for all of them; and the model's temperature divided by the subset's, 1 if none
        was fitted.
    Raises:
        UnknownEmotionError: a name that the model does not have, or fewer than two classes.
    """
    if isinstance(classes, str):
        classes = FOUR_CLASSES if classes.strip() == "four" else classes.split(",")
    labels = metadata.labels
    by_name = {label.casefold(): position for position, label in enumerate(labels)}
    chosen = set()
    for name in classes:
        word = str(name).strip()
        position = by_name.get(word.casefold(), by_name.get(canonical(word).casefold()) if word else None)
        if position is None:
            raise UnknownEmotionError(f"the model has no class {name!r}; expected some of {', '.join(labels)}")
        chosen.add(position)
    if len(chosen) < 2:
        raise UnknownEmotionError(f"{len(chosen)} classes; expected at least two of {', '.join(labels)}")
    if len(chosen) == len(labels):
        return None, 1.0
    names = {labels[position] for position in chosen}
    fitted = next((one.temperature for one in metadata.class_sets if set(one.labels) == names), metadata.temperature)
    return tuple(sorted(chosen)), metadata.temperature / fitted


def over_subset(
    probabilities: npt.NDArray[np.float32], positions: Sequence[int], sharpness: float
) -> npt.NDArray[np.float32]:
    """Probabilities over some of the classes: softmax of their logarithms times `sharpness`.

    Args:
        probabilities: over all classes, shape (n, n_classes).
        positions: of the classes to keep.
        sharpness: 1 renormalises.
    Returns:
        shape (n, len(positions)).

    >>> over_subset(np.array([[0.2, 0.2, 0.6]], np.float32), (0, 2), 1.0).round(3).tolist()
    [[0.25, 0.75]]
    """
    logits = sharpness * np.log(np.maximum(probabilities[:, list(positions)].astype(np.float64), _TINY))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)


def beyond_subset(
    probabilities: npt.NDArray[np.float32], positions: Sequence[int], unfamiliar: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """How unfamiliar speech is to some of the classes: entirely, where the others together are more probable.

    A model that knows fear can tell that a frightened voice is none of the four classes that it was asked for.

    Args:
        probabilities: over all classes, shape (n, n_classes).
        positions: of the chosen classes.
        unfamiliar: as the model measures it, shape (n,); NaN where it does not.
    Returns:
        shape (n,): 1 where the chosen classes have less than half of the probability, else `unfamiliar`.

    >>> beyond_subset(np.array([[0.2, 0.2, 0.6]], np.float32), (0, 1), np.array([0.3], np.float32)).tolist()
    [1.0]
    """
    chosen = probabilities[:, list(positions)].sum(axis=1)
    return np.where(chosen < 0.5, np.float32(1), unfamiliar).astype(np.float32)
