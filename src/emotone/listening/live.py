"""Emotions in live streams: the class behind `emotone listen` and the web service.

Conventions: blocks are of any size and of one sample rate; times are seconds of sound since the first block.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy.typing as npt

from emotone.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Resampler
from emotone.errors import EmotoneError, NotAudioError, OptionError, SampleRateError
from emotone.listening.model.predictions import Classifier
from emotone.listening.options import TimelineOptions
from emotone.listening.segments import Segment, overall, reason_for
from emotone.listening.sound.sources import Waveform, as_block
from emotone.listening.timeline import StreamingTimeline

CURRENT_EVERY_S = 1.0
"""How often `current` is brought up to date."""


class LiveRecognizer:
    """Takes blocks, returns segments; `current` is the last segment so far.

    The segments are those of the same sound as a file, and so are `probabilities` and `summary` at every second. Memory
    does not grow with the stream. Not safe to share between threads; the recognizer is, so make one for each stream.

    Args:
        recognizer: made by `emotone.load`.
        sample_rate: of the blocks, in Hz.
        channels: "mix" averages those of a block; "split" classifies each separately, as the two sides of a call. The
            first block sets their number.
        options: how to cut and join.
        channel: to write into the segments; None for none, and for the position of each where channels are split.
    Raises:
        SampleRateError: the rate is outside 4 kHz to 192 kHz.
        OptionError: the options do not fit the model, or a channel was named for several.
        ModelFileError: the voice activity detector is not installed.
    """

    def __init__(
        self,
        recognizer: Classifier,
        sample_rate: int = 16_000,
        *,
        channels: Literal["mix", "split"] = "mix",
        options: TimelineOptions | None = None,
        channel: int | None = None,
    ) -> None:
        if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
            raise SampleRateError(f"sample_rate = {sample_rate}; expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz")
        if channels not in ("mix", "split") or (channels == "split" and channel is not None):
            raise OptionError(
                f"channels = {channels!r}, channel = {channel}; expected 'mix', or 'split' and no channel"
            )
        self.sample_rate = sample_rate
        self._recognizer, self._options, self._channels = recognizer, options, channels
        # The first one checks the options now; the others follow when the number of channels is known.
        self._states = [_Channel(recognizer, sample_rate, options, 0 if channels == "split" else channel)]
        self._n_channels: int | None = None if channels == "split" else 1
        self._newest: Segment | None = None
        self._finished = False

    @property
    def current(self) -> Segment | None:
        """The last segment so far of the channel that changed last; not final. None before the first second."""
        return self._newest

    @property
    def currents(self) -> tuple[Segment | None, ...]:
        """The last segment so far of each channel; of the mix alone where channels are mixed."""
        return tuple(side.current for side in self._states)

    @property
    def duration_s(self) -> float:
        """Seconds of sound so far."""
        return self._states[0].timeline.duration_s

    @property
    def probabilities(self) -> dict[str, float]:
        """Of the stream so far, as for a file of it: the mean over its segments, weighted by their durations.

        Empty while there are none; brought up to date every `CURRENT_EVERY_S`.
        """
        return overall(self._segments())[0]

    @property
    def summary(self) -> Segment:
        """The stream so far as one segment, with the emotion that a file of it would have."""
        segments, rule = self._segments(), self._recognizer.unsure_rule
        probabilities, unfamiliar = overall(segments)
        reason = reason_for(segments, rule)
        return Segment(
            0.0,
            self.duration_s,
            max(probabilities, key=probabilities.__getitem__) if probabilities else None,
            probabilities,
            bool(reason),
            speech=bool(probabilities),
            unfamiliar=unfamiliar,
            reason=reason,
            baseline=self._recognizer.baseline_name,
        )

    def _segments(self) -> list[Segment]:
        return [one for side in self._states for one in (*side.summary, *side.open)]

    def feed(self, block: npt.NDArray[Any]) -> list[Segment]:
        """Add a block.

        Args:
            block: float in [-1, 1] or int16, shape (n_samples,) or (n_channels, n_samples), any n.
        Returns:
            the segments that became final, in the order of their times; often none.
        Raises:
            AudioError: the block is not audio, holds NaN or infinity, or has other channels than those before.
            RuntimeError: the stream was finished before.
        """
        if self._finished:
            raise EmotoneError("this stream is finished; make a LiveRecognizer for the next one")
        rows = as_block(block, self._channels)
        self._expect(len(rows))
        return self._merged([side.feed(row) for side, row in zip(self._states, rows, strict=True)])

    def finish(self) -> list[Segment]:
        """The rest, when the stream ends; none if the stream is too short."""
        if self._finished:
            return []
        self._finished = True
        return self._merged([side.finish() for side in self._states])

    def _expect(self, n_channels: int) -> None:
        if self._n_channels is None:
            self._states += [
                _Channel(self._recognizer, self.sample_rate, self._options, number) for number in range(1, n_channels)
            ]
            self._n_channels = n_channels
        if n_channels != self._n_channels:
            raise NotAudioError(f"a block of {n_channels} channels; those before it had {self._n_channels}")

    def _merged(self, final: list[list[Segment]]) -> list[Segment]:
        news = [side.current for side in self._states if side.has_news()]
        self._newest = news[-1] if news else self._newest
        return sorted((one for some in final for one in some), key=lambda one: (one.start_s, one.channel or 0))


class _Channel:
    """One channel, or the mix of all."""

    def __init__(
        self, recognizer: Classifier, sample_rate: int, options: TimelineOptions | None, channel: int | None
    ) -> None:
        self._recognizer, self._rate, self._channel = recognizer, recognizer.metadata.sample_rate, channel
        self._resampler = Resampler(sample_rate, self._rate) if sample_rate != self._rate else None
        self.timeline = StreamingTimeline(recognizer, options, channel=channel, chunks=1)
        hop = (options or TimelineOptions()).hop_samples(recognizer.metadata)
        self._every = min(hop, round(CURRENT_EVERY_S * self._rate))
        self._n_previews = 0
        self.current: Segment | None = None
        self.summary: list[Segment] = []
        self.open: list[Segment] = []
        self._seen: Segment | None = None

    def feed(self, waveform: Waveform) -> list[Segment]:
        """Blocks are divided where a preview is due, so that it does not depend on how the stream is cut."""
        waveform = waveform if self._resampler is None else self._resampler.push(waveform)
        final: list[Segment] = []
        while len(waveform):
            due = (self._n_previews + 1) * self._every - self.timeline.n_samples
            final += self._keep(self.timeline.push(waveform[:due]))
            if len(waveform) >= due:
                self._n_previews += 1
                self._preview()
            waveform = waveform[due:]
        return final

    def finish(self) -> list[Segment]:
        """The rest; none if the stream is shorter than the model can classify."""
        final = self._keep(self.timeline.push(self._resampler.finish())) if self._resampler else []
        self.open = []
        if self.timeline.n_samples < self._recognizer.metadata.min_samples:
            return final
        return final + self._keep(self.timeline.finish())

    def has_news(self) -> bool:
        """Whether `current` has changed since this was asked before."""
        seen, self._seen = self._seen, self.current
        return self.current is not seen

    def _keep(self, segments: list[Segment]) -> list[Segment]:
        """Keep one segment for all, with their mean and the sum of their durations."""
        self.summary = summarised(self.summary, segments)
        if segments:
            self.open = [one for one in self.open if one.start_s >= segments[-1].end_s]
        return segments

    def _preview(self) -> None:
        self.open = self.timeline.so_far()
        if self.open:
            self.current = self.open[-1]


def summarised(summary: list[Segment], segments: list[Segment]) -> list[Segment]:
    """One segment for many, with their mean and the sum of their durations: memory does not grow with a stream."""
    spoken = [*summary, *(one for one in segments if one.probabilities)]
    if len(spoken) < 2:
        return spoken
    shares, unfamiliar = overall(spoken)
    return [Segment(0.0, sum(one.duration_s for one in spoken), None, shares, unfamiliar=unfamiliar)]
