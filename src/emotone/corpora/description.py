"""What a corpus holds: classes by speaker, sexes, durations, levels, and recordings that are silent or clipped.

Conventions: every recording of a readable corpus is decoded once, at 16 kHz and mixed to mono. Levels are in dB of full
scale: the root mean square of all samples. A recording is clipped where samples at its largest value come in runs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotone.audio import load_audio
from emotone.cores import available_cores
from emotone.corpora.check import SAMPLE_RATE, SILENCE_LEVEL
from emotone.corpora.utterance import Corpus, Utterance
from emotone.errors import AudioError

CLIP_RUN = 4
"""So many neighbouring samples at the largest value are a clipped peak; a sine at full scale has fewer."""

CLIP_LEVEL = 0.5
"""Peaks below half of full scale do not come from clipping."""

CLIPPED_PEAKS = 3
"""A recording with at least so many clipped peaks is listed."""

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """One decoded recording.

    Attributes:
        duration_s: in seconds.
        level_db: root mean square in dB of full scale, -inf for digital silence.
        silent: True below `SILENCE_LEVEL`.
        clipped_peaks: runs of at least `CLIP_RUN` samples at the largest value.
        error: why it could not be decoded, None where it could.
    """

    duration_s: float = 0.0
    level_db: float = -np.inf
    silent: bool = False
    clipped_peaks: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """A corpus in numbers.

    Attributes:
        name: of the corpus.
        licence: of its recordings.
        classes: its label set.
        counts: utterances by speaker and class.
        sexes: of the speakers; "" where unknown.
        durations_s: of the decoded recordings, shape (n,).
        levels_db: of the decoded recordings that are not silent, shape (n_audible,).
        by_class: class -> (number, seconds, median level in dB, NaN without an audible recording).
        silent: ids of silent recordings.
        clipped: (id, clipped peaks), the most first.
        unreadable: (id, reason).
        dropped: utterances that the reader left out, by reason.
        notes: sentences about labels and classes to look at.
    """

    name: str
    licence: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    sexes: Mapping[str, str]
    durations_s: NDArray[np.float64]
    levels_db: NDArray[np.float64]
    by_class: Mapping[str, tuple[int, float, float]]
    silent: tuple[str, ...]
    clipped: tuple[tuple[str, int], ...]
    unreadable: tuple[tuple[str, str], ...]
    dropped: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Utterances."""
        return sum(number for number, _, _ in self.by_class.values())

    @property
    def hours(self) -> float:
        """Of all decoded recordings."""
        return float(self.durations_s.sum()) / 3600


def describe(corpus: Corpus, *, progress: Callable[[int, int], None] | None = None) -> Description:
    """Decode every recording of a corpus and summarise it.

    Args:
        corpus: as read.
        progress: called with the number of recordings decoded and the number of all.
    """
    found: list[Measured] = []
    # FFmpeg decodes without the interpreter's lock, so threads help.
    with ThreadPoolExecutor(max_workers=min(4, available_cores())) as pool:
        for one in pool.map(measure, corpus.utterances):
            found.append(one)
            if progress is not None:
                progress(len(found), len(corpus.utterances))
    pairs = list(zip(corpus.utterances, found, strict=True))
    clipped = [(u.id, one.clipped_peaks) for u, one in pairs if one.clipped_peaks >= CLIPPED_PEAKS]
    counts = {speaker: Counter[str]() for speaker in corpus.speakers}
    for utterance in corpus.utterances:
        counts[utterance.speaker][utterance.emotion] += 1
    return Description(
        name=corpus.name,
        licence=corpus.licence,
        classes=corpus.classes,
        counts=counts,
        sexes={utterance.speaker: utterance.sex or "" for utterance in corpus.utterances},
        durations_s=np.array([one.duration_s for one in found if one.error is None]),
        levels_db=np.array([one.level_db for one in found if one.error is None and not one.silent]),
        by_class={emotion: _of_class(emotion, pairs) for emotion in corpus.classes},
        silent=tuple(u.id for u, one in pairs if one.silent),
        clipped=tuple(sorted(clipped, key=lambda pair: (-pair[1], pair[0]))),
        unreadable=tuple((u.id, one.error) for u, one in pairs if one.error is not None),
        dropped=corpus.dropped,
        notes=(*corpus.notes, *_remarks(corpus, counts)),
    )


def measure(utterance: Utterance) -> Measured:
    """Duration, level, silence and clipping of one recording."""
    try:
        waveform = load_audio(
            os.fspath(utterance.path), sample_rate=SAMPLE_RATE, start_s=utterance.start_s or 0.0, end_s=utterance.end_s
        )
    except AudioError as error:
        return Measured(error=str(error))
    peak = float(np.max(np.abs(waveform), initial=0.0))
    power = float(np.mean(np.square(waveform, dtype=np.float64))) if len(waveform) else 0.0
    return Measured(
        duration_s=len(waveform) / SAMPLE_RATE,
        level_db=10 * float(np.log10(power)) if power > 0 else -np.inf,
        silent=peak < SILENCE_LEVEL,
        clipped_peaks=clipped_peaks(waveform),
    )


def clipped_peaks(waveform: NDArray[np.float32]) -> int:
    """How many runs of at least `CLIP_RUN` samples lie at the waveform's largest or smallest value.

    >>> clipped_peaks(np.array([0.0, 0.9, 0.9, 0.9, 0.9, 0.0, -0.9, 0.9], dtype=np.float32))
    1
    """
    peak = float(np.max(np.abs(waveform), initial=0.0))
    if peak < CLIP_LEVEL:
        return 0
    runs = 0
    for sign in (1, -1):
        # One step of 16 bits below the peak: lossless and lossy codecs both round.
        at_peak = np.concatenate([[False], sign * waveform >= peak - 1 / 32768, [False]])
        edges = np.flatnonzero(np.diff(at_peak.astype(np.int8)))
        runs += int(((edges[1::2] - edges[::2]) >= CLIP_RUN).sum())
    return runs


def quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    """The `QUANTILES` of values; NaN without any."""
    return tuple(np.quantile(values, QUANTILES).tolist()) if len(values) else (float("nan"),) * len(QUANTILES)


def _of_class(emotion: str, pairs: Sequence[tuple[Utterance, Measured]]) -> tuple[int, float, float]:
    own = [one for utterance, one in pairs if utterance.emotion == emotion]
    audible = [one.level_db for one in own if one.error is None and not one.silent]
    return len(own), sum(one.duration_s for one in own), float(np.median(audible)) if audible else float("nan")


def _remarks(corpus: Corpus, counts: Mapping[str, Counter[str]]) -> list[str]:
    said = []
    for emotion in corpus.classes:
        speakers = [speaker for speaker in counts if counts[speaker][emotion]]
        if len(speakers) == 1:
            said.append(f"class {emotion} is spoken by {speakers[0]} alone; no speaker-independent score covers it")
        elif not speakers:
            said.append(f"class {emotion} has no utterance")
    return said
