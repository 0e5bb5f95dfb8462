"""Opening a recording: its format, its audio track and its decoder.

FFmpeg recognises the format from the content, but may only use the demuxers in a list: others read playlists (concat,
HLS, DASH, SDP, image sequences) whose text makes FFmpeg open other files and connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.container import InputContainer

from emotone.audio.information import AudioInfo, info_of
from emotone.audio.lengths import cut_in, index_at_end
from emotone.audio.links import Links, WavLinks, links_of
from emotone.audio.mpeg_frames import has_frames
from emotone.audio.resampling import check_sample_rate
from emotone.audio.source import AudioSource, SourceFile, open_source
from emotone.errors import (
    AudioError,
    AudioTruncatedError,
    NoAudioStreamError,
    NotAudioError,
    OptionError,
    SampleRateError,
)

DEMUXERS = "aac,aiff,amr,asf,au,avi,caf,flac,matroska,mov,mp3,mpegts,ogg,w64,wav"
"""FFmpeg's names of the formats that are read."""

AUDIO_SUFFIXES = frozenset(
    {".3gp", ".aac", ".aif", ".aifc", ".aiff", ".amr", ".asf", ".au", ".avi", ".caf", ".flac", ".m2ts", ".m4a", ".m4b"}
    | {".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mts", ".oga", ".ogg", ".opus", ".snd", ".ts", ".w64", ".wav"}
    | {".wave", ".weba", ".webm", ".wma", ".wmv"}
)
"""By which recordings are found in folders. A file that is named itself may have any name: its content decides."""

_EXPECTED = "wav, flac, mp3, m4a/aac, ogg, opus, webm, mkv, mp4, ts, amr, wma, avi, aiff, au or caf"

_RIFF = (b"RIFF", b"RF64", b"BW64")
_MP4_ATOMS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"})
_SIGNATURES = frozenset(
    {*_RIFF, b"riff", b"FORM", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"caff", b"#!AM", b".snd", b"0&\xb2u"}
)
"""First bytes of supported formats: such a file is reported as damaged even if FFmpeg does not recognise it."""

_WAV_OPTIONS = {"max_size": "65536", "probesize": "4096"}
"""FFmpeg searches the samples of a WAV for other codecs; by default that takes longer than recognising the emotion."""

_DECODERS = {"amrnb": "libopencore_amrnb", "amrwb": "libopencore_amrwb"}
"""FFmpeg's own AMR decoders cannot decode silence frames (DTX)."""

_LENIENT_NAMES: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""A title in an unknown encoding must not make a recording unreadable; PyAV 19 replaces such bytes by default."""


def starts_like_recording(start: bytes) -> bool:
    """Whether bytes begin with the signature of a format that is read; MP3 without tags, ADTS and MPEG-TS have none.

    Args:
        start: the first 12 bytes.
    """
    if start[:4] in _RIFF:
        return start[8:12] in (b"WAVE", b"AVI ")
    return start[:4] in _SIGNATURES or start[4:8] in _MP4_ATOMS or (start[:3] == b"ID3" and start[3:4] in b"\2\3\4")


def is_recording(path: Path) -> bool:
    """Whether the content of a file is a recording, whatever its name is. A damaged one is a recording, too."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            if starts_like_recording(file.read(12)):
                return True
        with open_recording(path):
            return True
    except (NoAudioStreamError, SampleRateError):
        return True
    except (AudioError, OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A container with the audio track that is read from it."""

    demuxer: str
    container: InputContainer
    stream: AudioStream
    decoder: AudioCodecContext


@dataclass(frozen=True, slots=True)
class Recording:
    """An opened recording.

    Attributes:
        label: how messages call it.
        cut_in: the part of the file that its end cuts, if that shows.
        info: what it declares.
        first: its container; the first of several where recordings are joined.
        file: the source.
        links: the source as joined recordings; None if the format cannot be joined.
    """

    label: str
    cut_in: str | None
    info: AudioInfo
    first: OpenedFile
    file: SourceFile
    links: Links | WavLinks | None

    def containers(self) -> Iterator[OpenedFile]:
        """The container, and those of the recordings that are joined to it; each is closed before the next is opened.

        Raises:
            AudioError: the next one cannot be read.
        """
        yield self.first
        while self.links is not None and self.links.advance():
            with _opened(self.file, self.links, self.info.track) as opened:
                yield opened


@contextmanager
def open_recording(source: AudioSource, track: int | None = None) -> Iterator[Recording]:
    """Open a source and choose its audio track; FFmpeg gets no way to anything but these bytes.

    Args:
        source: a path, bytes or a binary file object.
        track: number of the audio track, from 1; None for the one that FFmpeg takes for the main one.
    Raises:
        NotAudioError: no allowed format, or damaged beyond reading.
        NoAudioStreamError: no sound in it, or no such track.
        SampleRateError: a rate outside 4 kHz to 192 kHz.
        AudioError: any other reason why it cannot be opened.
        OptionError: `track` is less than 1.
    """
    if track is not None and track < 1:
        raise OptionError(f"track={track}, expected 1 or more")
    with open_source(source) as file:
        links = links_of(file)
        with _opened(file, links, track) as first:
            yield Recording(
                file.label,
                cut_in(file) if first.demuxer in ("asf", "avi", "ogg") else None,
                info_of(file, first.demuxer, first.container, first.stream),
                first,
                file,
                links,
            )


@contextmanager
def _opened(file: SourceFile, links: Links | WavLinks | None, track: int | None) -> Iterator[OpenedFile]:
    def refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
        raise NotAudioError(f"{file.label}: asks for another file, {url!r}; a recording must be a single file")

    if file.size is None and file.at(4, 4) in _MP4_ATOMS and index_at_end(file):
        raise NotAudioError(f"{file.label}: its index is at the end and a pipe cannot seek; save it to a file")
    try:
        container = av.open(
            file if links is None else links,
            mode="r",
            container_options={"protocol_whitelist": "none", "format_whitelist": DEMUXERS}
            | (_WAV_OPTIONS if file.at(0, 4) in _RIFF and file.at(8, 4) == b"WAVE" else {}),
            io_open=refuse,
            **_LENIENT_NAMES,
        )
    except AudioError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    with container:
        demuxer = container.format.name.split(",")[0]
        # FFmpeg reads the big-endian samples of RIFX as little-endian noise.
        if file.at(0, 4) == b"RIFX" or (demuxer in ("mp3", "aac") and not has_frames(file, demuxer)):
            raise _unknown(file)
        stream = _audio_stream(container, file.label, track)
        yield OpenedFile(demuxer, container, stream, _decoder_of(stream))


def _unknown(file: SourceFile) -> NotAudioError:
    start = file.at(0, 8)
    return NotAudioError(f"{file.label}: not audio of a known format (starts with {start!r}); expected {_EXPECTED}")


def _unreadable(file: SourceFile, error: Exception) -> AudioError:
    is_known = file.at(0, 4) in _SIGNATURES or file.at(4, 4) in _MP4_ATOMS
    if not is_known:
        return _unknown(file)
    part = cut_in(file) if file.at(4, 4) in _MP4_ATOMS or file.at(0, 4) == b"OggS" else None
    if part:
        return AudioTruncatedError(
            f"{file.label}: is truncated (it ends within {part}) and cannot be read; get a whole copy"
        )
    message = f"{file.label}: is damaged and cannot be read: {_reason(error)}"
    if file.size is None:
        message += "; the source cannot seek, which this file may need: save it to a file first"
    return NotAudioError(message)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _audio_stream(container: InputContainer, label: str, track: int | None) -> AudioStream:
    stream = container.streams.best("audio")
    tracks = container.streams.audio
    if track is not None and tracks:
        if track > len(tracks):
            raise NoAudioStreamError(f"{label}: has no audio track {track}; it has {len(tracks)}")
        stream = tracks[track - 1]
    if not isinstance(stream, AudioStream):
        kinds = sorted({stream.type for stream in container.streams})
        if "audio" in kinds:
            raise NotAudioError(f"{label}: its audio stream has no channels, no rate or no decoder; it may be damaged")
        raise NoAudioStreamError(f"{label}: holds no sound (only {', '.join(kinds) or 'no streams at all'})")
    context = stream.codec_context
    if context is None:
        raise NotAudioError(f"{label}: its audio codec is unknown")
    if not context.sample_rate or not context.channels:
        raise NotAudioError(f"{label}: its {context.name} stream has no sample rate or no channels; it may be damaged")
    check_sample_rate(context.sample_rate, label)
    return stream


def _decoder_of(stream: AudioStream) -> AudioCodecContext:
    context = stream.codec_context
    if context.name in _DECODERS:
        with suppress(UnknownCodecError):
            decoder = cast(AudioCodecContext, av.CodecContext.create(_DECODERS[context.name], "r"))
            decoder.sample_rate, decoder.layout = context.sample_rate, context.layout
            return decoder
    context.thread_count = 1
    if context.name == "flac":
        # Without this, FFmpeg returns frames whose checksum is wrong.
        context.options = {"err_detect": "crccheck+explode"}
    return context
