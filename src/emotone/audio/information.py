"""The properties that a recording declares, before any of it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from emotone.audio.lengths import amr_seconds, caf_samples, flac_samples, mp3_samples, ogg_samples, wav_samples
from emotone.audio.source import SourceFile

_LATEST_START_S = 60.0
"""A recording that begins later on its own clock is a part of a longer stream, and its times count from its start."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a recording declares.

    Attributes:
        container: FFmpeg's name of the container format, such as `wav` or `matroska`.
        codec: FFmpeg's name of the codec, such as `pcm_s16le` or `opus`.
        sample_rate: in Hz.
        n_channels: channels of the audio track that is read.
        duration_s: declared where it is declared, else estimated from the size of the file; None if unknown. A late
            start of the sound counts.
        declared_samples: samples per channel that the container declares, a late start included; None if it declares
            none.
        n_tracks: audio tracks in the file.
        track: number of the track that is read, from 1.
    """

    container: str
    codec: str
    sample_rate: int
    n_channels: int
    duration_s: float | None
    declared_samples: int | None
    n_tracks: int = 1
    track: int = 1


def origin_of(demuxer: str, container: InputContainer) -> float | None:
    """The timestamp in seconds at which a recording begins; None for that of its first sound.

    Matroska, MP4 and ASF count from the beginning of the recording. The clock of a transport stream is its sender's.
    """
    if demuxer not in ("asf", "matroska", "mov", "ogg", "mpegts"):
        return None
    start_s = (container.start_time or 0) / av.time_base
    return start_s if demuxer == "mpegts" or start_s > _LATEST_START_S else 0.0


def info_of(file: SourceFile, demuxer: str, container: InputContainer, stream: AudioStream) -> AudioInfo:
    """What an opened recording declares; its samples are not decoded."""
    context = stream.codec_context
    rate = context.sample_rate
    begin_s = float((stream.start_time or 0) * (stream.time_base or 0)) - (origin_of(demuxer, container) or 0.0)
    duration_s = None
    if stream.duration and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    declared: int | None = None
    if demuxer == "wav":
        declared = wav_samples(file)
    elif demuxer == "flac":
        declared = flac_samples(file)
    elif demuxer == "mp3":
        declared = mp3_samples(file)
    elif demuxer == "ogg":
        n_samples = ogg_samples(file)
        declared = None if n_samples is None else n_samples - round((origin_of(demuxer, container) or 0.0) * rate)
    elif demuxer == "caf" and (n_samples := caf_samples(file)):
        declared = n_samples
    elif demuxer == "matroska":
        duration_s = _matroska_duration_s(container, stream)
        if duration_s is not None:
            duration_s -= origin_of(demuxer, container) or 0.0
            declared = round(duration_s * rate)
    elif duration_s and demuxer in ("mov", "mpegts"):
        duration_s += begin_s
        declared = round(duration_s * rate) if demuxer == "mov" else None
    elif duration_s and demuxer in ("aiff", "au", "caf", "w64"):
        declared = round(duration_s * rate)
    elif demuxer == "amr":
        duration_s = amr_seconds(file)
    if declared is not None and declared > 0:
        duration_s = declared / rate
    elif duration_s is None and container.duration:
        duration_s = container.duration / av.time_base
    tracks = list(container.streams.audio)
    return AudioInfo(
        demuxer,
        context.name,
        rate,
        context.channels,
        duration_s,
        declared if declared is None or declared > 0 else None,
        len(tracks),
        1 + [track.index for track in tracks].index(stream.index),
    )


def _matroska_duration_s(container: InputContainer, stream: AudioStream) -> float | None:
    """The track's DURATION tag; the segment's duration covers the pictures too and counts only without any."""
    try:
        hours, minutes, seconds = stream.metadata["DURATION"].strip("\0").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except (KeyError, ValueError):
        pass
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None
