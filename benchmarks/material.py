"""What is measured with: the bundled real clips, as long as wanted, in any format."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from emotone.audio import load_audio

RATE = 16_000
CLIPS = Path(__file__).resolve().parents[1] / "src" / "emotone" / "clips"

FORMATS = {
    "wav": ("wav", "pcm_s16le", 16_000),
    "flac": ("flac", "flac", 16_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "m4a": ("ipod", "aac", 44_100),
    "opus": ("ogg", "libopus", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "amr": ("amr", "libopencore_amrnb", 8_000),
}
"""Suffix -> container, codec and the rate that people have it at."""


@cache
def conversation() -> npt.NDArray[np.float32]:
    """All bundled clips with a second of faint noise between them, about 23 s."""
    generator = np.random.default_rng(0)
    parts = []
    for path in sorted(CLIPS.glob("*/*.*")):
        if path.suffix in (".flac", ".opus"):
            parts += [load_audio(path), generator.normal(0, 1e-4, RATE).astype(np.float32)]
    return np.concatenate(parts)


def speech(duration_s: float) -> npt.NDArray[np.float32]:
    """The conversation again and again, shape (n_samples,)."""
    return np.resize(conversation(), round(duration_s * RATE))


class LongWav(io.RawIOBase):
    """A WAV of any length that takes no disk and no memory: the conversation again and again.

    Args:
        duration_s: up to 37 hours, what 4 GiB hold.
    """

    def __init__(self, duration_s: float) -> None:
        pcm = np.rint(conversation() * 32_767).astype("<i2").tobytes()
        self._pcm = pcm
        n_bytes = 2 * round(duration_s * RATE)
        self._head = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            36 + n_bytes,
            b"WAVE",
            b"fmt ",
            16,
            1,
            1,
            RATE,
            2 * RATE,
            2,
            16,
            b"data",
            n_bytes,
        )
        self._size = len(self._head) + n_bytes
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, as a file does."""
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer than asked for at the end of the head and of the conversation."""
        if self._position < len(self._head):
            data = self._head[self._position :][:size]
        else:
            start = (self._position - len(self._head)) % len(self._pcm)
            data = self._pcm[start : start + min(size, self._size - self._position)]
        self._position += len(data)
        return data


def encoded(suffix: str, duration_s: float) -> bytes:
    """The conversation as a file of one of `FORMATS`."""
    container, codec, rate = FORMATS[suffix]
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=rate, frame_size=stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(speech(duration_s)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return memory.getvalue()
