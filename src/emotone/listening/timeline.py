"""Emotion over time: windows over a stream of blocks of any size, in memory that does not grow with it.

Conventions: a stream is mono float32 at the model's sample rate. Windows stand on a grid of `hop_s` that starts with
the stream; the last one is moved back so that it ends with it. Of each window, what is spoken is judged. Nothing
depends on how the stream is cut into blocks. A stream that is no longer than `TimelineOptions.clip_samples` is a clip:
judged once, as a whole, as by the model alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotone.errors import AudioTooShortError
from emotone.listening.certainty import known
from emotone.listening.kept_sound import KeptSound
from emotone.listening.options import TimelineOptions
from emotone.listening.predictions import Classifier, Prediction
from emotone.listening.segments import Segment, SegmentJoiner, as_shares, classified
from emotone.listening.sources import Waveform
from emotone.listening.speech import Hearing, is_silent
from emotone.listening.voice_activity import STRETCHES_AT_ONCE

# Windows without speech wait for their turn behind those that wait for a batch; there is no end to them in silence.
_MOST_WAITING = 256


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a timeline.

    Attributes:
        start: first sample.
        end: behind the last sample.
        speech: share of the window with speech, in [0, 1].
        probabilities: shape (n_classes,); None where nobody speaks.
        embedding: shape (d,); None where nobody speaks.
        unfamiliar: in [0, 1]; NaN where nobody speaks or the model does not tell.
    """

    start: int
    end: int
    speech: float
    probabilities: npt.NDArray[np.float32] | None
    embedding: npt.NDArray[np.float32] | None
    unfamiliar: float = float("nan")


class StreamingTimeline:
    """Segments of one channel, as they become final: `push` blocks, then `finish`.

    Args:
        recognizer: whose model judges.
        options: how to cut and join.
        channel: to write into the segments.
        on_window: called with each window once it is judged, in their order.
        stretches: of 32 s, to gather before speech is looked for in all of them at once; 1 judges every window the
            moment it is whole, as a live stream wants it. Memory grows with them, by 2 MB each.
    Raises:
        ValueError: the options do not fit the model.
        ModelFileError: the voice activity detector is not there.
    """

    def __init__(
        self,
        recognizer: Classifier,
        options: TimelineOptions | None = None,
        *,
        channel: int | None = None,
        on_window: Callable[[Window], None] | None = None,
        stretches: int = STRETCHES_AT_ONCE,
    ) -> None:
        options = options or TimelineOptions()
        metadata = recognizer.metadata
        self._recognizer, self._options, self._metadata = recognizer, options, metadata
        self._channel, self._on_window = channel, on_window
        self._stretches, self._prompt = stretches, stretches == 1
        self._window, self._hop = options.window_samples(metadata), options.hop_samples(metadata)
        self._clip = options.clip_samples(metadata)
        self._rate = metadata.sample_rate
        self._sound = KeptSound(self._rate)
        # Whether a stream is more than a clip shows only after a while; its windows and segments wait until then.
        self._is_clip = True
        self._withheld: list[Segment] = []
        self._hearing: Hearing | None = None
        self._next_window = 0
        self._waiting: list[tuple[int, int, float, Waveform | None]] = []
        self._n_to_judge = 0
        self._covering: deque[Window] = deque()
        self._next_cell = 0
        self._joiner = SegmentJoiner(
            recognizer.labels,
            metadata.sample_rate,
            rule=recognizer.unsure_rule,
            min_segment=min(round(options.min_segment_s * metadata.sample_rate), self._hop),
            channel=channel,
            baseline=recognizer.baseline_name,
        )
        self._reset_sums()

    @property
    def duration_s(self) -> float:
        """Of all that was pushed."""
        return self._sound.n_samples / self._rate

    @property
    def weight(self) -> float:
        """Of the means: seconds of speech as windows count them, 1 for a clip; 0 where nobody spoke."""
        return self._weight

    @property
    def probabilities(self) -> npt.NDArray[np.float32] | None:
        """The mean over all windows so far, by their share of speech, shape (n_classes,); None where nobody spoke."""
        return (self._sum / self._weight).astype(np.float32) if self._weight else None

    @property
    def embedding(self) -> npt.NDArray[np.float32] | None:
        """Likewise, shape (d,)."""
        return (self._embeddings / self._weight).astype(np.float32) if self._weight else None

    @property
    def unfamiliar(self) -> float | None:
        """Likewise, in [0, 1]; None also if the model does not tell."""
        return known(self._unfamiliar / self._weight) if self._weight else None

    def push(self, block: Waveform) -> list[Segment]:
        """The segments that became final with this block.

        Args:
            block: mono float32 at the model's rate, shape (n_samples,), any n.
        """
        if not len(block):
            return []
        self._sound.add(block)
        if self._is_clip and self._sound.n_samples > self._clip:
            self._is_clip = False
            if not self._prompt:
                block = self._sound.read(0, self._sound.n_samples)
        if self._is_clip and not self._prompt:
            return []
        self._withheld += self._listen(block)
        if self._is_clip:
            return []
        final, self._withheld = self._withheld, []
        return final

    @property
    def clip(self) -> Waveform | None:
        """All that was pushed, shape (n_samples,), as long as it is no more than a clip; None once it is more."""
        return self._sound.read(0, self._sound.n_samples) if self._is_clip and self._sound.n_samples else None

    def finish(self, judged: Prediction | None = None) -> list[Segment]:
        """The rest.

        Args:
            judged: the prediction for `clip`, where a caller judged many clips at once.
        Raises:
            AudioTooShortError: the whole stream is shorter than the model can judge.
        """
        if self._is_clip:
            return self._judge_clip(judged)
        hearing = self._hearing_now()
        self._hear(hearing.voice.finish() if hearing.voice else None, last=True)
        self._cut_windows(last=True)
        self._judge_waiting()
        self._end_cells()
        return self._withheld + self._joiner.advance(last=True)

    def _listen(self, block: Waveform) -> list[Segment]:
        hearing = self._hearing_now()
        self._hear(hearing.voice.push(block) if hearing.voice else None, last=False)
        self._cut_windows(last=False)
        if self._prompt or self._n_to_judge >= self._options.batch or len(self._waiting) >= _MOST_WAITING:
            self._judge_waiting()
        self._forget()
        return self._joiner.advance()

    def _hearing_now(self) -> Hearing:
        # Made late: a clip needs no detector, and to load one would double the time a clip takes.
        if self._hearing is None:
            self._hearing = Hearing(self._options, self._rate, stretches=self._stretches)
        return self._hearing

    def _hear(self, probabilities: npt.NDArray[np.float32] | None, *, last: bool) -> None:
        for end, speech in self._hearing_now().stretches(probabilities, self._sound.n_samples, last=last):
            self._joiner.add_speech(end, speech)

    def _cut_windows(self, *, last: bool) -> None:
        hearing = self._hearing_now()
        while True:
            start = self._next_window * self._hop
            end = start + self._window
            if end > self._sound.n_samples:
                break
            if not last and not hearing.is_known(end):
                return
            self._cut(start, end)
        # The last window of the grid may end before the stream does; one more ends with it.
        covered = (self._next_window - 1) * self._hop + self._window
        if last and covered < self._sound.n_samples:
            self._cut(self._sound.n_samples - self._window, self._sound.n_samples)

    def _cut(self, start: int, end: int) -> None:
        speech, spans = self._hearing_now().spoken(start, end)
        sound = np.concatenate([self._sound.read(*span) for span in spans]) if spans else None
        if sound is not None and len(sound) < self._metadata.min_samples:
            sound = self._sound.read(start, end)
        self._waiting.append((start, end, speech, sound))
        self._n_to_judge += sound is not None
        self._next_window += 1
        if self._n_to_judge >= self._options.batch:
            self._judge_waiting()

    def _judge_waiting(self) -> None:
        sounds = [sound for *_, sound in self._waiting if sound is not None]
        judged = iter(self._recognizer.judge(sounds).rows() if sounds else ())
        for start, end, speech, sound in self._waiting:
            prediction = next(judged) if sound is not None else (None, None)
            self._add_window(Window(start, end, speech, *prediction))
        self._waiting, self._n_to_judge = [], 0

    def _add_window(self, window: Window) -> None:
        if window.probabilities is not None and window.embedding is not None:
            weight = window.speech * (window.end - window.start) / self._rate
            self._weight += weight
            self._sum += weight * window.probabilities
            self._embeddings += weight * window.embedding
            self._unfamiliar += weight * window.unfamiliar
        self._covering.append(window)
        # No later window on the grid reaches back into the cell that this one begins (segments.py on the last one).
        self._end_cell()
        if self._on_window:
            self._on_window(window)

    def _end_cell(self) -> None:
        start = self._next_cell * self._hop
        end = start + self._hop
        while self._covering and self._covering[0].end <= start:
            self._covering.popleft()
        mass = np.zeros(len(self._recognizer.labels))
        total = unfamiliar = 0.0
        for window in self._covering:
            overlap = min(end, window.end) - max(start, window.start)
            if window.probabilities is not None and overlap > 0:
                mass += overlap * window.speech * window.probabilities
                unfamiliar += overlap * window.speech * window.unfamiliar
                total += overlap * window.speech
        self._joiner.add_cell(end, mass / total if total else None, unfamiliar / total if total else float("nan"))
        self._next_cell += 1

    def _end_cells(self) -> None:
        while self._next_cell * self._hop < self._sound.n_samples:
            self._end_cell()

    def _judge_clip(self, judged: Prediction | None) -> list[Segment]:
        n_samples, least = self._sound.n_samples, self._metadata.min_samples
        if n_samples < least:
            raise AudioTooShortError(
                f"{n_samples} samples at {self._rate} Hz ({n_samples / self._rate:.3f} s); "
                f"the model needs at least {least} ({least / self._rate:.3f} s)"
            )
        sound = self._sound.read(0, n_samples)
        if is_silent(sound, self._options, self._rate):
            self._reset_sums()
            if self._on_window:
                self._on_window(Window(0, n_samples, 0.0, None, None))
            return [Segment(0.0, self.duration_s, None, speech=False, channel=self._channel)]
        if judged is None:
            judged = self._recognizer.judge([sound]).rows()[0]
        probabilities, embedding, unfamiliar = judged
        # A live stream has judged windows by now; the clip as a whole knows better.
        self._reset_sums()
        # Weight 1, so that the mean is the model's answer to the bit.
        self._weight = 1.0
        self._sum += probabilities
        self._embeddings += embedding
        self._unfamiliar += float(unfamiliar)
        if self._on_window:
            self._on_window(Window(0, n_samples, 1.0, probabilities, embedding, float(unfamiliar)))
        return [
            classified(
                (0.0, self.duration_s),
                as_shares(self._recognizer.labels, probabilities),
                known(float(unfamiliar)),
                rule=self._recognizer.unsure_rule,
                channel=self._channel,
                baseline=self._recognizer.baseline_name,
            )
        ]

    def _reset_sums(self) -> None:
        self._weight = self._unfamiliar = 0.0
        self._sum = np.zeros(len(self._recognizer.labels))
        self._embeddings = np.zeros(self._metadata.embedding_dim)

    def _forget(self) -> None:
        """Drop what no window needs any more: the next one, the last one, and a clip's beginning."""
        needed = 0 if self._is_clip else min(self._next_window * self._hop, self._sound.n_samples - self._window)
        self._sound.forget_before(needed)
