"""Real files of every format, made with FFmpeg's encoders."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Encode = Callable[..., bytes]


def encode_audio(
    container: str, codec: str, samples: NDArray[np.floating], rate: int, picture: bool = False, sample_format: str = ""
) -> bytes:
    """The bytes of a file with these samples, shape (n_channels, n); `picture` adds a video (a cover for mp3)."""
    memory = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    with av.open(memory, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        if sample_format:
            stream.format = sample_format
        if codec.startswith("wma"):
            stream.bit_rate = 64_000
        if codec == "vorbis":
            stream.codec_context.options = {"strict": "-2"}
        video = None
        if picture:
            video = output.add_stream("mjpeg" if container == "mp3" else "mpeg4", rate=25)
            video.width, video.height = 64, 64
            video.pix_fmt = "yuvj420p" if container == "mp3" else "yuv420p"
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        if video is not None:
            for i in range(1 if container == "mp3" else 25):
                image = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9 * i, np.uint8), format="rgb24")
                image.pts, image.time_base = i, Fraction(1, 25)
                output.mux(video.encode(image))
            output.mux(video.encode(None))
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return memory.getvalue()


def sine(rate: int, frequency: float = 440.0, duration_s: float = 2.0, n_channels: int = 1) -> NDArray[np.float64]:
    """Half-scale tones, channel k at (k + 1) times the frequency, shape (n_channels, n)."""
    times = np.arange(round(rate * duration_s)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * frequency * (k + 1) * times) for k in range(n_channels)])


@pytest.fixture(scope="session")
def encode() -> Encode:
    return encode_audio


@pytest.fixture(scope="session")
def tone() -> Callable[..., NDArray[np.float64]]:
    return sine
