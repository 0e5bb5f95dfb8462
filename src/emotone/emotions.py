"""The emotion vocabulary, and the rules by which labels of other sources map onto it.

Conventions: the vocabulary is open. `EMOTIONS` are the names that emotone's own corpora use; synonyms of them (`angry`,
`Joy`, `hap`) map onto them by default; rules of the user's own (`annoyed` -> `anger`) come first; any other name is
kept as it is. A label set is a tuple of labels in the order of the model's outputs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

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

SIX_CLASSES = (*FOUR_CLASSES, "fear", "disgust")
"""The classes of CREMA-D, and of the shipped model."""

SYNONYMS = {
    "afraid": "fear",
    "ang": "anger",
    "angry": "anger",
    "bored": "boredom",
    "calmness": "calm",
    "dis": "disgust",
    "disgusted": "disgust",
    "exc": "excitement",
    "excited": "excitement",
    "fea": "fear",
    "fearful": "fear",
    "frightened": "fear",
    "fru": "frustration",
    "frustrated": "frustration",
    "hap": "happiness",
    "happy": "happiness",
    "joy": "happiness",
    "joyful": "happiness",
    "neu": "neutral",
    "neutrality": "neutral",
    "pleasant surprise": "surprise",
    "sad": "sadness",
    "scared": "fear",
    "sur": "surprise",
    "surprised": "surprise",
}
"""Other words for names in the vocabulary, among them the three-letter codes of public corpora."""

LONGEST_NAME = 60
_CLOSE = 0.8
"""Similarity (difflib) from which a name counts as a misspelling: `angery` and `anger` have 0.91, `stressed` none."""


def canonical(label: str) -> str:
    """The vocabulary's name for a label; a label that is neither in it nor a synonym is returned as it is.

    Args:
        label: any case; surrounding white space is removed, and inner white space and `_` count as one space when a
            synonym is looked up.
    Raises:
        UnknownEmotionError: the label is empty, longer than `LONGEST_NAME`, or not printable.

    >>> canonical(" Angry "), canonical("Stressed")
    ('anger', 'Stressed')
    """
    name = label.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UnknownEmotionError(
            f"got {label[: 2 * LONGEST_NAME]!r} as a label; expected 1 to {LONGEST_NAME} printable characters"
        )
    word = _key(name)
    word = SYNONYMS.get(word, word)
    return word if word in EMOTIONS else name


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Each label once: those of the vocabulary in its order, then the others by alphabet.

    >>> in_order(["stressed", "fear", "neutral", "fear"])
    ('neutral', 'fear', 'stressed')
    """
    present = set(labels)
    return (*(name for name in EMOTIONS if name in present), *sorted(present.difference(EMOTIONS)))


def parse_classes(text: str) -> tuple[str, ...]:
    """The label set in a text such as `happy,sad,stressed`, in its order; `four` means `FOUR_CLASSES`.

    Raises:
        UnknownEmotionError: fewer than two classes, a class named twice, or an impossible name.

    >>> parse_classes("happy, stressed")
    ('happiness', 'stressed')
    """
    if text.strip() == "four":
        return FOUR_CLASSES
    names = tuple(canonical(part) for part in text.split(","))
    if len(names) < 2 or len(set(names)) < len(names):
        raise UnknownEmotionError(
            f"got {text!r} as classes; expected at least two different classes, such as neutral,anger"
        )
    return names


def parse_rules(text: str) -> dict[str, str]:
    """The rules in a text such as `annoyed=anger,happy=happiness`: label -> label.

    Raises:
        UnknownEmotionError: a part without `=`, one label with two targets, or an impossible name.

    >>> parse_rules("annoyed=anger, joy=joy")
    {'annoyed': 'anger', 'joy': 'joy'}
    """
    rules: dict[str, str] = {}
    for part in text.split(","):
        old, separator, new = part.partition("=")
        if not separator or not old.strip() or not new.strip():
            raise UnknownEmotionError(f"got {part.strip()!r} as a rule; expected old=new, such as annoyed=anger")
        if rules.setdefault(old.strip(), new.strip()) != new.strip():
            raise UnknownEmotionError(
                f"got two rules for {old.strip()!r}, {rules[old.strip()]!r} and {new.strip()!r}; expected one"
            )
    return rules


def resolve_labels(labels: Collection[str], rules: Mapping[str, str] | None = None) -> dict[str, str]:
    """What each label becomes.

    A rule for the label as it is written comes first, then a rule for its canonical name, then a rule for a synonym
    where no other rule speaks of the label; otherwise the label becomes its canonical name. Case does not matter. A
    rule such as `joy=joy` keeps a synonym as a class of its own.

    Args:
        labels: as they are written in the source.
        rules: label -> label.
    Raises:
        UnknownEmotionError: an impossible name, or two rules that differ only in case and in their target.

    >>> resolve_labels(["happy", "annoyed", "Stressed"], {"annoyed": "angry"})
    {'happy': 'happiness', 'annoyed': 'anger', 'Stressed': 'Stressed'}
    """
    targets: dict[str, str] = {}
    for old, new in (rules or {}).items():
        target = new.strip() if _key(old) == _key(new) else canonical(new)
        if targets.setdefault(_key(old), target) != target:
            raise UnknownEmotionError(
                f"got two rules for {old.strip()!r}, {targets[_key(old)]!r} and {target!r}; expected one"
            )
    written = {_key(label) for label in labels} | {_key(canonical(label)) for label in labels}
    by_synonym = {_key(canonical(old)): target for old, target in targets.items() if old not in written}
    resolved: dict[str, str] = {}
    for label in labels:
        name = canonical(label)
        resolved[label] = targets.get(_key(label), targets.get(_key(name), by_synonym.get(_key(name), name)))
    return resolved


def hints(labels: Collection[str], rules: Mapping[str, str] | None = None) -> list[str]:
    """Sentences about labels that look like mistakes: close to a known name, alike but for case, or a rule unused.

    Args:
        labels: as they are written in the source.
        rules: label -> label, applied first.

    >>> hints(["angery", "stressed"])
    ["'angery' is kept as a class of its own; if you mean 'anger', use --map 'angery=anger'"]
    """
    resolved = resolve_labels(labels, rules)
    kept = sorted(set(resolved.values()).difference(EMOTIONS))
    said = []
    for name in kept:
        known = closest(name, (*EMOTIONS, *SYNONYMS))
        if known is not None and _key(known) != _key(name):
            target = canonical(known)
            said.append(f"{name!r} is kept as a class of its own; if you mean {target!r}, use --map '{name}={target}'")
    alike = defaultdict(list)
    for name in kept:
        alike[_key(name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            said.append(f"{' and '.join(map(repr, names))} are different classes; join them with --map")
    written = {_key(name) for label in labels for name in (label, canonical(label))}
    for old in rules or {}:
        if _key(old) not in written and _key(canonical(old)) not in written:
            said.append(f"the rule for {old!r} was not used: no label is written so")
    return said


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` may be a misspelling of, None if there is none.

    >>> closest("angst", ["anger", "neutral"]) is None, closest("Hapiness", ["happiness"])
    (True, 'happiness')
    """
    by_key = {_key(one): one for one in known}
    found = get_close_matches(_key(name), by_key, n=1, cutoff=_CLOSE)
    return by_key[found[0]] if found else None


def require_present(classes: Sequence[str], present: Collection[str], where: str) -> None:
    """Check that each asked-for class exists.

    Args:
        classes: asked for.
        present: the labels that exist.
        where: what has them, for the message.
    Raises:
        UnknownEmotionError: a class is not present; the message lists those that are, and a close one first.
    """
    for name in classes:
        if name not in present:
            near = closest(name, present)
            raise UnknownEmotionError(
                f"{where} has no class {name!r}"
                + (f"; did you mean {near!r}? " if near is not None else "; ")
                + f"it has {', '.join(in_order(present))}"
            )


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """The result of mapping labels onto a label set.

    Attributes:
        labels: the mapped label of each input, None where it was dropped.
        dropped: how many inputs of each label are not in the label set.
        merged: how many inputs of each label were renamed.
    """

    labels: tuple[str | None, ...]
    dropped: dict[str, int]
    merged: dict[str, int]


def map_labels(labels: Iterable[str], classes: Sequence[str], merge: Mapping[str, str] | None = None) -> LabelMapping:
    """Map labels onto a label set, and count what is lost.

    Args:
        labels: as a corpus has them; those that are in `classes` as they are written stay so.
        classes: the label set to map onto, as it is written there.
        merge: rules applied first (for example `{"excitement": "happiness"}`).

    >>> map_labels(["anger", "boredom"], FOUR_CLASSES).dropped
    {'boredom': 1}
    """
    given = list(labels)
    ruled = resolve_labels(set(given), merge)
    # A model may call a class `happy`: a name that both sides write alike is never replaced by its synonym.
    by_name = {canonical(name): name for name in reversed(classes)} | {name: name for name in classes}
    mapped: list[str | None] = []
    dropped: Counter[str] = Counter()
    merged: Counter[str] = Counter()
    for label in given:
        target = ruled[label]
        found = label if label in classes and target == canonical(label) else by_name.get(target)
        mapped.append(found)
        if found is None:
            dropped[label] += 1
        elif found != label:
            merged[label] += 1
    return LabelMapping(tuple(mapped), dict(dropped), dict(merged))


def _key(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())
