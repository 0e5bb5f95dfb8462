"""Decoding one recording at its own sample rate, and reporting what is missing or damaged."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from emotone.audio.clock import Clock
from emotone.audio.information import origin_of
from emotone.audio.mixing import CancellationMeter
from emotone.audio.mpeg_frames import is_xing_frame
from emotone.audio.opening import OpenedFile, Recording
from emotone.audio.resampling import check_sample_rate
from emotone.audio.samples import check_samples, samples_of
from emotone.errors import AudioError, AudioTruncatedError

_EXACT = frozenset({"wav", "w64", "flac", "aiff", "au", "caf"})
"""Containers that declare their length in samples; the others round to frames or to their clock."""

_SLACK_S = 0.1

_WITH_TIMESTAMPS = frozenset({"asf", "matroska", "mov", "ogg", "mpegts", "flac"})
"""Formats that say when sound belongs; for others, FFmpeg counts what it has read."""

_GATHERED = 4096
"""Samples that are converted and checked at once: codecs return 20 ms or so, and to do it for each costs as much as to
decode them. At 48 kHz it is a twelfth of a second, which a live stream waits for it."""

_SILENCE_AT_ONCE_S = 1.0
"""Length of a block of silence: a limit on decoded seconds is checked block by block."""


class AudioTruncatedWarning(UserWarning):
    """Less could be read than the recording declares, or parts of it are damaged; the rest is used."""


@dataclass(slots=True)
class _Tally:
    """What became of a recording.

    Attributes:
        read: decoded samples, at the declared rate.
        position_s: the end of what was decoded, silence in gaps included.
        damaged: packets that cannot be decoded, the first of them at `damage_s`.
    """

    read: float = 0.0
    position_s: float = 0.0
    damaged: int = 0
    damage_s: float = 0.0

    def note_damage(self) -> None:
        if not self.damaged:
            self.damage_s = self.position_s
        self.damaged += 1


def native_blocks(
    recording: Recording,
    channels: Literal["mix", "split"],
    truncated: Literal["warn", "error"],
    decoded: Callable[[float], None] | None = None,
    meter: CancellationMeter | None = None,
    damaged: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Decoded samples with their sample rate, shape (1, n) if mixed, (n_channels, n) if split.

    Raises:
        AudioSamplesError: NaN, infinity, or far beyond full scale.
        AudioTruncatedError: truncated or damaged, and `truncated` is "error" or nothing at all could be read.
        AudioError: the number of channels changes, and they are to be kept apart.
    """
    label, info = recording.label, recording.info
    tally = _Tally()
    start_s, rate = 0.0, info.sample_rate
    for run in _runs(recording, tally):
        if isinstance(run, float):
            for silence in _silence(run, rate, 1 if channels == "mix" else info.n_channels):
                start_s += silence.shape[1] / rate
                if decoded is not None:
                    decoded(start_s)
                yield rate, silence
            continue
        rate = run[0].sample_rate
        check_sample_rate(rate, f"{label}: from {start_s:.3f} s on, it")
        n_channels = len(run[0].layout.channels) or info.n_channels
        samples = samples_of(run, n_channels, mix=channels == "mix", label=label, meter=meter)
        if channels == "split" and len(samples) != info.n_channels:
            raise AudioError(
                f"{label}: {info.n_channels} channels become {n_channels} at {start_s:.3f} s; "
                "mix them to one (channels='mix')"
            )
        check_samples(samples, start_s, rate, label)
        start_s += samples.shape[1] / rate
        if decoded is not None:
            decoded(start_s)
        yield rate, samples
    _report(recording, tally, truncated, damaged)


def _silence(duration_s: float, rate: int, n_channels: int) -> Iterator[NDArray[np.float32]]:
    n_samples = round(duration_s * rate)
    at_once = round(_SILENCE_AT_ONCE_S * rate)
    for start in range(0, n_samples, at_once):
        yield np.zeros((n_channels, min(at_once, n_samples - start)), np.float32)


def _runs(recording: Recording, tally: _Tally) -> Iterator[list[av.AudioFrame] | float]:
    """Frames of one kind in a row, `_GATHERED` samples or so at once, and seconds of silence between them."""
    waiting: list[av.AudioFrame] = []
    kind: tuple[str, int, int] | None = None
    n_samples = 0
    try:
        for piece in _pieces(recording, tally):
            own = None if isinstance(piece, float) else _kind(piece)
            if waiting and (own != kind or n_samples >= _GATHERED):
                yield waiting
                waiting, n_samples = [], 0
            if isinstance(piece, float):
                yield piece
                continue
            kind = own
            waiting.append(piece)
            n_samples += piece.samples
    except AudioError:
        # What came before the error is yielded before it.
        if waiting:
            yield waiting
        raise
    if waiting:
        yield waiting


def _kind(frame: av.AudioFrame) -> tuple[str, int, int]:
    return frame.format.name, frame.sample_rate, len(frame.layout.channels)


def _pieces(recording: Recording, tally: _Tally) -> Iterator[av.AudioFrame | float]:
    """All frames, and seconds of silence where the container's clock leaves a gap."""
    containers = recording.containers()
    while True:
        try:
            opened = next(containers, None)
        except AudioError:
            # A joined recording that cannot be read; those after it may be whole.
            tally.note_damage()
            return
        if opened is None:
            return
        clock = Clock(
            tally.position_s,
            has_timestamps=opened.demuxer in _WITH_TIMESTAMPS,
            origin_s=origin_of(opened.demuxer, opened.container),
        )
        frames = _frames(recording, opened, clock, tally)
        # Ogg says when a page ends; FFmpeg notices one page late that packets are missing before it. A recording that
        # arrives live has no lost pages, and must not wait.
        late = opened.demuxer == "ogg" and recording.file.size is not None
        yield from _page_by_page(frames, recording, clock, tally) if late else _in_order(frames)


_Placed = tuple[float, av.AudioFrame, int | None]
"""Seconds of silence before a frame, the frame, and where its packet is in the file."""


def _in_order(frames: Iterator[_Placed]) -> Iterator[av.AudioFrame | float]:
    for silence_s, frame, _ in frames:
        if silence_s:
            yield silence_s
        yield frame


def _page_by_page(
    frames: Iterator[_Placed], recording: Recording, clock: Clock, tally: _Tally
) -> Iterator[av.AudioFrame | float]:
    """The same with silence one page earlier."""
    page: list[av.AudioFrame] = []
    page_at: int | None = None
    for silence_s, frame, at in frames:
        if silence_s:
            yield silence_s
        if at != page_at:
            yield from page
            page, page_at = [], at
        page.append(frame)
    declared = recording.info.declared_samples
    if declared is not None and page:
        end_s = declared / recording.info.sample_rate
        silence_s = clock.skip(end_s - clock.position_s)
        tally.position_s = clock.position_s
        if silence_s:
            yield silence_s
    yield from page


def _frames(recording: Recording, opened: OpenedFile, clock: Clock, tally: _Tally) -> Iterator[_Placed]:
    """All frames of one container; packets that cannot be decoded are skipped and counted."""
    rate = recording.info.sample_rate
    tick_s = float(opened.stream.time_base or 0)
    packets = opened.container.demux(opened.stream)
    while True:
        try:
            packet = next(packets, None)
        except AudioError:
            raise
        except av.FFmpegError:
            tally.note_damage()
            packet = None
        except OSError as error:
            raise AudioError(f"{recording.label}: cannot be read on: {error}") from error
        try:
            frames = opened.decoder.decode(packet)
        except (EOFError, av.FFmpegError) as error:
            if packet is None or isinstance(error, EOFError):
                return
            clock.lose((packet.duration or 0) * tick_s)
            if not _holds_no_sound(packet, recording):
                tally.note_damage()
            continue
        for frame in frames:
            if not frame.samples:
                continue
            duration_s = frame.samples / max(1, frame.sample_rate)
            silence_s = clock.place(None if frame.pts is None else frame.pts * tick_s, duration_s)
            tally.read += frame.samples * rate / max(1, frame.sample_rate)
            tally.position_s = clock.position_s
            yield silence_s, frame, None if packet is None else packet.pos
        if packet is None:
            return


def _holds_no_sound(packet: Packet[Any], recording: Recording) -> bool:
    """A few bytes after the last whole sample of PCM, or the header of an MP3 that is joined to another."""
    if recording.info.codec.startswith("pcm_"):
        return packet.size < 8 * recording.info.n_channels
    return recording.info.container == "mp3" and is_xing_frame(bytes(packet))


def _report(
    recording: Recording,
    tally: _Tally,
    truncated: Literal["warn", "error"],
    damaged: Callable[[str], None] | None,
) -> None:
    """Warn, or raise, if not all that was declared was read."""
    label, info = recording.label, recording.info
    exact = info.container in _EXACT
    read = tally.read if exact else tally.position_s * info.sample_rate
    slack = 0.0 if exact else _SLACK_S * info.sample_rate
    problems = []
    if info.declared_samples is not None and round(read) < info.declared_samples - slack:
        problems.append(f"truncated (it declares {info.declared_samples / info.sample_rate:.3f} s)")
    if recording.cut_in:
        problems.append(f"truncated (it ends within {recording.cut_in})")
    # Damage behind the declared end is a tag or junk: no sound is lost.
    if tally.damaged and (info.declared_samples is None or tally.damage_s * info.sample_rate < info.declared_samples):
        count = "1 packet" if tally.damaged == 1 else f"{tally.damaged} packets"
        problems.append(f"damaged ({count} cannot be decoded, the first at {tally.damage_s:.3f} s)")
    if not problems:
        return
    found = f"{' and '.join(problems)}; {read / info.sample_rate:.3f} s could be read"
    message = f"{label}: is {found}"
    if truncated == "error" or not tally.read:
        raise AudioTruncatedError(f"{message}; get a whole copy")
    if damaged is not None:
        damaged(found)
    warnings.warn(message, AudioTruncatedWarning, stacklevel=4)
