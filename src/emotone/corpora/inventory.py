"""What of a corpus lies in a folder, by names and sizes alone: the first half of a check."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotone.corpora import manifest, read_corpus
from emotone.corpora.readers import crema_d, emodb, emogator, emovo, iemocap, nemo, ravdess, savee, tess, urdu
from emotone.corpora.release import Release, Survey, Trap, survey
from emotone.corpora.utterance import Corpus
from emotone.errors import CorpusError

Segment = tuple[Path, float | None, float | None]
"""A file, and where in it the recording begins and ends (seconds; None for its ends)."""

RELEASES = {
    module.RELEASE.name: module.RELEASE
    for module in (crema_d, emodb, emogator, emovo, nemo, ravdess, savee, tess, urdu)
}
"""The official releases whose recordings lie one a file, by name."""

CHECKED_NAMES = (*sorted((*RELEASES, "iemocap")), "manifest")
"""Every name that `check` knows."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a folder holds by name: the segments to decode (id -> path, start, end), and what the names alone tell."""

    corpus: Corpus
    segments: Mapping[str, Segment]
    n_official: int | None = None
    official: Mapping[str, int] | None = None
    missing: Sequence[str] = ()
    extra: Sequence[str] = ()
    empty: Sequence[str] = ()
    differences: Sequence[str] = ()
    traps: Sequence[Trap] = ()


def take_inventory(
    name: str, directory: str | os.PathLike[str], *, labels: Mapping[str, str] | None = None
) -> Inventory:
    """What lies in the folder, beside what the official release holds.

    Args:
        name: one of `CHECKED_NAMES`.
        directory: the corpus's folder; for `manifest`, the manifest.
        labels: for `manifest`, rules that rename labels; the labels of a release are its own.
    Raises:
        CorpusError: no such name, or (as a subclass) nothing of the corpus there.
    """
    if name == "manifest":
        return _manifest(Path(directory), labels)
    if labels:
        raise CorpusError(f"{name} is compared with its official release, whose labels are fixed; leave --map out")
    if name == "iemocap":
        return _iemocap(directory)
    if name not in RELEASES:
        hint = {"crema-d-imbalanced": "; it is cut from crema-d, check that", "open-four": "; check crema-d and emodb"}
        raise CorpusError(f"cannot check {name!r}{hint.get(name, '')}; expected one of {', '.join(CHECKED_NAMES)}")
    release = RELEASES[name]
    found = survey(directory, release)
    corpus = read_corpus(name, directory)
    there = set(found.recordings) | set(found.empty)
    official = _official_ids(release, there)
    folder = Path(directory)
    extra = [
        *sorted(there - official),
        *(path.relative_to(folder).as_posix() for path in found.unnamed),
        *(
            f"{duplicate.path.relative_to(folder).as_posix()} (a second {duplicate.id})"
            for duplicate in found.duplicates
        ),
    ]
    return Inventory(
        corpus=corpus,
        segments={key: (recording.path, None, None) for key, recording in found.recordings.items()},
        n_official=release.n_files,
        official=release.counts,
        missing=sorted(official - there),
        extra=extra,
        empty=sorted(found.empty),
        differences=_differences(release, found, len(official), corpus),
        traps=release.traps,
    )


def _official_ids(release: Release, there: Collection[str]) -> frozenset[str]:
    if release.official_ids is not None:
        return release.official_ids()
    return release.ids_by_comparison(there) if release.ids_by_comparison is not None else frozenset(there)


def _differences(release: Release, found: Survey, n_known: int, corpus: Corpus) -> list[str]:
    said = []
    if n_known != release.n_files:
        said.append(f"{n_known} of {release.n_files} official names can be derived from the files that are there")
    for reason, count in corpus.dropped.items():
        if reason.startswith("no row in"):
            said.append(f"{count} recordings have {reason}")
    return said


def _iemocap(directory: str | os.PathLike[str]) -> Inventory:
    root = iemocap.find_root(directory)
    recordings = iemocap.find_recordings(root)
    labelled = list(iemocap.turns(root))
    names = {turn.id for turn in labelled}
    there = {name: path for name, path in sorted(recordings.items()) if name in names}
    empty = [name for name, path in there.items() if path.stat().st_size == 0]
    said = []
    for session, official in iemocap.IMPROVISED_COUNTS.items():
        turns = [turn for turn in labelled if turn.session == session and turn.style == "improvised"]
        counts = Counter(turn.emotion for turn in turns) + Counter({"all turns": len(turns)})
        said += [
            f"{session}, improvised, {label}: {counts[label]}, official {count}"
            for label, count in official.items()
            if counts[label] != count
        ]
    everything = Counter(turn.emotion for turn in labelled)
    said += [
        f"all data, {label}: {everything[label]}, official {count}"
        for label, count in iemocap.COUNTS.items()
        if everything[label] != count
    ]
    return Inventory(
        corpus=iemocap.read(directory, style="both", four_class=False),
        segments={name: (path, None, None) for name, path in there.items() if name not in empty},
        n_official=sum(iemocap.COUNTS.values()),
        official=iemocap.COUNTS,
        missing=sorted(names - set(recordings)),
        extra=sorted(set(recordings) - names),
        empty=empty,
        differences=said,
    )


def _manifest(path: Path, labels: Mapping[str, str] | None) -> Inventory:
    utterances = manifest.rows(path, labels=labels)
    corpus = manifest.read(path, labels=labels)
    usable = {utterance.id for utterance in corpus.utterances}
    unusable = [utterance for utterance in utterances if utterance.id not in usable]
    return Inventory(
        corpus=corpus,
        segments={
            utterance.id: (utterance.path, utterance.start_s, utterance.end_s) for utterance in corpus.utterances
        },
        missing=[utterance.id for utterance in unusable if not utterance.path.is_file()],
        empty=[utterance.id for utterance in unusable if utterance.path.is_file()],
    )
