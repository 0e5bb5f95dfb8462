"""A decoder's samples as float32 in [-1, 1], and a check that they are valid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import av
import numpy as np
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

from emotone.audio.mixing import CancellationMeter, downmix_weights
from emotone.errors import AudioSamplesError, NotAudioError

_TYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": np.float64}
_SCALES = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0, "flt": 1.0, "dbl": 1.0}
"""Full scale of FFmpeg's sample formats; powers of two, so that integers of up to 24 bits come out exactly."""

_LOUDEST = 8.0
"""Decoders of lossy formats overshoot full scale a little; samples scaled as integers overshoot by thousands, and
larger ones still overflow the model's powers."""


def samples_of(
    frames: Sequence[av.AudioFrame], n_channels: int, mix: bool, label: str, meter: CancellationMeter | None = None
) -> NDArray[np.float32]:
    """Float32 samples of some frames in a row.

    Args:
        frames: as decoded, of one format and number of channels, at least one.
        n_channels: of each.
        mix: whether to mix them to one.
        label: how messages call the recording.
        meter: compares the mean of two channels with them.
    Returns:
        shape (1, n) if mixed, (n_channels, n) if not.
    Raises:
        NotAudioError: samples of a format that is not read.
    """
    name = frames[0].format.name
    if name.removesuffix("p") not in _SCALES:
        raise NotAudioError(
            f"{label}: holds samples of format {name}, expected {', '.join(_SCALES)}; convert it to 24 bits or float"
        )
    data = np.concatenate([_raw(frame) for frame in frames], axis=1)
    rows = (
        [data[i] for i in range(n_channels)]
        if frames[0].format.is_planar
        else [data[0, i::n_channels] for i in range(n_channels)]
    )
    scale = _SCALES[name.removesuffix("p")]
    silence = scale if name.startswith("u8") else 0.0
    samples = np.empty((1 if mix else n_channels, sum(frame.samples for frame in frames)), np.float32)
    weights = downmix_weights(frames[0].layout.name, n_channels) if mix and n_channels > 2 else None
    with np.errstate(over="ignore", invalid="ignore"):
        for i, row in enumerate(rows):
            part = row if weights is None else row * weights[i]
            if mix and i:
                samples[0] += part
            else:
                samples[i] = part
        if silence:
            samples -= np.float32(silence * (n_channels if mix and weights is None else 1))
        if mix and n_channels > 1 and weights is None:
            samples /= np.float32(n_channels)
        if meter is not None and mix and weights is None:
            meter.push([row - silence for row in rows] if silence else rows, samples[0])
        if scale != 1.0:
            samples *= np.float32(1.0 / scale)
    return samples


def _raw(frame: av.AudioFrame) -> NDArray[Any]:
    """The samples of a frame: shape (n_channels, n) if its format is planar, (1, n_channels * n) if not.

    PyAV's own `to_ndarray` looks for the planes until a null pointer, which FFmpeg does not write after eight planes or
    more: it reads memory beyond them and crashes, with every 7.1 recording in AAC, ALAC or Opus.
    """
    if not frame.format.is_planar:
        return frame.to_ndarray()
    kind = _TYPES[frame.format.name.removesuffix("p")]
    planes = [AudioPlane(frame, index) for index in range(frame.layout.nb_channels)]
    return np.stack([np.frombuffer(cast(Any, plane), kind, frame.samples) for plane in planes])


def check_samples(samples: NDArray[np.float32], start_s: float, rate: int, label: str) -> None:
    """Refuse NaN, infinity and absurd loudness.

    Args:
        samples: shape (n_channels, n).
        start_s: time of the first sample in the recording.
        rate: in Hz.
        label: how messages call the recording.
    Raises:
        AudioSamplesError: with the first place.
    """
    # One pass for all three: NaN and infinity fail the comparison as well.
    if not samples.size or max(-samples.min(), samples.max()) <= _LOUDEST:
        return
    bad = ~np.isfinite(samples)
    if bad.any():
        at_s = start_s + int(np.argmax(bad.any(axis=0))) / rate
        raise AudioSamplesError(f"{label}: NaN or infinite sample at {at_s:.3f} s; repair or leave out the recording")
    loud = np.abs(samples).max(axis=0)
    at_s = start_s + int(np.argmax(loud > _LOUDEST)) / rate
    raise AudioSamplesError(
        f"{label}: a sample of {float(loud.max()):.3g} at {at_s:.3f} s, expected [-1, 1] for floating-point samples; "
        "scale the recording (divide 16-bit values by 32768)"
    )
