"""Which pieces of a stream are classified: speech between pauses, and windows over longer speech.

Conventions: positions are samples at the model's rate. The rule is stated in `emotone.listening.timeline`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotone.listening.options import TimelineOptions
from emotone.listening.sound.kept_sound import KeptSound
from emotone.listening.sound.sources import Waveform
from emotone.listening.sound.speech import SpeechFinder, is_quiet_or_steady
from emotone.model_files.metadata import ModelMetadata


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a stream: speech to classify, or silence.

    Attributes:
        start: first sample.
        end: behind the last sample.
        sound: to classify, with the silence around the speech; None for silence.
        cell_ends: ends of the cells that are known once it is classified.
        ends_speech: whether a pause, or the end of the stream, follows.
        doubtful: whether no speech was found in it.
    """

    start: int
    end: int
    sound: Waveform | None
    cell_ends: tuple[int, ...] = ()
    ends_speech: bool = False
    doubtful: bool = False


class StreamPieces:
    """The pieces of one channel, as they become known: `push` blocks, then `end`.

    Args:
        options: how to cut.
        metadata: of the model that classifies.
        chunks: of 32 s, in which the speech detector runs at once.
    Raises:
        ValueError: the options do not fit the model.
        ModelFileError: the voice activity detector is not installed.
    """

    def __init__(self, options: TimelineOptions, metadata: ModelMetadata, *, chunks: int) -> None:
        self._window, self._hop = options.window_samples(metadata), options.hop_samples(metadata)
        self._rate, self._min_samples = metadata.sample_rate, metadata.min_samples
        self._margin = round(options.margin_s * self._rate)
        self._sound = KeptSound(self._rate)
        self._finder = SpeechFinder(options, self._rate, chunks=chunks)
        # Up to where it is decided what is speech, and where the last speech and silence begin.
        self._known = 0
        self._speech_from: int | None = None
        self._silence_from: int | None = None
        self._margin_from = 0
        # Whether no speech was found so far, and whether the stream is classified without any.
        self._none_found = options.vad
        self._doubtful = False
        # Speech that has ended, and waits for the silence behind it: start, end, start of its margin.
        self._ended: tuple[int, int, int] | None = None
        self._next_window = 0

    @property
    def n_samples(self) -> int:
        """Of all that was pushed."""
        return self._sound.n_samples

    def push(self, block: Waveform) -> Iterator[Piece]:
        """The pieces that are known with this block; a stream goes on when all of them were taken.

        Args:
            block: shape (n_samples,), any n of at least 1.
        """
        self._sound.add(block)
        voice = self._finder.voice
        yield from self._divide(voice.push(block) if voice else None, last=False)
        self._sound.forget_before(self._needed())

    def end(self) -> Iterator[Piece]:
        """No more blocks come; the rest of the pieces."""
        voice = self._finder.voice
        yield from self._divide(voice.finish() if voice else None, last=True)
        # The detector's last frame may end a sample or two before the stream, after resampling.
        if self._known < self.n_samples:
            go_on = self._go_on_silent if self._speech_from is None else self._go_on_speaking
            yield from go_on(self.n_samples)
        if self._is_doubtful():
            self._doubtful = True
            self._silence_from, self._known = None, 0
            yield from self._go_on_speaking(self.n_samples)
        yield from self._end_speech()
        yield from self._settle(self.n_samples)
        yield from self._end_silence(self._known)

    def _may_be_doubtful(self) -> bool:
        return self._none_found and self.n_samples <= self._window

    def _is_doubtful(self) -> bool:
        """Whether all of the stream is classified although no speech was found in it."""
        return self._may_be_doubtful() and not is_quiet_or_steady(self._sound.read(0, self.n_samples), self._rate)

    def _divide(self, probabilities: npt.NDArray[np.float32] | None, *, last: bool) -> Iterator[Piece]:
        """Take what has become known of speech and silence."""
        for end, speech in self._finder.regions(probabilities, self.n_samples, last=last):
            if speech:
                yield from self._go_on_speaking(end)
            else:
                yield from self._go_on_silent(end)

    def _go_on_speaking(self, end: int) -> Iterator[Piece]:
        if self._speech_from is None:
            self._none_found = False
            yield from self._settle(self._known)
            self._margin_from = max(self._known - self._margin, 0 if self._silence_from is None else self._silence_from)
            yield from self._end_silence(self._known)
            self._speech_from, self._next_window = self._known, 0
        self._known = end
        while self._speech_from + self._next_window * self._hop + self._window < end:
            start = self._speech_from + self._next_window * self._hop
            self._next_window += 1
            yield self._speech(start, start + self._window, cell_ends=(start + self._hop,))

    def _go_on_silent(self, end: int) -> Iterator[Piece]:
        yield from self._end_speech()
        if self._silence_from is None:
            self._silence_from = self._known
        self._known = end
        if self._ended is not None and end >= self._ended[1] + self._margin:
            yield from self._settle(end)

    def _end_speech(self) -> Iterator[Piece]:
        start, end = self._speech_from, self._known
        if start is None:
            return
        self._speech_from = None
        if not self._next_window:
            self._ended = (start, end, self._margin_from)
            return
        first = start + self._next_window * self._hop
        cell_ends = (*range(first + self._hop, end, self._hop), end)
        yield self._speech(end - self._window, end, cell_ends=cell_ends, ends_speech=True)

    def _settle(self, known: int) -> Iterator[Piece]:
        """Classify the speech that has ended, with the silence behind it as far as it is known and wanted."""
        if self._ended is None:
            return
        (start, end, margin_from), self._ended = self._ended, None
        sound = self._with_margins(start, end, margin_from, min(known, end + self._margin))
        yield self._speech(start, end, sound, cell_ends=(end,), ends_speech=True)

    def _speech(
        self,
        start: int,
        end: int,
        sound: Waveform | None = None,
        *,
        cell_ends: tuple[int, ...],
        ends_speech: bool = False,
    ) -> Piece:
        sound = self._sound.read(start, end) if sound is None else sound
        return Piece(start, end, sound, cell_ends, ends_speech, self._doubtful)

    def _with_margins(self, start: int, end: int, margin_from: int, margin_to: int) -> Waveform:
        """Speech with silence around it, no longer than the window; never shorter than the model can classify."""
        before, behind = start - margin_from, margin_to - end
        room = max(0, self._window - (end - start))
        if before + behind > room:
            before = min(before, max(room // 2, room - behind))
            behind = min(behind, room - before)
        sound = self._sound.read(start - before, end + behind)
        return np.pad(sound, (0, max(0, self._min_samples - len(sound))))

    def _end_silence(self, end: int) -> Iterator[Piece]:
        if self._silence_from is not None and end > self._silence_from:
            yield Piece(self._silence_from, end, None)
        self._silence_from = None

    def _needed(self) -> int:
        """The first sample that a later window may need."""
        if self._may_be_doubtful():
            return 0
        if self._speech_from is None:
            needed = self._known - self._margin
        elif self._next_window:
            # The last window is moved back, at most to the one before the next.
            needed = self._speech_from + (self._next_window - 1) * self._hop
        else:
            needed = self._margin_from
        return max(0, min(needed, self._ended[2]) if self._ended else needed)
