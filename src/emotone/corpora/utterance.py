"""Utterance and Corpus: what every reader yields.

Conventions: times in seconds; a speaker's name is unique within its corpus; labels follow the rules of
`emotone.emotions`; utterances are in a stable order (by id), which folds, stores and seeds rely on.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from emotone.emotions import hints, in_order, map_labels, resolve_labels
from emotone.errors import CorpusError

Sex = Literal["female", "male"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled recording, or a labelled segment of one.

    Attributes:
        id: unique within the corpus, and stable over releases (usually the file's stem).
        path: the audio file.
        emotion: its label, a name of the vocabulary or any other.
        speaker: who speaks.
        session: the recording session, where a corpus has them.
        sex: of the speaker, where known.
        text: the sentence's code or words, where known.
        start_s: where the segment begins, None for the beginning of the file.
        end_s: where it ends, None for the end of the file.
        style: such as "improvised" or "scripted", where a corpus tells them apart.
        phonemes: the phone sequence, where the corpus is aligned.
    """

    id: str
    path: Path
    emotion: str
    speaker: str
    session: str | None = None
    sex: Sex | None = None
    text: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    style: str | None = None
    phonemes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """A set of utterances with what a reader of scores must know about it.

    Attributes:
        name: such as "emodb"; shown with every score.
        utterances: in the order of their ids.
        classes: the label set, in the order of the model's outputs.
        licence: of the recordings, as an SPDX identifier where there is one.
        sentences_shared: True where the same sentences are spoken by training and test speakers.
        dropped: how many utterances were left out, by reason (known traps, classes outside the task).
        notes: sentences about labels that look like mistakes.
    """

    name: str
    utterances: tuple[Utterance, ...]
    classes: tuple[str, ...]
    licence: str
    sentences_shared: bool = False
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = Counter(utterance.id for utterance in self.utterances)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise CorpusError(
                f"corpus {self.name}: {len(twice)} ids appear twice, first {twice[0]!r}; ids must be unique"
            )
        outside = {utterance.emotion for utterance in self.utterances} - set(self.classes)
        if outside:
            raise CorpusError(f"corpus {self.name}: labels {sorted(outside)} are not among its classes {self.classes}")

    @property
    def speakers(self) -> tuple[str, ...]:
        """All speakers, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any utterance's label, speaker, segment, sex or phonemes.

        Not with where its file lies, nor with what is in it.
        """
        rows = [
            (one.id, one.speaker, one.emotion, one.start_s, one.end_s, one.sex, one.phonemes) for one in self.utterances
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    def targets(self) -> list[int]:
        """The class index of each utterance."""
        index = {label: position for position, label in enumerate(self.classes)}
        return [index[utterance.emotion] for utterance in self.utterances]

    def where(self, keep: Callable[[Utterance], bool], *, reason: str) -> Corpus:
        """The corpus without the utterances for which `keep` is false, counted under `reason`."""
        kept = tuple(utterance for utterance in self.utterances if keep(utterance))
        lost = len(self.utterances) - len(kept)
        dropped = dict(self.dropped)
        if lost:
            dropped[reason] = dropped.get(reason, 0) + lost
        return replace(self, utterances=kept, dropped=dropped)

    def with_labels(self, rules: Mapping[str, str]) -> Corpus:
        """The corpus with its labels renamed by `rules` (label -> label, see `emotone.emotions`).

        Classes without utterances are renamed too; classes that get the same name become one.
        """
        if not rules:
            return self
        resolved = resolve_labels(self.classes, rules)
        return replace(
            self,
            utterances=tuple(replace(one, emotion=resolved[one.emotion]) for one in self.utterances),
            classes=in_order(resolved.values()),
            notes=(*self.notes, *hints(self.classes, rules)),
        )

    def with_classes(self, classes: Sequence[str], merge: Mapping[str, str] | None = None) -> Corpus:
        """The corpus as a task over `classes`; what is lost is counted in `dropped`."""
        mapping = map_labels((utterance.emotion for utterance in self.utterances), classes, merge)
        kept = tuple(
            replace(utterance, emotion=label)
            for utterance, label in zip(self.utterances, mapping.labels, strict=True)
            if label is not None
        )
        dropped = dict(self.dropped)
        for label, count in mapping.dropped.items():
            dropped[f"class {label} is not part of the task"] = count
        return replace(self, utterances=kept, classes=tuple(classes), dropped=dropped)


def relabelled(utterances: Iterable[Utterance], rules: Mapping[str, str] | None = None) -> tuple[Utterance, ...]:
    """The utterances with the labels that the rules and the known synonyms give."""
    given = tuple(utterances)
    resolved = resolve_labels({utterance.emotion for utterance in given}, rules)
    return tuple(replace(utterance, emotion=resolved[utterance.emotion]) for utterance in given)
