"""Does a folder hold what the official release holds?

Conventions: a report lists what a user must act on. The faults of the official release itself (`Trap`) are listed apart
and do no harm: a release with only those is in order. Recordings are the same when their decoded samples are.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from emotone.audio import load_audio
from emotone.cores import available_cores
from emotone.corpora.inventory import CHECKED_NAMES, RELEASES, Inventory, Segment, take_inventory
from emotone.corpora.release import Trap, unreadable
from emotone.corpora.utterance import Corpus
from emotone.errors import AudioError

__all__ = ["CHECKED_NAMES", "RELEASES", "CorpusReport", "check"]

SAMPLE_RATE = 16_000
SILENCE_LEVEL = 1e-4
"""Below this peak (-80 dB of full scale) a recording is silent; lossy codecs leave a little noise on zeros."""


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What a check found. Recordings are named by id, strangers by path.

    Attributes:
        name: of the corpus.
        n_files: recordings of the corpus that are there and not empty.
        n_official: recordings of the official release, None where there is none.
        hours: of all decoded recordings, None if nothing was decoded.
        speakers: of the usable utterances.
        classes: usable utterances of each class.
        official: official recordings of each class, empty where there is no official release.
        missing: official recordings that are not there.
        extra: audio files that are not of the corpus, or of a name already seen.
        empty: files without a byte.
        silent: recordings without a sound, but for known traps.
        duplicated: groups of one recording under several names, but for known traps.
        unreadable: recordings that cannot be decoded, with the reason.
        differences: counts that are not the official ones.
        traps: known faults of the official release that were met.
        notes: sentences about labels that look like mistakes; they are not faults.
        decoded: False for a quick check, which cannot tell silent, duplicated and unreadable recordings.
    """

    name: str
    n_files: int
    n_official: int | None
    hours: float | None
    speakers: tuple[str, ...]
    classes: Mapping[str, int]
    official: Mapping[str, int]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    duplicated: tuple[tuple[str, ...], ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
    differences: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decoded: bool = True

    @property
    def ok(self) -> bool:
        """True where nothing was found but known traps."""
        found = (self.missing, self.extra, self.empty, self.silent, self.duplicated, self.unreadable, self.differences)
        return not any(found)


@dataclass(frozen=True, slots=True)
class _Sound:
    duration_s: float = 0.0
    digest: str = ""
    silent: bool = False
    error: str | None = None


def check(
    name: str,
    directory: str | os.PathLike[str],
    *,
    labels: Mapping[str, str] | None = None,
    quick: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusReport:
    """Compare a folder with the official release, and decode every recording.

    Args:
        name: one of `CHECKED_NAMES`.
        directory: the corpus's folder; for `manifest`, the manifest.
        labels: for `manifest`, rules that rename labels.
        quick: compare names and sizes only; decode nothing.
        progress: called with the number of recordings decoded and the number of all.
    Raises:
        CorpusError: no such name, or (as a subclass) nothing of the corpus there.
    """
    try:
        found = take_inventory(name, directory, labels=labels)
    except OSError as error:
        raise unreadable(name, error) from error
    sounds = {} if quick else _decode(found.segments, progress)
    silent = [key for key, sound in sounds.items() if sound.silent]
    groups = _same(sounds)
    return CorpusReport(
        name=name,
        n_files=len(found.segments),
        n_official=found.n_official,
        hours=None if quick else sum(sound.duration_s for sound in sounds.values()) / 3600,
        speakers=found.corpus.speakers,
        classes=_class_counts(found.corpus),
        official=found.official or {},
        missing=tuple(found.missing),
        extra=tuple(found.extra),
        empty=tuple(found.empty),
        silent=tuple(key for key in silent if not _known(found.traps, "silent", [key])),
        duplicated=tuple(group for group in groups if not _known(found.traps, "duplicated", group)),
        unreadable=tuple((key, sound.error) for key, sound in sounds.items() if sound.error is not None),
        differences=tuple(found.differences),
        traps=tuple(_met(found, None if quick else [*groups, *([key] for key in silent)])),
        notes=found.corpus.notes,
        decoded=not quick,
    )


def _decode(segments: Mapping[str, Segment], progress: Callable[[int, int], None] | None) -> dict[str, _Sound]:
    sounds: dict[str, _Sound] = {}
    # FFmpeg decodes without the interpreter's lock, so threads help.
    with ThreadPoolExecutor(max_workers=min(4, available_cores())) as pool:
        for key, sound in zip(segments, pool.map(_decode_one, segments.values()), strict=True):
            sounds[key] = sound
            if progress is not None:
                progress(len(sounds), len(segments))
    return sounds


def _decode_one(segment: Segment) -> _Sound:
    path, start_s, end_s = segment
    try:
        # Too short to train on is a fault as well.
        waveform = load_audio(path, sample_rate=SAMPLE_RATE, truncated="error", start_s=start_s, end_s=end_s)
    except AudioError as error:
        return _Sound(error=str(error))
    peak = float(np.max(np.abs(waveform), initial=0.0))
    digest = hashlib.sha256(np.ascontiguousarray(waveform).tobytes()).hexdigest()
    return _Sound(len(waveform) / SAMPLE_RATE, digest, silent=peak < SILENCE_LEVEL)


def _same(sounds: Mapping[str, _Sound]) -> list[tuple[str, ...]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key, sound in sounds.items():
        if sound.error is None and not sound.silent:
            groups[sound.digest].append(key)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def _known(traps: Iterable[Trap], kind: str, group: Collection[str]) -> bool:
    return any(trap.kind == kind and set(group) <= set(trap.ids) for trap in traps)


def _met(found: Inventory, observed: list[Collection[str]] | None) -> list[str]:
    """The traps that were seen; in a quick check those whose recordings are all there."""
    said = []
    for trap in found.traps:
        here = [key for key in trap.ids if key in found.segments]
        audible = observed is None or trap.kind in ("format", "name")
        met = len(here) == len(trap.ids) if audible else any(set(group) <= set(trap.ids) for group in observed or ())
        if met:
            said.append(
                f"{', '.join(trap.ids)}: {trap.reason}" + (f" (dropped {len(trap.dropped)})" if trap.dropped else "")
            )
    return said


def _class_counts(corpus: Corpus) -> dict[str, int]:
    counts = Counter(utterance.emotion for utterance in corpus.utterances)
    return {emotion: counts[emotion] for emotion in corpus.classes}
