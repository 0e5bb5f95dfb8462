"""One pass over a recording: its blocks into timelines, one per channel, and their segments into a `Recognition`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from emotone.audio import AudioInfo
from emotone.errors import AudioError, AudioTooShortError, OptionError
from emotone.listening.model.predictions import Classifier, Prediction
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Recognition, Timeline
from emotone.listening.segments import Segment, overall, reason_for
from emotone.listening.sound.bandwidth import BandMeter, narrow_band_note
from emotone.listening.sound.inputs import as_source
from emotone.listening.sound.sources import MOST_CHANNELS, Source, Waveform, name_of, source_blocks
from emotone.listening.timeline import StreamingTimeline, Window
from emotone.voice_activity import CHUNKS_AT_ONCE


class Recording:
    """A recording that was read to its end; its last few windows still wait to be classified.

    Args:
        recognizer: whose model classifies.
        source: as for a recognizer.
        sample_rate: of a bare waveform, in Hz.
        channels: "mix" averages them, "split" keeps them apart.
        options: how to cut and join.
        on_open: called with the information in the header, before anything is decoded.
        on_decoded: called with the seconds decoded so far; what it raises ends the reading.
    Raises:
        AudioError: the source is not sound, too short, damaged, or has too many channels to keep apart.
        OptionError: the options do not fit the model.
    """

    def __init__(
        self,
        recognizer: Classifier,
        source: Source,
        sample_rate: int | None = None,
        *,
        channels: Literal["mix", "split"] = "mix",
        options: TimelineOptions | None = None,
        on_open: Callable[[AudioInfo], None] | None = None,
        on_decoded: Callable[[float], None] | None = None,
    ) -> None:
        if channels not in ("mix", "split"):
            raise OptionError(f"channels = {channels!r}; expected 'mix' or 'split'")
        self.name = name_of(source)
        self._recognizer, self._split, self._on_open = recognizer, channels == "split", on_open
        source, sample_rate = as_source(source, sample_rate)
        self._stated_rate = sample_rate
        self._info: AudioInfo | None = None
        self._notes: list[str] = []
        self._track = None if options is None else options.track
        metadata = recognizer.metadata
        self._meter = BandMeter(metadata.sample_rate)
        self._channels: list[_Channel] = []
        blocks = source_blocks(
            source,
            sample_rate,
            wanted_rate=metadata.sample_rate,
            channels=channels,
            track=self._track,
            opened=self._open,
            noted=self._notes.append,
            damaged=self._notes.append,
            decoded=on_decoded,
        )
        for block in blocks:
            self._require_few(len(block))
            if not self._channels:
                self._channels = [
                    _Channel(recognizer, options, row if self._split else None, n_channels=len(block))
                    for row in range(len(block))
                ]
            self._meter.push(block[0] if len(block) == 1 else block.mean(axis=0))
            for side, waveform in zip(self._channels, block, strict=True):
                side.push(waveform)
        n_samples = self._channels[0].timeline.n_samples if self._channels else 0
        if n_samples < metadata.min_samples:
            raise AudioTooShortError(
                f"{self.name}: {n_samples} samples at {metadata.sample_rate} Hz "
                f"({n_samples / metadata.sample_rate:.4f} s); the model needs at least {metadata.min_samples} "
                f"({metadata.min_samples / metadata.sample_rate:.3f} s)"
            )
        self._waiting = [side.timeline.end() for side in self._channels]

    def _open(self, info: AudioInfo) -> None:
        self._info = info
        if self._on_open is not None:
            self._on_open(info)
        self._require_few(info.n_channels if self._split else 1)

    def _require_few(self, n_channels: int) -> None:
        if n_channels > MOST_CHANNELS:
            raise AudioError(
                f"{self.name} has {n_channels} channels; at most {MOST_CHANNELS} can be classified separately: "
                "mix them, or cut the recording into files of fewer"
            )

    @property
    def waiting(self) -> list[Waveform]:
        """The sounds that still wait to be classified, of all channels."""
        return [sound for sounds in self._waiting for sound in sounds]

    def recognition(self, predictions: Sequence[Prediction] | None = None) -> Recognition:
        """The result.

        Args:
            predictions: for each of `waiting`; None to classify them now.
        """
        if predictions is None:
            predictions = self._recognizer.classify(self.waiting).rows() if self.waiting else []
        remaining = iter(predictions)
        for side, sounds in zip(self._channels, self._waiting, strict=True):
            side.segments += side.timeline.finish([next(remaining) for _ in sounds])
        note = narrow_band_note(self._info, self._stated_rate, self._meter)
        channels = tuple(self._recognition([side], note) for side in self._channels) if self._split else ()
        return self._recognition(self._channels, note, channels)

    def _recognition(self, sides: Sequence[_Channel], note: str, channels: tuple[Recognition, ...] = ()) -> Recognition:
        labels, rule = self._recognizer.labels, self._recognizer.unsure_rule
        segments = [segment for side in sides for segment in side.segments]
        shares, unfamiliar = overall(segments)
        reason = reason_for(segments, rule)
        embedding = np.zeros(self._recognizer.metadata.embedding_dim, dtype=np.float32)
        spoken = [side.timeline for side in sides if side.timeline.weight]
        if spoken:
            weights = [one.weight for one in spoken]
            embedding = np.average([one.embedding for one in spoken], axis=0, weights=weights).astype(np.float32)
        return Recognition(
            source=self.name,
            emotion=max(shares, key=shares.__getitem__) if shares else None,
            probabilities=shares,
            unsure=bool(reason),
            duration_s=sides[0].timeline.duration_s,
            embedding=embedding,
            segments=tuple(sorted(segments, key=lambda one: (one.start_s, one.channel or 0))),
            timeline=_joined([side.rows() for side in sides], len(labels)),
            channels=channels,
            labels=labels,
            narrow_band=bool(note),
            note="; ".join([*self._notes, note] if note else self._notes),
            unfamiliar=unfamiliar,
            reason=reason,
            baseline=self._recognizer.baseline_name,
            track=self._track,
            model=self._recognizer.metadata.name,
            unsure_threshold=rule.confidence,
        )


class _Channel:
    """One channel: its timeline, its windows and its segments."""

    def __init__(
        self, recognizer: Classifier, options: TimelineOptions | None, channel: int | None, *, n_channels: int
    ) -> None:
        self._rate, self._channel, self._n_classes = recognizer.metadata.sample_rate, channel, len(recognizer.labels)
        self._windows: list[tuple[int, int, float, npt.NDArray[np.float32] | None]] = []
        self.segments: list[Segment] = []
        # All sides together take the memory of one.
        self.timeline = StreamingTimeline(
            recognizer,
            options,
            channel=channel,
            on_window=self._keep,
            chunks=max(2, CHUNKS_AT_ONCE // n_channels),
        )

    def push(self, waveform: Waveform) -> None:
        self.segments += self.timeline.push(waveform)

    def rows(self) -> Timeline:
        n_windows = len(self._windows)
        probabilities = np.full((n_windows, self._n_classes), np.nan, dtype=np.float32)
        for row, (_, _, _, shares) in zip(probabilities, self._windows, strict=True):
            if shares is not None:
                row[:] = shares
        return Timeline(
            start_s=np.array([start for start, *_ in self._windows], dtype=np.float64) / self._rate,
            end_s=np.array([end for _, end, *_ in self._windows], dtype=np.float64) / self._rate,
            probabilities=probabilities,
            speech=np.array([speech for _, _, speech, _ in self._windows], dtype=np.float32),
            channel=np.full(n_windows, -1 if self._channel is None else self._channel, dtype=np.int16),
        )

    def _keep(self, window: Window) -> None:
        self._windows.append((window.start, window.end, window.speech, window.probabilities))


def _joined(parts: Sequence[Timeline], n_classes: int) -> Timeline:
    if len(parts) == 1:
        return parts[0]
    return Timeline(
        np.concatenate([one.start_s for one in parts]),
        np.concatenate([one.end_s for one in parts]),
        np.concatenate([one.probabilities for one in parts]).reshape(-1, n_classes),
        np.concatenate([one.speech for one in parts]),
        np.concatenate([one.channel for one in parts]),
    )
