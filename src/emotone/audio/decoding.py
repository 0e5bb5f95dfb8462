"""Decoding one recording at its own rate, and telling how much of it was there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from numpy.typing import NDArray

from emotone.audio.information import AudioInfo, info_of
from emotone.audio.lengths import cut_in
from emotone.audio.resampling import check_sample_rate
from emotone.audio.samples import check_samples, samples_of
from emotone.audio.signatures import demuxer_of
from emotone.audio.source import AudioSource, SourceFile, open_source
from emotone.errors import AudioError, AudioTruncatedError, NoAudioStreamError, NotAudioError

_EXACT = frozenset({"wav", "flac", "aiff", "caf"})
"""Containers that declare their length in samples; the others round to frames or to their clock."""

_SLACK_S = 0.1

_GATHERED = 4096
"""Samples that are converted and checked at once: codecs give 20 ms or so, and to do it for each costs as much as to
decode them. At 48 kHz it is a twelfth of a second, which is what a live stream waits for it."""

_WAV_OPTIONS = {"max_size": "65536", "probesize": "4096"}
"""FFmpeg searches the samples of a WAV for other codecs; in as much as it wants, that costs more than judging them."""

_LENIENT_NAMES: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Titles and artists in unknown encodings are no reason to refuse a recording; PyAV 19 reads them so by itself."""


class AudioTruncatedWarning(UserWarning):
    """Less could be read than the recording declares, or parts of it are damaged; the rest is used."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An opened recording; `cut_in` names the part of it that its end cuts, where that shows."""

    label: str
    cut_in: str | None
    info: AudioInfo
    container: InputContainer
    stream: AudioStream


@contextmanager
def open_recording(source: AudioSource) -> Iterator[Recording]:
    """Open a source and choose its audio stream; FFmpeg gets one demuxer and no way to anything but these bytes.

    Raises:
        NotAudioError: no allowed format, or damaged beyond reading.
        NoAudioStreamError: no sound in it.
        SampleRateError: a rate outside 4 kHz to 192 kHz.
        AudioError: any other reason why it cannot be opened.
    """
    with open_source(source) as file:
        demuxer = demuxer_of(file)

        def refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
            raise NotAudioError(f"{file.label}: asks for another file, {url!r}; recordings must be whole in themselves")

        try:
            container = av.open(
                file,
                mode="r",
                format=demuxer,
                container_options={"protocol_whitelist": "none"} | (_WAV_OPTIONS if demuxer == "wav" else {}),
                io_open=refuse,
                **_LENIENT_NAMES,
            )
        except AudioError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _unreadable(file, demuxer, error) from error
        with container:
            stream = _audio_stream(container, file.label)
            yield Recording(
                file.label,
                cut_in(file) if demuxer == "ogg" else None,
                info_of(file, demuxer, container, stream),
                container,
                stream,
            )


def _unreadable(file: SourceFile, demuxer: str, error: Exception) -> AudioError:
    part = cut_in(file) if demuxer in ("mov", "ogg") else None
    if part:
        return AudioTruncatedError(
            f"{file.label} is truncated: it ends within {part}, and nothing can be read; get a whole copy"
        )
    message = f"{file.label}: looks like {demuxer} but cannot be read as such: {_reason(error)}"
    if not file.seekable():
        message += "; the source cannot seek, which this file may need: save it to a file first"
    return NotAudioError(message)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _audio_stream(container: InputContainer, label: str) -> AudioStream:
    stream = container.streams.best("audio")
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
    context.thread_count = 1
    if context.name == "flac":
        # Without this, FFmpeg hands out frames whose checksum is wrong.
        context.options = {"err_detect": "crccheck+explode"}
    return stream


@dataclass(slots=True)
class _Tally:
    """What became of a recording: `read` samples at its declared rate, `damaged` packets, the first at `damage_s`."""

    read: float = 0.0
    damaged: int = 0
    damage_s: float = 0.0

    def note_damage(self, rate: int) -> None:
        if not self.damaged:
            self.damage_s = self.read / rate
        self.damaged += 1


def native_blocks(
    recording: Recording,
    channels: Literal["mix", "split"],
    truncated: Literal["warn", "error"],
    decoded: Callable[[float], None] | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Decoded samples with their sample rate, shape (1, n) if mixed, (n_channels, n) if split.

    Raises:
        AudioSamplesError: NaN, infinity, or far beyond full scale.
        AudioTruncatedError: truncated or damaged, and `truncated` is "error" or nothing at all could be read.
        AudioError: the number of channels changes, and they are to be kept apart.
    """
    label, info = recording.label, recording.info
    tally = _Tally()
    for start_s, frames in _like_frames(recording, tally):
        rate = frames[0].sample_rate
        check_sample_rate(rate, f"{label}: from {start_s:.3f} s on, it")
        n_channels = len(frames[0].layout.channels) or info.n_channels
        samples = samples_of(frames, n_channels, mix=channels == "mix", label=label)
        if channels == "split" and len(samples) != info.n_channels:
            raise AudioError(
                f"{label}: {info.n_channels} channels become {n_channels} at {start_s:.3f} s; "
                "mix them to one (channels='mix')"
            )
        check_samples(samples, start_s, info.sample_rate, label)
        if decoded is not None:
            decoded(start_s + samples.shape[1] / rate)
        yield rate, samples
    _judge(recording, tally, truncated)


def _like_frames(recording: Recording, tally: _Tally) -> Iterator[tuple[float, list[av.AudioFrame]]]:
    """Frames of one kind in a row, `_GATHERED` samples or so at once, and where they begin in seconds."""
    waiting: list[av.AudioFrame] = []
    kind: tuple[str, int, int] | None = None
    start_s, n_samples = 0.0, 0
    frames = _frames(recording, tally)
    try:
        for at_s, frame in frames:
            own = frame.format.name, frame.sample_rate, len(frame.layout.channels)
            if waiting and (own != kind or n_samples >= _GATHERED):
                yield start_s, waiting
                waiting, n_samples = [], 0
            if not waiting:
                start_s, kind = at_s, own
            waiting.append(frame)
            n_samples += frame.samples
    except AudioError:
        # What came before the error is heard before it.
        if waiting:
            yield start_s, waiting
        raise
    if waiting:
        yield start_s, waiting


def _frames(recording: Recording, tally: _Tally) -> Iterator[tuple[float, av.AudioFrame]]:
    """All frames and where they begin in seconds; packets that cannot be decoded are skipped and counted."""
    stream, rate = recording.stream, recording.info.sample_rate
    packets = recording.container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except AudioError:
            raise
        except av.FFmpegError:
            tally.note_damage(rate)
            packet = None
        except OSError as error:
            raise AudioError(f"{recording.label}: cannot be read on: {error}") from error
        try:
            frames = stream.codec_context.decode(packet)
        except (EOFError, av.FFmpegError) as error:
            if packet is None or isinstance(error, EOFError):
                return
            if not _is_partial_sample(packet, recording):
                tally.note_damage(rate)
            continue
        for frame in frames:
            if frame.samples:
                at_s = tally.read / rate
                tally.read += frame.samples * rate / max(1, frame.sample_rate)
                yield at_s, frame
        if packet is None:
            return


def _is_partial_sample(packet: Packet[AudioStream], recording: Recording) -> bool:
    """A few bytes after the last whole sample of PCM lose nothing that a declared length would not tell of."""
    return recording.info.codec.startswith("pcm_") and packet.size < 8 * recording.info.n_channels


def _judge(recording: Recording, tally: _Tally, truncated: Literal["warn", "error"]) -> None:
    """Say whether all that was declared was read."""
    label, info = recording.label, recording.info
    read_s = tally.read / info.sample_rate
    slack = 0.0 if info.container in _EXACT else _SLACK_S * info.sample_rate
    problems = []
    if info.declared_samples is not None and round(tally.read) < info.declared_samples - slack:
        problems.append(f"truncated: it declares {info.declared_samples / info.sample_rate:.3f} s")
    if recording.cut_in:
        problems.append(f"truncated: it ends within {recording.cut_in}")
    # Damage behind the declared end is a tag or junk, and loses nothing.
    if tally.damaged and (info.declared_samples is None or tally.damage_s * info.sample_rate < info.declared_samples):
        problems.append(f"damaged: {tally.damaged} packets cannot be decoded, the first at {tally.damage_s:.3f} s")
    if not problems:
        return
    message = f"{label} is {' and '.join(problems)}; {read_s:.3f} s could be read"
    if truncated == "error" or not tally.read:
        raise AudioTruncatedError(f"{message}; get a whole copy")
    warnings.warn(message, AudioTruncatedWarning, stacklevel=4)
