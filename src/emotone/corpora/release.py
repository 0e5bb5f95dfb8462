"""Official releases as data, what is found of them on a disk, and the reader that most of them share.

Conventions: a recording is known by its id, which is read from its path without the suffix, so that any audio format
will do; `._*` files, hidden files and `__MACOSX` folders are not part of any release.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

from emotone.audio import AUDIO_SUFFIXES
from emotone.corpora.utterance import Corpus, Sex, Utterance
from emotone.errors import CorpusError, CorpusNotFoundError

EMPTY = "empty file"
UNNAMED = "name is not one of the corpus"
DUPLICATE = "second file of the same name"
ABSENT = "labelled, but there is no recording"
OUTSIDE = "not in the part of the corpus that is read"


@dataclass(frozen=True, slots=True)
class Trap:
    """A fault of the official release itself, so that finding it does not mean a faulty copy.

    Attributes:
        kind: what a check would otherwise complain about.
        ids: the recordings concerned.
        dropped: those of them that the reader leaves out.
        reason: why; shown in `Corpus.dropped` and in the report of a check.
    """

    kind: Literal["silent", "duplicated", "format", "name"]
    ids: tuple[str, ...]
    dropped: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """An official release.

    Attributes:
        name: of the corpus.
        licence: of the recordings.
        classes: the label set, in the order of the vocabulary.
        counts: official recordings of each class.
        n_speakers: official number of speakers.
        layout: one official path, for messages.
        pattern: matched against the end of a path without its suffix, `/` between folders; the group `id` is the
            recording's id (`/` in it becomes `_`). `read_release` also reads the groups `emotion` and `speaker`, and
            `text` where there is one.
        emotion_of: the label of each code that the group `emotion` matches.
        sex_of: a speaker's sex from the speaker's name, where names tell it.
        official_ids: all official ids, where they are known.
        ids_by_comparison: all official ids as far as the ids found tell them, where no list is known.
        aliases: ids as the official release misspells them -> ids as they should be.
        part: True where `official_ids` is a part of a larger release, whose other recordings are left out.
        traps: the faults of the official release.
        sentences_shared: True where all speakers speak the same sentences.
    """

    name: str
    licence: str
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    n_speakers: int
    layout: str
    pattern: re.Pattern[str]
    emotion_of: Mapping[str, str] = field(default_factory=dict)
    sex_of: Callable[[str], Sex | None] = lambda speaker: None
    official_ids: Callable[[], frozenset[str]] | None = None
    ids_by_comparison: Callable[[Collection[str]], frozenset[str]] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    part: bool = False
    traps: tuple[Trap, ...] = ()
    sentences_shared: bool = True

    @property
    def n_files(self) -> int:
        """Official number of recordings."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Recording:
    """A file whose name is one of the corpus.

    Attributes:
        id: the recording's id.
        path: where it lies.
        match: of the release's pattern, with its groups.
    """

    id: str
    path: Path
    match: re.Match[str]


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a folder, by name and size alone; nothing is decoded.

    Attributes:
        recordings: by id, in the order of the ids.
        empty: files of the corpus with no bytes in them, by id.
        unnamed: audio files whose names are not of the corpus.
        duplicates: further files of an id already seen.
        absent: ids that the corpus's own tables name, without a recording.
    """

    recordings: Mapping[str, Recording]
    empty: Mapping[str, Path] = field(default_factory=dict)
    unnamed: tuple[Path, ...] = ()
    duplicates: tuple[Recording, ...] = ()
    absent: tuple[str, ...] = ()


MOST_FOLDERS = 5_000
"""Folders that are searched for a corpus. No release has a fiftieth of that; a home folder or a disk has more."""


def audio_files(directory: Path) -> Iterator[Path]:
    """Every audio file below a folder (by suffix), in a stable order; linked folders are entered once.

    Raises:
        CorpusNotFoundError: there are more folders than any corpus has.
    """
    seen: set[str] = set()
    for folder, folders, names in os.walk(directory, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        if len(seen) > MOST_FOLDERS:
            raise CorpusNotFoundError(
                f"{directory} holds more than {MOST_FOLDERS} folders, which is more than any corpus; "
                "name the corpus's own folder"
            )
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
                yield Path(folder, name)


def existing_folder(name: str, directory: str | os.PathLike[str], layout: str) -> Path:
    """The folder as a path.

    Raises:
        CorpusNotFoundError: there is no such folder.
    """
    folder = Path(directory)
    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CorpusNotFoundError(f"{folder} {kind}; give the folder of {name}, which holds files such as {layout}")
    return folder


def describe_folder(folder: Path) -> str:
    """What lies in a folder, in a few words, for the message that something else was expected."""
    entries = sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir())
    if not entries:
        return "an empty folder"
    shown = ", ".join(entries[:5]) + (", …" if len(entries) > 5 else "")
    return f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}: {shown}"


def unreadable(name: str, error: OSError) -> CorpusError:
    """The error to raise where the file system refuses."""
    return CorpusError(
        f"{name} cannot be read: {error.filename or ''} {error.strerror or error}; check its permissions"
    )


def survey(directory: str | os.PathLike[str], release: Release) -> Survey:
    """Look through a folder for the recordings of a release, by name and size.

    Args:
        directory: the corpus's folder, or one above or below it.
        release: what to look for.
    Raises:
        CorpusNotFoundError: no such folder, or nothing of the release in it.
    """
    folder = existing_folder(release.name, directory, release.layout)
    recordings: dict[str, Recording] = {}
    empty: dict[str, Path] = {}
    unnamed: list[Path] = []
    duplicates: list[Recording] = []
    # The folder's own name counts, so that a speaker's or an emotion's folder alone is readable too.
    root = folder.resolve().name
    for path in audio_files(folder):
        match = release.pattern.search(f"{root}/{path.relative_to(folder).with_suffix('').as_posix()}")
        if match is None:
            unnamed.append(path)
            continue
        name = match["id"].replace("/", "_")
        if name in release.aliases:
            name = release.aliases[name]
            match = release.pattern.search(name) or match
        if name in recordings or name in empty:
            duplicates.append(Recording(name, path, match))
        elif path.stat().st_size == 0:
            empty[name] = path
        else:
            recordings[name] = Recording(name, path, match)
    if not recordings:
        raise CorpusNotFoundError(
            f"{folder} does not hold {release.name}: looked for files such as {release.layout} (any audio suffix) in "
            f"it and in the folders below, found {describe_folder(folder)}"
            + (f" and {len(empty)} empty files of the corpus" if empty else "")
        )
    return Survey(dict(sorted(recordings.items())), empty, tuple(unnamed), tuple(duplicates))


def assemble(
    release: Release, found: Survey, utterance_of: Callable[[Recording], Utterance | None], *, unlabelled: str = ""
) -> Corpus:
    """The corpus of what a survey found, without its traps.

    Args:
        release: the release that was surveyed.
        found: what the survey gave.
        utterance_of: makes the utterance of one recording; None where it has no label.
        unlabelled: the reason under which the recordings without a label are counted.
    """
    reasons = {name: trap.reason for trap in release.traps for name in trap.dropped}
    dropped: Counter[str] = Counter()
    utterances: list[Utterance] = []
    for recording in found.recordings.values():
        if recording.id in reasons:
            dropped[reasons[recording.id]] += 1
        elif (utterance := utterance_of(recording)) is None:
            dropped[unlabelled] += 1
        else:
            utterances.append(utterance)
    left_out = ((EMPTY, found.empty), (UNNAMED, found.unnamed), (DUPLICATE, found.duplicates), (ABSENT, found.absent))
    for reason, files in left_out:
        if files:
            dropped[reason] = len(files)
    return Corpus(
        name=release.name,
        utterances=tuple(utterances),
        classes=release.classes,
        licence=release.licence,
        sentences_shared=release.sentences_shared,
        dropped=dict(dropped),
    )


def read_release(release: Release, directory: str | os.PathLike[str]) -> Corpus:
    """Read a corpus whose file names tell everything.

    Args:
        release: what to read.
        directory: the folder that holds the release, or one above or below it.
    Raises:
        CorpusNotFoundError: nothing of the release there.
    """
    return assemble(
        release,
        survey(directory, release),
        lambda recording: utterance_by_name(release, recording),
        unlabelled=OUTSIDE,
    )


def utterance_by_name(release: Release, recording: Recording) -> Utterance | None:
    """The utterance that a recording's name describes; None where it is not in the part that is read."""
    if release.part and release.official_ids is not None and recording.id not in release.official_ids():
        return None
    parts = recording.match.groupdict()
    return Utterance(
        id=recording.id,
        path=recording.path,
        emotion=release.emotion_of[parts["emotion"]],
        speaker=parts["speaker"],
        sex=release.sex_of(parts["speaker"]),
        text=parts.get("text"),
    )


def official_list(name: str) -> list[list[str]]:
    """The words of each line of a list in `official/`, where names follow no rule; `#` begins a comment."""
    text = resources.files("emotone.corpora").joinpath("official", f"{name}.txt").read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
