"""Whatever a caller holds -> one mono waveform at the model's sample rate.

Conventions: `waveform (n_samples,)` is float32 in [-1, 1]; a waveform of several channels is `(n_channels, n_samples)`.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from emotone.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Resampler, load_audio
from emotone.errors import AudioSamplesError, AudioTooShortError, NotAudioError, SampleRateError

Waveform: TypeAlias = npt.NDArray[np.float32]
Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | npt.NDArray[Any] | tuple[npt.NDArray[Any], int]

# Decoded mp3 overshoots full scale a little; samples scaled as integers overshoot by thousands.
_LOUDEST_FLOAT = 8.0


def name_of(source: Source) -> str:
    """What to call a source in results: its path, or what it is."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, bytes):
        return "<bytes>"
    if isinstance(source, np.ndarray | tuple):
        return "<waveform>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


def read_source(source: Source, sample_rate: int | None, *, wanted_rate: int, min_samples: int) -> Waveform:
    """One mono waveform at `wanted_rate`, of any source.

    Args:
        source: path, bytes or file object of any audio format; or a waveform, or (waveform, sample rate).
        sample_rate: of a bare waveform, in Hz; for all else it is read from the source.
        wanted_rate: in Hz.
        min_samples: fewest samples, at `wanted_rate`, that make sense.
    Returns:
        shape (n_samples,), float32, finite.
    Raises:
        AudioError: the source is no sound, is too short or too damaged, or its rate is missing or impossible.
    """
    if isinstance(source, tuple):
        if len(source) != 2:
            raise NotAudioError(f"a tuple of {len(source)} values; expected (waveform, sample_rate)")
        source, stated = source
        if sample_rate is not None and sample_rate != stated:
            raise SampleRateError(f"two sample rates given, {stated} and {sample_rate}; give one")
        sample_rate = stated
    if isinstance(source, np.ndarray):
        waveform = _from_array(source, sample_rate, wanted_rate)
        if len(waveform) < min_samples:
            raise AudioTooShortError(
                f"{len(waveform)} samples at {wanted_rate} Hz ({len(waveform) / wanted_rate:.3f} s); "
                f"the model needs at least {min_samples} ({min_samples / wanted_rate:.3f} s)"
            )
        return waveform
    if sample_rate is not None:
        raise SampleRateError("sample_rate goes with a bare waveform; files and bytes say their own")
    if not (isinstance(source, str | os.PathLike | bytes) or hasattr(source, "read")):
        raise NotAudioError(
            f"a source of type {type(source).__name__}; expected a path, bytes, a file opened in binary mode, "
            "a NumPy waveform, or (waveform, sample_rate)"
        )
    return load_audio(source, sample_rate=wanted_rate, min_duration_s=min_samples / wanted_rate)


def _from_array(array: npt.NDArray[Any], sample_rate: int | None, wanted_rate: int) -> Waveform:
    if sample_rate is None:
        raise SampleRateError("a bare waveform needs its rate: recognizer(waveform, sample_rate=...)")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise SampleRateError(f"sample_rate = {sample_rate}; expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz")
    waveform = _mono(_as_float(array))
    if not np.isfinite(waveform).all():
        raise AudioSamplesError("the waveform holds NaN or infinite samples; expected finite ones in [-1, 1]")
    loudest = float(np.max(np.abs(waveform), initial=0.0))
    if loudest > _LOUDEST_FLOAT:
        raise AudioSamplesError(
            f"floating-point samples up to {loudest:.0f}; expected [-1, 1]: divide 16-bit values by 32768"
        )
    if sample_rate == wanted_rate:
        return waveform
    resampler = Resampler(int(sample_rate), wanted_rate)
    return np.concatenate([resampler.push(waveform), resampler.finish()])


def _as_float(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if array.dtype == np.int16:
        return array.astype(np.float32) / np.float32(32_768)
    if np.issubdtype(array.dtype, np.floating):
        # float16 and float32 overflow nowhere here; a float64 beyond float32 becomes infinite and is refused below.
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    raise AudioSamplesError(f"a waveform of {array.dtype}; expected floating point in [-1, 1], or int16")


def _mono(array: npt.NDArray[np.float32]) -> Waveform:
    if array.ndim == 1:
        return np.ascontiguousarray(array)
    if array.ndim != 2:
        raise NotAudioError(f"a waveform of shape {array.shape}; expected (n_samples,) or (n_channels, n_samples)")
    n_channels, n_samples = array.shape
    if n_channels == 0 or n_channels > n_samples > 0:
        raise NotAudioError(
            f"a waveform of shape {array.shape}; expected (n_channels, n_samples); "
            "transpose one of (n_samples, n_channels)"
        )
    return np.asarray(array.mean(axis=0), dtype=np.float32)
