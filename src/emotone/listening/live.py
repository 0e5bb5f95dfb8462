"""Sound as it comes, emotions as they become known: the class behind the microphone and the web service.

Conventions: blocks are of any size and of one sample rate; times are seconds of sound since the first block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emotone.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Resampler
from emotone.errors import SampleRateError
from emotone.listening.options import TimelineOptions
from emotone.listening.segments import Segment, as_shares
from emotone.listening.sources import Waveform, as_block
from emotone.listening.timeline import Judge, StreamingTimeline, Window


class LiveRecognizer:
    """Feed it blocks, take segments; `current` says what is heard right now.

    The segments are those of the same sound as a file: `current` is what comes earlier. Memory does not grow with the
    stream. Not safe to share between threads; the recognizer is, so make one of these for each stream.

    Args:
        recognizer: made by `emotone.load`.
        sample_rate: of the blocks, in Hz.
        options: how to cut and join.
        channel: to write into the segments.
    Raises:
        SampleRateError: the rate is outside 4 kHz to 192 kHz.
        ValueError: the options do not fit the model.
        ModelFileError: the voice activity detector is not there.
    """

    def __init__(
        self,
        recognizer: Judge,
        sample_rate: int = 16_000,
        *,
        options: TimelineOptions | None = None,
        channel: int | None = None,
    ) -> None:
        if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
            raise SampleRateError(f"sample_rate = {sample_rate}; expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz")
        self.sample_rate = sample_rate
        self.channel = channel
        self._recognizer, self._rate = recognizer, recognizer.metadata.sample_rate
        self._resampler = Resampler(sample_rate, self._rate) if sample_rate != self._rate else None
        self._timeline = StreamingTimeline(recognizer, options, channel=channel, on_window=self._hear, stretches=1)
        self._current: Segment | None = None
        self._finished = False

    @property
    def current(self) -> Segment | None:
        """The last whole window: the newest there is to say, and not final. None until there is one."""
        return self._current

    @property
    def duration_s(self) -> float:
        """Seconds of sound that were judged or wait for it."""
        return self._timeline.duration_s

    @property
    def probabilities(self) -> dict[str, float]:
        """Of the stream so far, the mean over its windows by their share of speech; empty before there are any."""
        mean = self._timeline.probabilities
        return {} if mean is None else as_shares(self._recognizer.metadata.labels, mean)

    def feed(self, block: npt.NDArray[Any]) -> list[Segment]:
        """Hear a block.

        Args:
            block: float in [-1, 1] or int16, shape (n_samples,) or (n_channels, n_samples), any n; channels are mixed.
        Returns:
            the segments that became final, in their order; often none.
        Raises:
            AudioError: the block is no sound, or holds NaN or infinity.
            RuntimeError: the stream was finished before.
        """
        if self._finished:
            raise RuntimeError("this stream is finished; make a LiveRecognizer for the next one")
        waveform: Waveform = as_block(block)
        return self._timeline.push(waveform if self._resampler is None else self._resampler.push(waveform))

    def finish(self) -> list[Segment]:
        """The rest, when the stream ends; a stream that is too short to judge gives none."""
        if self._finished:
            return []
        self._finished = True
        final = self._timeline.push(self._resampler.finish()) if self._resampler else []
        if self.duration_s * self._rate + 0.5 < self._recognizer.metadata.min_samples:
            return final
        return final + self._timeline.finish()

    def _hear(self, window: Window) -> None:
        start_s, end_s = window.start / self._rate, window.end / self._rate
        if window.probabilities is None:
            self._current = Segment(start_s, end_s, None, speech=False, channel=self.channel)
            return
        shares = as_shares(self._recognizer.metadata.labels, np.asarray(window.probabilities))
        emotion = max(shares, key=shares.__getitem__)
        unsure = shares[emotion] < self._recognizer.unsure_threshold
        self._current = Segment(start_s, end_s, emotion, shares, unsure, channel=self.channel)
