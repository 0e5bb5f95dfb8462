"""Emotion over time: one pass over a stream of blocks of any size, in memory that does not grow with it.

Conventions: a stream is mono float32 at the model's sample rate; positions are in its samples. The rule is the same for
a recording of any length, in a file and live:

Speech is found first. Speech between two pauses is classified as a whole, together with up to `margin_s` of the silence
on either side of it. Speech that is longer than the model's window is covered by windows, one every `hop_s`, the last
one moved back to end with it; each hop gets the mean over the windows that cover it. Neighbouring hops of one emotion
become one segment. The emotion of the recording is the mean over its segments, weighted by their durations. A recording
no longer than the window in which no speech is found, but which is neither quiet nor steady (a sob, a laugh, a single
word), is classified as a whole, and unsure.

So nothing depends on how the stream is cut into blocks, a recording without pauses that fits into the window gets the
model's answer to all of it, and an answer changes gradually as a recording grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotone.errors import AudioTooShortError
from emotone.listening.model.predictions import Classifier, Prediction
from emotone.listening.options import TimelineOptions
from emotone.listening.segments import Segment, SegmentJoiner
from emotone.listening.sound.kept_sound import KeptSound
from emotone.listening.sound.sources import Waveform
from emotone.listening.sound.speech import SpeechFinder, is_quiet_or_steady
from emotone.listening.sound.voice_activity import CHUNKS_AT_ONCE


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a timeline: speech that was classified at once, or silence.

    Attributes:
        start: first sample.
        end: behind the last sample.
        speech: 1 for speech, 0 for silence.
        probabilities: shape (n_classes,); None for silence.
        embedding: shape (d,); None for silence.
        unfamiliar: in [0, 1]; NaN if the model does not tell.
    """

    start: int
    end: int
    speech: float
    probabilities: npt.NDArray[np.float32] | None
    embedding: npt.NDArray[np.float32] | None
    unfamiliar: float = float("nan")


@dataclass(frozen=True, slots=True)
class _Task:
    """A window that waits to be classified, and the cells that are known once it is."""

    start: int
    end: int
    sound: Waveform | None
    cell_ends: tuple[int, ...] = ()
    ends_speech: bool = False


class StreamingTimeline:
    """Segments of one channel, as they become final: `push` blocks, then `finish`.

    Args:
        recognizer: whose model classifies.
        options: how to cut and join.
        channel: to write into the segments.
        on_window: called with each window once it is classified, in their order.
        chunks: of 32 s, in which the speech detector runs at once; 1 for a live stream, which then classifies every
            window as soon as it is complete. Each takes 2 MB of memory.
    Raises:
        ValueError: the options do not fit the model.
        ModelFileError: the voice activity detector is not installed.
    """

    def __init__(
        self,
        recognizer: Classifier,
        options: TimelineOptions | None = None,
        *,
        channel: int | None = None,
        on_window: Callable[[Window], None] | None = None,
        chunks: int = CHUNKS_AT_ONCE,
    ) -> None:
        options = options or TimelineOptions()
        metadata = recognizer.metadata
        self._recognizer, self._metadata, self._on_window = recognizer, metadata, on_window
        self._batch = 1 if chunks == 1 else options.batch
        self._window, self._hop = options.window_samples(metadata), options.hop_samples(metadata)
        self._rate = metadata.sample_rate
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
        self._tasks: list[_Task] = []
        self._covering: deque[Window] = deque()
        self._cells_from = 0
        self._joiner = SegmentJoiner(
            recognizer.labels,
            metadata.sample_rate,
            rule=recognizer.unsure_rule,
            min_segment=min(round(options.min_segment_s * metadata.sample_rate), self._hop),
            channel=channel,
            baseline=recognizer.baseline_name,
        )
        self._final: list[Segment] = []
        self._weight = 0.0
        self._embeddings = np.zeros(metadata.embedding_dim)

    @property
    def n_samples(self) -> int:
        """Of all that was pushed."""
        return self._sound.n_samples

    @property
    def duration_s(self) -> float:
        """Of all that was pushed."""
        return self._sound.n_samples / self._rate

    @property
    def weight(self) -> float:
        """Seconds of speech that were classified."""
        return self._weight

    @property
    def embedding(self) -> npt.NDArray[np.float32] | None:
        """The mean over the speech so far, shape (d,); None where there is none."""
        return (self._embeddings / self._weight).astype(np.float32) if self._weight else None

    def push(self, block: Waveform) -> list[Segment]:
        """The segments that became final with this block.

        Args:
            block: mono float32 at the model's rate, shape (n_samples,), any n.
        """
        if not len(block):
            return []
        self._sound.add(block)
        voice = self._finder.voice
        self._divide(voice.push(block) if voice else None, last=False)
        self._sound.forget_before(self._needed())
        return self._taken()

    def end(self) -> list[Waveform]:
        """No more blocks come; the sounds that still wait to be classified.

        Raises:
            AudioTooShortError: the whole stream is shorter than the model can classify.
        """
        least = self._metadata.min_samples
        if self.n_samples < least:
            raise AudioTooShortError(
                f"{self.n_samples} samples at {self._rate} Hz ({self.duration_s:.4f} s); "
                f"the model needs at least {least} ({least / self._rate:.3f} s)"
            )
        voice = self._finder.voice
        self._divide(voice.finish() if voice else None, last=True)
        # The detector's last frame may end a sample or two before the stream, after resampling.
        if self._known < self.n_samples:
            (self._go_on_silent if self._speech_from is None else self._go_on_speaking)(self.n_samples)
        if self._is_doubtful():
            self._doubtful = True
            self._silence_from, self._known = None, 0
            self._go_on_speaking(self.n_samples)
        self._end_speech()
        self._settle(self.n_samples)
        self._end_silence(self._known)
        return [task.sound for task in self._tasks if task.sound is not None]

    def finish(self, predictions: Sequence[Prediction] | None = None) -> list[Segment]:
        """The rest of the segments.

        Args:
            predictions: for the sounds that `end` gave; None to end and classify here.
        Raises:
            AudioTooShortError: as `end`.
        """
        if predictions is None:
            sounds = self.end()
            predictions = self._recognizer.classify(sounds).rows() if sounds else []
        self._add(predictions)
        return self._taken()

    def so_far(self) -> list[Segment]:
        """The segments that `finish` would give if the stream ended here. The stream can go on."""
        if self.n_samples < self._metadata.min_samples:
            return []
        shared = (self._recognizer, self._metadata)
        other = deepcopy(self, {id(one): one for one in shared} | {id(self._on_window): None})
        return other.finish()

    def _may_be_doubtful(self) -> bool:
        return self._none_found and self.n_samples <= self._window

    def _is_doubtful(self) -> bool:
        """Whether all of the stream is classified although no speech was found in it."""
        return self._may_be_doubtful() and not is_quiet_or_steady(self._sound.read(0, self.n_samples), self._rate)

    def _divide(self, probabilities: npt.NDArray[np.float32] | None, *, last: bool) -> None:
        """Take what has become known of speech and silence."""
        for end, speech in self._finder.regions(probabilities, self.n_samples, last=last):
            if speech:
                self._go_on_speaking(end)
            else:
                self._go_on_silent(end)

    def _go_on_speaking(self, end: int) -> None:
        if self._speech_from is None:
            self._none_found = False
            self._settle(self._known)
            self._margin_from = max(self._known - self._margin, 0 if self._silence_from is None else self._silence_from)
            self._end_silence(self._known)
            self._speech_from, self._next_window, self._cells_from = self._known, 0, self._known
        self._known = end
        while self._speech_from + self._next_window * self._hop + self._window < end:
            start = self._speech_from + self._next_window * self._hop
            self._next_window += 1
            self._wait(start, start + self._window, cell_ends=(start + self._hop,))

    def _go_on_silent(self, end: int) -> None:
        self._end_speech()
        if self._silence_from is None:
            self._silence_from = self._known
        self._known = end
        if self._ended is not None and end >= self._ended[1] + self._margin:
            self._settle(end)

    def _end_speech(self) -> None:
        start, end = self._speech_from, self._known
        if start is None:
            return
        self._speech_from = None
        if not self._next_window:
            self._ended = (start, end, self._margin_from)
            return
        first = start + self._next_window * self._hop
        cell_ends = (*range(first + self._hop, end, self._hop), end)
        self._wait(end - self._window, end, cell_ends=cell_ends, ends_speech=True)

    def _settle(self, known: int) -> None:
        """Classify the speech that has ended, with the silence behind it as far as it is known and wanted."""
        if self._ended is None:
            return
        (start, end, margin_from), self._ended = self._ended, None
        sound = self._with_margins(start, end, margin_from, min(known, end + self._margin))
        self._queue(_Task(start, end, sound, (end,), ends_speech=True))

    def _with_margins(self, start: int, end: int, margin_from: int, margin_to: int) -> Waveform:
        """Speech with silence around it, no longer than the window; never shorter than the model can classify."""
        before, behind = start - margin_from, margin_to - end
        room = max(0, self._window - (end - start))
        if before + behind > room:
            before = min(before, max(room // 2, room - behind))
            behind = min(behind, room - before)
        sound = self._sound.read(start - before, end + behind)
        return np.pad(sound, (0, max(0, self._metadata.min_samples - len(sound))))

    def _end_silence(self, end: int) -> None:
        if self._silence_from is not None and end > self._silence_from:
            self._queue(_Task(self._silence_from, end, None))
        self._silence_from = None

    def _wait(self, start: int, end: int, *, cell_ends: tuple[int, ...], ends_speech: bool = False) -> None:
        self._queue(_Task(start, end, self._sound.read(start, end), cell_ends, ends_speech))

    def _queue(self, task: _Task) -> None:
        self._tasks.append(task)
        sounds = [one.sound for one in self._tasks if one.sound is not None]
        if len(sounds) >= self._batch or not sounds:
            self._add(self._recognizer.classify(sounds).rows() if sounds else [])

    def _add(self, predictions: Sequence[Prediction]) -> None:
        remaining = iter(predictions)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task.sound is None:
                window = Window(task.start, task.end, 0.0, None, None)
                self._final.append(self._joiner.silence(task.start, task.end))
            else:
                # A row of a batch would keep the whole batch in memory.
                probabilities, embedding, unfamiliar = next(remaining)
                window = Window(task.start, task.end, 1.0, probabilities.copy(), embedding, float(unfamiliar))
                self._add_speech(window, task)
            if self._on_window:
                self._on_window(window)

    def _add_speech(self, window: Window, task: _Task) -> None:
        if not self._covering:
            self._cells_from = window.start
        self._covering.append(window)
        for end in task.cell_ends:
            self._end_cell(end)
        if task.ends_speech:
            self._final += self._joiner.end_speech(doubtful=self._doubtful)
            self._covering.clear()

    def _end_cell(self, end: int) -> None:
        """The mean over the windows that cover the next cell, weighted by how much of it they cover."""
        start, self._cells_from = self._cells_from, end
        while self._covering[0].end <= start:
            self._covering.popleft()
        mass = np.zeros(len(self._recognizer.labels))
        unfamiliar, total = 0.0, 0
        for window in self._covering:
            overlap = max(0, min(end, window.end) - max(start, window.start))
            assert window.probabilities is not None  # noqa: S101 - silence covers no cell
            mass += overlap * window.probabilities
            unfamiliar += overlap * window.unfamiliar
            total += overlap
        newest = self._covering[-1]
        assert newest.embedding is not None  # noqa: S101
        seconds = (end - start) / self._rate
        self._weight += seconds
        self._embeddings += seconds * newest.embedding
        self._final += self._joiner.speech(start, end, mass / total, unfamiliar / total)

    def _taken(self) -> list[Segment]:
        final, self._final = self._final, []
        return final

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
