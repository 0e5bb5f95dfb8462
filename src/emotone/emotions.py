"""The emotion vocabulary, and how one label set is mapped onto another.

Conventions: a label is a lower-case English noun from `EMOTIONS`; a label set is a tuple of labels whose order is the
order of the model's outputs. Corpora keep all their own labels; a task picks some of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emotone.errors import UnknownEmotionError

EMOTIONS = (
    "neutral",
    "calm",
    "happiness",
    "sadness",
    "anger",
    "fear",
    "disgust",
    "surprise",
    "boredom",
    "excitement",
    "frustration",
    "other",
    "undecided",
)

FOUR_CLASSES = ("neutral", "happiness", "sadness", "anger")
"""The classes of Tripathi et al. (2019), in the order every four-class model of ours uses."""

_SPELLINGS = {
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "fearful": "fear",
    "afraid": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
    "bored": "boredom",
    "excited": "excitement",
    "frustrated": "frustration",
    "joy": "happiness",
}


def canonical(label: str) -> str:
    """The vocabulary's word for a label as people write it.

    Args:
        label: any case, surrounding white space ignored; adjectives such as `angry` are understood.
    Raises:
        UnknownEmotionError: the label is not in the vocabulary.

    >>> canonical(" Angry ")
    'anger'
    """
    word = label.strip().lower()
    word = _SPELLINGS.get(word, word)
    if word not in EMOTIONS:
        raise UnknownEmotionError(f"unknown emotion {label!r}; expected one of {', '.join(EMOTIONS)}")
    return word


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """What a mapping of labels gave.

    Attributes:
        labels: the mapped label of each input, None where it was dropped.
        dropped: how many inputs of each label found no place.
        merged: how many inputs of each label went under another name.
    """

    labels: tuple[str | None, ...]
    dropped: dict[str, int]
    merged: dict[str, int]


def map_labels(labels: Iterable[str], classes: Sequence[str], merge: Mapping[str, str] | None = None) -> LabelMapping:
    """Map labels onto a label set, and say what is lost.

    Args:
        labels: labels from the vocabulary.
        classes: the label set to map onto.
        merge: label -> label, applied first (for example `{"excitement": "happiness"}`).
    Raises:
        UnknownEmotionError: a class or a merge target is not in the vocabulary.

    >>> map_labels(["anger", "boredom"], FOUR_CLASSES).dropped
    {'boredom': 1}
    """
    merge = {canonical(old): canonical(new) for old, new in (merge or {}).items()}
    wanted = {canonical(name) for name in classes}
    mapped: list[str | None] = []
    dropped: Counter[str] = Counter()
    merged: Counter[str] = Counter()
    for label in labels:
        target = merge.get(label, label)
        if target not in wanted:
            dropped[label] += 1
            mapped.append(None)
            continue
        if target != label:
            merged[label] += 1
        mapped.append(target)
    return LabelMapping(tuple(mapped), dict(dropped), dict(merged))
