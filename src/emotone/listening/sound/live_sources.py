"""Live sound from a stream of raw samples, a recording in a pipe, or a microphone.

Conventions: blocks are float32 in [-1, 1], shape (n_channels, n_samples), as `LiveRecognizer.feed` takes them.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, BinaryIO, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

from emotone.audio import stream_audio
from emotone.errors import AudioError, MissingExtraError, OptionError
from emotone.listening.sound.sources import Waveform

SAMPLE_FORMATS = {"s16": "<i2", "s32": "<i4", "f32": "<f4", "u8": "|u1"}
"""Little-endian, as `arecord -f S16_LE`, `ffmpeg -f s16le` and `sox -t raw` write them."""

_SCALES = {"s16": 1 / 32_768, "s32": 1 / 2_147_483_648, "f32": 1.0, "u8": 1 / 128}

BLOCK_S = 0.02
"""Length of a block, which adds to the latency."""

_RECORDING_BLOCK_S = 0.1

_WAITING_BLOCKS = 500
"""Ten seconds of a microphone. If the model is too slow for it, the oldest sound is lost."""


class RawFile(Protocol):
    """What is read of a file object: `read1` gives what is there, and waits only while there is nothing."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class StartedFile:
    """A file of which the first bytes have been read.

    Args:
        file: open for reading bytes.
        name: how messages call it.
    Attributes:
        start: the first 12 bytes; fewer if there are no more.
    """

    def __init__(self, file: RawFile, name: str) -> None:
        self.name = name
        self._file = file
        self.start = b""
        while len(self.start) < 12 and (data := self._read(12 - len(self.start))):
            self.start += data
        self._ahead = self.start

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read1(size)
        except OSError as error:
            raise AudioError(f"{self.name} cannot be read further: {error.strerror or error}") from error

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end."""
        if not self._ahead:
            return self._read(size)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    read = read1

    def seekable(self) -> bool:
        """Never."""
        return False


def recording_blocks(
    file: StartedFile,
    *,
    sample_rate: int,
    channels: Literal["mix", "split"] = "mix",
    track: int | None = None,
    noted: Callable[[str], None] | None = None,
) -> Iterator[Waveform]:
    """The sound of a recording that comes through a pipe, such as a WAV of `arecord`, as it comes.

    Args:
        file: the recording, from its start.
        sample_rate: of the blocks, in Hz.
        channels: "mix" makes one of them, "split" keeps them apart.
        track: number of the audio track, from 1; None for the main one.
        noted: called with each note about the recording that a user should read.
    Yields:
        shape (1 or n_channels, n_samples), 0.1 s each.
    Raises:
        AudioError: it cannot be read.
    """
    blocks = stream_audio(
        cast(BinaryIO, file),
        sample_rate=sample_rate,
        channels=channels,
        track=track,
        block_s=_RECORDING_BLOCK_S,
        noted=noted,
    )
    for block in blocks:
        yield np.atleast_2d(block)


def pcm_blocks(
    file: RawFile, *, sample_rate: int, sample_format: str = "s16", n_channels: int = 1
) -> Iterator[Waveform]:
    """Raw samples of a file, pipe or standard input, as they come.

    Args:
        file: open for reading bytes.
        sample_rate: in Hz.
        sample_format: one of `SAMPLE_FORMATS`.
        n_channels: interleaved.
    Yields:
        shape (n_channels, n_samples), n_samples of at most 20 ms; bytes after the last whole sample are left out.
    Raises:
        AudioError: it cannot be read.
        OptionError: an unknown format, or no channels.
    """
    if sample_format not in SAMPLE_FORMATS or n_channels < 1:
        raise OptionError(
            f"sample_format={sample_format!r}, n_channels={n_channels}; "
            f"expected one of {', '.join(SAMPLE_FORMATS)}, and at least 1"
        )
    kind = np.dtype(SAMPLE_FORMATS[sample_format])
    frame = kind.itemsize * n_channels
    wanted = max(1, round(BLOCK_S * sample_rate)) * frame
    rest = b""
    while True:
        try:
            data = file.read1(wanted - len(rest))
        except OSError as error:
            raise AudioError(f"standard input cannot be read further: {error.strerror or error}") from error
        if not data:
            return
        rest += data
        whole = len(rest) - len(rest) % frame
        if whole:
            samples = np.frombuffer(rest[:whole], kind).astype(np.float32)
            if sample_format == "u8":
                samples -= 128.0
            yield (samples * np.float32(_SCALES[sample_format])).reshape(-1, n_channels).T
            rest = rest[whole:]


def microphone_blocks(*, sample_rate: int, n_channels: int = 1, device: str | int | None = None) -> Iterator[Waveform]:
    """A microphone, for as long as it is listened to.

    Args:
        sample_rate: in Hz.
        n_channels: of the microphone, or of the line that is recorded.
        device: its number or a part of its name; None for the system's own choice.
    Yields:
        shape (n_channels, n_samples), 20 ms each.
    Raises:
        MissingExtraError: sounddevice is not installed.
        AudioError: PortAudio is missing, or the microphone cannot be opened, or the model is too slow for it.
    """
    try:
        import sounddevice
    except ImportError:
        raise MissingExtraError("listening to a microphone", "live") from None
    except OSError as error:
        raise AudioError(
            f"the PortAudio library cannot be used ({error}); install it (libportaudio2), or pipe samples to "
            "`emotone listen -`"
        ) from error
    blocks: queue.Queue[npt.NDArray[np.float32]] = queue.Queue(_WAITING_BLOCKS)

    def keep(data: Any, n_frames: int, times: Any, status: Any) -> None:
        try:
            blocks.put_nowait(data.T.copy())
        except queue.Full:
            raise sounddevice.CallbackAbort from None

    try:
        stream = sounddevice.InputStream(
            samplerate=sample_rate,
            channels=n_channels,
            dtype="float32",
            blocksize=round(BLOCK_S * sample_rate),
            device=device,
            callback=keep,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(
            f"no microphone can be opened: {error}; choose one of `python -m sounddevice` with --device, "
            "or a --sample-rate and --n-channels that it has, or pipe samples to `emotone listen -`"
        ) from error
    with closing(stream):
        while True:
            try:
                yield blocks.get(timeout=0.5)
            except queue.Empty:
                if not stream.active:
                    raise AudioError(
                        "the microphone stopped, or the model is too slow for it; try a longer --hop"
                    ) from None
