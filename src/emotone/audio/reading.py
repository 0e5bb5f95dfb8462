"""Recordings at a wanted rate: whole, or as a stream of blocks in constant memory. Both give the same samples."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emotone.audio.decoding import native_blocks
from emotone.audio.information import AudioInfo
from emotone.audio.mixing import CancellationMeter
from emotone.audio.opening import Recording, open_recording
from emotone.audio.resampling import Resampler, check_sample_rate
from emotone.audio.source import AudioSource
from emotone.errors import AudioTooShortError, OptionError

_RESAMPLED_AT_ONCE = 8_192
"""Samples gathered before resampling; packets of some formats are so short that calls would cost more than work."""

TRACKS_NOTE = "{n_tracks} audio tracks, of which track {track} was read; choose another with --track (track=)"
CANCELLATION_NOTE = (
    "the channels cancel each other, so little is left of their mix; "
    "read each on its own with --channels split (channels='split')"
)


def probe_audio(source: AudioSource, *, track: int | None = None) -> AudioInfo:
    """What a recording declares; nothing is decoded but what FFmpeg needs to know the stream.

    Args:
        source: as for `load_audio`.
        track: as for `load_audio`.
    Raises:
        AudioError: as `load_audio`, for what shows without decoding.
    """
    with open_recording(source, track) as recording:
        return recording.info


def load_audio(
    source: AudioSource,
    *,
    sample_rate: int = 16_000,
    channels: Literal["mix", "split"] = "mix",
    track: int | None = None,
    truncated: Literal["warn", "error"] = "warn",
    min_duration_s: float = 0.025,
    start_s: float | None = None,
    end_s: float | None = None,
    decoded: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """A recording, or a part of it, as float32 samples.

    Integer samples at the wanted rate come out exactly (16 bits: x / 32768). A part equals the same slice of the whole:
    decoding starts at the beginning and stops at `end_s`.

    Args:
        source: a path, bytes or a binary file object; file objects that cannot seek work for most formats.
        sample_rate: of the result, in Hz.
        channels: "mix" makes one of them, as the mean of stereo and by FFmpeg's downmix of surround sound; "split"
            keeps them apart.
        track: number of the audio track, from 1; None for the one that FFmpeg takes for the main one.
        truncated: what to do where less can be read than is declared, or packets are damaged: "warn" with
            `AudioTruncatedWarning` and use what was read, or "error". A part that ends before the file does is not
            checked.
        min_duration_s: the shortest result that is useful; the default is one analysis window.
        start_s: start of the part, from the beginning where None.
        end_s: end of the part, to the end where None or beyond it.
        decoded: as for `stream_audio`.
    Returns:
        shape (n_samples,) if mixed, (n_channels, n_samples) if split.
    Raises:
        AudioNotFoundError: no such file.
        NotAudioError: a folder, empty, no audio format we know; `NoAudioStreamError` for a container without sound or
            without such a track.
        AudioTruncatedError: `truncated` is "error", or nothing at all could be read.
        AudioSamplesError: NaN, infinite samples, or floats far beyond full scale (8).
        AudioTooShortError: shorter than `min_duration_s`, or `start_s` is after the end.
        SampleRateError: the recording's or the wanted rate is outside 4 kHz to 192 kHz.
        OptionError: an impossible option.
    """
    _check_options(sample_rate, channels, truncated)
    start_s = start_s or 0.0
    if not start_s >= 0 or (end_s is not None and not end_s > start_s):
        raise OptionError(f"start_s={start_s} and end_s={end_s} bound no part; expected 0 <= start_s < end_s")
    start, end = round(start_s * sample_rate), None if end_s is None else round(end_s * sample_rate)
    parts: list[NDArray[np.float32]] = []
    position = 0
    with open_recording(source, track) as recording:
        label = recording.label
        with closing(_resampled(recording, sample_rate, channels, truncated, decoded)) as blocks:
            for block in blocks:
                parts.append(block[:, max(0, start - position) : None if end is None else end - position])
                position += block.shape[1]
                if end is not None and position >= end:
                    break
    samples = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), np.float32)
    n_samples = samples.shape[1]
    if start and not n_samples:
        raise AudioTooShortError(
            f"{label}: start_s={start_s:g}, but the recording ends at {position / sample_rate:.3f} s"
        )
    if n_samples < max(1, round(min_duration_s * sample_rate)):
        raise AudioTooShortError(
            f"{label}: {n_samples / sample_rate:.4f} s of sound, expected at least {min_duration_s:g} s"
        )
    return samples[0] if channels == "mix" else samples


def stream_audio(
    source: AudioSource,
    *,
    sample_rate: int = 16_000,
    channels: Literal["mix", "split"] = "mix",
    track: int | None = None,
    block_s: float = 10.0,
    truncated: Literal["warn", "error"] = "warn",
    opened: Callable[[AudioInfo], None] | None = None,
    decoded: Callable[[float], None] | None = None,
    noted: Callable[[str], None] | None = None,
    damaged: Callable[[str], None] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """A recording as blocks of equal length but for the last, in constant memory.

    Joined, the blocks are what `load_audio` gives, to the bit. The source is opened at the first block; whether it was
    whole shows after the last.

    Args:
        source: as for `load_audio`.
        sample_rate: of the blocks, in Hz.
        channels: as for `load_audio`.
        track: as for `load_audio`.
        block_s: length of a block; it has round(block_s * sample_rate) samples.
        truncated: as for `load_audio`.
        opened: called with what the recording declares before the first block; a stream cannot be probed as well.
        decoded: called after every few thousand decoded samples, before they are yielded, with the seconds decoded so
            far, silence included. What it raises ends the reading: this is where a limit on length or time belongs,
            since a header may declare no length or a wrong one.
        noted: called with each note about the recording that a user should read: several audio tracks, or channels
            that cancel each other, which is known after the last block.
        damaged: called after the last block with what the `AudioTruncatedWarning` says, without the source's name.
    Yields:
        shape (n_samples,) if mixed, (n_channels, n_samples) if split.
    Raises:
        AudioError: as `load_audio`; `AudioTooShortError` only where there is no sample at all.
        OptionError: an impossible option.
    """
    _check_options(sample_rate, channels, truncated)
    block_length = round(block_s * sample_rate)
    if block_length < 1:
        raise OptionError(f"block_s={block_s} is less than one sample at {sample_rate} Hz")
    return _stream(source, sample_rate, channels, track, block_length, truncated, opened, decoded, noted, damaged)


def _stream(
    source: AudioSource,
    sample_rate: int,
    channels: Literal["mix", "split"],
    track: int | None,
    block_length: int,
    truncated: Literal["warn", "error"],
    opened: Callable[[AudioInfo], None] | None,
    decoded: Callable[[float], None] | None,
    noted: Callable[[str], None] | None,
    damaged: Callable[[str], None] | None,
) -> Iterator[NDArray[np.float32]]:
    waiting: list[NDArray[np.float32]] = []
    n_waiting = n_given = 0
    meter = CancellationMeter()
    with open_recording(source, track) as recording:
        info = recording.info
        if opened is not None:
            opened(info)
        if noted is not None and track is None and info.n_tracks > 1:
            noted(TRACKS_NOTE.format(n_tracks=info.n_tracks, track=info.track))
        for block in _resampled(recording, sample_rate, channels, truncated, decoded, meter, damaged):
            waiting.append(block)
            n_waiting += block.shape[1]
            if n_waiting < block_length:
                continue
            joined = np.concatenate(waiting, axis=1)
            for start in range(0, n_waiting - block_length + 1, block_length):
                whole = joined[:, start : start + block_length]
                yield whole[0] if channels == "mix" else whole
            n_given += n_waiting - n_waiting % block_length
            n_waiting %= block_length
            waiting = [joined[:, joined.shape[1] - n_waiting :].copy()]
        if n_waiting:
            last = np.concatenate(waiting, axis=1)
            yield last[0] if channels == "mix" else last
        elif not n_given:
            raise AudioTooShortError(f"{recording.label}: holds no samples")
        if noted is not None and meter.cancels:
            noted(CANCELLATION_NOTE)


def _check_options(sample_rate: int, channels: str, truncated: str) -> None:
    check_sample_rate(sample_rate, "the wanted result")
    if channels not in ("mix", "split"):
        raise OptionError(f"channels={channels!r}, expected 'mix' or 'split'")
    if truncated not in ("warn", "error"):
        raise OptionError(f"truncated={truncated!r}, expected 'warn' or 'error'")


def _resampled(
    recording: Recording,
    sample_rate: int,
    channels: Literal["mix", "split"],
    truncated: Literal["warn", "error"],
    decoded: Callable[[float], None] | None,
    meter: CancellationMeter | None = None,
    damaged: Callable[[str], None] | None = None,
) -> Generator[NDArray[np.float32], None, None]:
    """Blocks at the wanted rate, shape (1 or n_channels, n); each run of blocks of one rate has its own resamplers."""
    resamplers: list[Resampler] = []
    for rate, block in _gathered(native_blocks(recording, channels, truncated, decoded, meter, damaged)):
        if resamplers and resamplers[0].sample_rate_in != rate:
            yield np.stack([resampler.finish() for resampler in resamplers])
            resamplers = []
        if rate == sample_rate:
            yield block
            continue
        if not resamplers:
            resamplers = [Resampler(rate, sample_rate) for _ in block]
        yield np.stack([resampler.push(row) for resampler, row in zip(resamplers, block, strict=True)])
    if resamplers:
        yield np.stack([resampler.finish() for resampler in resamplers])


def _gathered(blocks: Iterator[tuple[int, NDArray[np.float32]]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The same samples in blocks that are worth a call; a block never spans two rates."""
    waiting: list[NDArray[np.float32]] = []
    n_waiting = waiting_rate = 0
    for rate, block in blocks:
        if waiting and rate != waiting_rate:
            yield waiting_rate, np.concatenate(waiting, axis=1)
            waiting, n_waiting = [], 0
        waiting_rate = rate
        waiting.append(block)
        n_waiting += block.shape[1]
        if n_waiting >= _RESAMPLED_AT_ONCE:
            yield rate, np.concatenate(waiting, axis=1)
            waiting, n_waiting = [], 0
    if waiting:
        yield waiting_rate, np.concatenate(waiting, axis=1)
