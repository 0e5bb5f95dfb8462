"""From probabilities of speech to regions with and without speech.

Conventions: positions are in frames of the detector; a region is [start, end). Decisions are made from left to right
and never change. A region may be reported in several parts; joined, they are the same however the frames were cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotone.listening.options import TimelineOptions
from emotone.listening.sound.sources import Waveform
from emotone.voice_activity import CHUNKS_AT_ONCE, FRAME, FRAME_S, SAMPLE_RATE, VoiceActivity

QUIET_DB = -40.0
"""Of full scale. A sound whose loudest 50 ms are softer is quiet."""

STEADY_DB = 6.0
"""From the soft to the loud moments of a sound. Noise and hum have 1 or less, closely cut speech mostly 20 or more."""

FEWEST_PIECES = 20
"""Of 50 ms. A shorter sound is never called steady: it may be one vowel."""


@dataclass(frozen=True, slots=True)
class Region:
    """Frames [start, end), all with speech or all without."""

    start: int
    end: int
    speech: bool


class SpeechRegions:
    """Finds regions: speech begins at `threshold` and lasts through pauses shorter than `min_silence_s`.

    Args:
        threshold: of the probability that begins speech; it goes on down to 0.15 less.
        min_speech_s: shorter sounds are not speech.
        min_silence_s: shorter pauses do not end speech.
        pad_s: added to speech on both sides, since the detector reacts late.
    """

    def __init__(self, *, threshold: float, min_speech_s: float, min_silence_s: float, pad_s: float) -> None:
        self._begins, self._goes_on = threshold, max(threshold - 0.15, 0.01)
        self._min_speech = max(1, round(min_speech_s / FRAME_S))
        self._pad = round(pad_s / FRAME_S)
        # Padded neighbours must not overlap.
        self._min_silence = max(1, round(min_silence_s / FRAME_S), 2 * self._pad)
        self._frame = 0
        self._reported = 0
        self._speaking = False
        self._candidate: int | None = None
        self._last = 0

    def push(self, probabilities: Iterable[float]) -> list[Region]:
        """The regions that the next frames decide."""
        found: list[Region] = []
        for probability in probabilities:
            self._step(probability, found)
            self._frame += 1
        if self._speaking:
            self._report(self._last + 1, True, found)
        else:
            quiet_until = (self._frame if self._candidate is None else self._candidate) - self._pad
            # A silence at the very beginning must be as long as any other.
            if self._reported or quiet_until >= self._min_silence:
                self._report(quiet_until, False, found)
        return found

    def finish(self, end: int) -> list[Region]:
        """The rest, up to frame `end`."""
        found: list[Region] = []
        if self._speaking:
            spoken_until = self._last + 1 + self._pad
            self._report(end if end - spoken_until < self._min_silence else spoken_until, True, found)
        self._report(end, False, found)
        return found

    def _step(self, probability: float, found: list[Region]) -> None:
        frame = self._frame
        if self._speaking:
            if probability >= self._goes_on:
                self._last = frame
            elif frame - self._last >= self._min_silence:
                self._report(self._last + 1 + self._pad, True, found)
                self._speaking = False
        else:
            if self._candidate is None and probability >= self._begins:
                self._candidate = frame
            elif probability < self._goes_on:
                self._candidate = None
            if self._candidate is not None and frame + 1 - self._candidate >= self._min_speech:
                quiet_until = self._candidate - self._pad
                if self._reported or quiet_until >= self._min_silence:
                    self._report(quiet_until, False, found)
                self._speaking, self._candidate, self._last = True, None, frame

    def _report(self, end: int, speech: bool, found: list[Region]) -> None:
        if end > self._reported:
            found.append(Region(self._reported, end, speech))
            self._reported = end


class SpeechFinder:
    """Which samples of a stream have speech, as far as it is known.

    Args:
        options: how speech is found.
        sample_rate: of the stream, in Hz.
        chunks: of 32 s, to process at once; 1 decides every frame as soon as it is complete.
    Raises:
        ModelFileError: the detector is not installed.
    """

    def __init__(self, options: TimelineOptions, sample_rate: int, *, chunks: int = CHUNKS_AT_ONCE) -> None:
        self.voice = VoiceActivity(sample_rate, chunks=chunks) if options.vad else None
        self._frame = FRAME * sample_rate / SAMPLE_RATE
        self._found = SpeechRegions(
            threshold=options.speech_threshold,
            min_speech_s=options.min_speech_s,
            min_silence_s=options.min_silence_s,
            pad_s=options.pad_s,
        )
        self._n_frames = 0

    def regions(
        self, probabilities: npt.NDArray[np.float32] | None, n_samples: int, *, last: bool
    ) -> list[tuple[int, bool]]:
        """The regions that the next frames decide, each as its end in samples and whether it has speech."""
        if probabilities is None:
            return [(n_samples, True)]
        self._n_frames += len(probabilities)
        found = self._found.push(probabilities.tolist())
        if last:
            found += self._found.finish(self._n_frames)
        return [(min(n_samples, round(one.end * self._frame)), one.speech) for one in found]


def is_silent(waveform: Waveform, options: TimelineOptions, sample_rate: int) -> bool:
    """Whether a turn is quiet or steady, and no speech is found in it.

    Args:
        waveform: mono, shape (n_samples,), full scale 1.
        options: how speech is found.
        sample_rate: in Hz.
    Raises:
        ModelFileError: the detector is not installed.
    """
    if not options.vad or not is_quiet_or_steady(waveform, sample_rate):
        return False
    finder = SpeechFinder(options, sample_rate)
    if finder.voice is None:
        return False
    found = finder.regions(finder.voice.push(waveform), len(waveform), last=False)
    found += finder.regions(finder.voice.finish(), len(waveform), last=True)
    return not any(speech for _, speech in found)


def is_quiet_or_steady(waveform: Waveform, sample_rate: int) -> bool:
    """Whether a sound is too soft to be classified without detected speech, or as steady as noise and hum.

    Args:
        waveform: mono, shape (n_samples,), full scale 1.
        sample_rate: in Hz.
    """
    length = sample_rate // 20
    pieces = waveform[: len(waveform) // length * length].reshape(-1, length)
    if not len(pieces):
        return False
    powers_db = 10.0 * np.log10(np.square(pieces, dtype=np.float64).mean(axis=1) + 1e-12)
    low, high = np.percentile(powers_db, [10.0, 95.0])
    return bool(powers_db.max() < QUIET_DB or (len(pieces) >= FEWEST_PIECES and high - low < STEADY_DB))
