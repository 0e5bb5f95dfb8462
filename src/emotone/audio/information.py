"""What a recording says of itself before any of it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from emotone.audio.lengths import caf_samples, flac_samples, mp3_declares_length, wav_samples
from emotone.audio.source import SourceFile


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a recording says of itself, without decoding it.

    Attributes:
        container: FFmpeg's name of the container format, such as `wav` or `matroska`.
        codec: FFmpeg's name of the codec, such as `pcm_s16le` or `opus`.
        sample_rate: in Hz.
        n_channels: channels of the stream that is decoded.
        duration_s: declared where it is declared, else estimated from the size of the file; None if unknown.
        declared_samples: samples per channel that the container declares; None if it declares none.
    """

    container: str
    codec: str
    sample_rate: int
    n_channels: int
    duration_s: float | None
    declared_samples: int | None


def info_of(file: SourceFile, demuxer: str, container: InputContainer, stream: AudioStream) -> AudioInfo:
    """What an opened recording declares; its samples are not decoded."""
    context = stream.codec_context
    rate = context.sample_rate
    duration_s = None
    if stream.duration and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    declared: int | None = None
    if demuxer == "wav":
        declared = wav_samples(file)
    elif demuxer == "flac":
        declared = flac_samples(file)
    elif demuxer == "caf" and (n_samples := caf_samples(file)):
        declared = n_samples
    elif demuxer == "matroska":
        duration_s = _matroska_duration_s(container, stream)
        declared = round(duration_s * rate) if duration_s else None
    elif duration_s and (demuxer in ("mov", "ogg", "aiff", "caf") or (demuxer == "mp3" and mp3_declares_length(file))):
        declared = round(duration_s * rate)
    if declared is not None:
        duration_s = declared / rate
    elif duration_s is None and container.duration:
        duration_s = container.duration / av.time_base
    return AudioInfo(demuxer, context.name, rate, context.channels, duration_s, declared)


def _matroska_duration_s(container: InputContainer, stream: AudioStream) -> float | None:
    """The track's DURATION tag; the segment's duration covers the pictures too and counts only without any."""
    start_s = float((stream.start_time or 0) * (stream.time_base or 0))
    try:
        hours, minutes, seconds = stream.metadata["DURATION"].strip("\0").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - start_s
    except (KeyError, ValueError):
        pass
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base - start_s
    return None
