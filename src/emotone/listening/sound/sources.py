"""From paths, bytes, files and waveforms to blocks at the model's sample rate.

Conventions: `waveform (n_samples,)` is float32 in [-1, 1]; a waveform of several channels is `(n_channels, n_samples)`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from emotone.audio import (
    CANCELLATION_NOTE,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    AudioInfo,
    Resampler,
    cancels,
    stream_audio,
)
from emotone.errors import AudioSamplesError, NotAudioError, SampleRateError
from emotone.listening.sound.inputs import as_array, as_source, is_array, name_of_mapping

Waveform: TypeAlias = npt.NDArray[np.float32]
Source: TypeAlias = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | npt.NDArray[Any]
    | tuple[Any, Any]
    | Mapping[str, Any]
    | Any
)
"""A path, bytes or file object of any audio format; a waveform or tensor; (waveform, rate); or what `inputs` knows."""

# Decoded mp3 overshoots full scale a little; samples scaled as integers overshoot by thousands.
_LOUDEST_FLOAT = 8.0


def name_of(source: Source) -> str:
    """The name of a source in results: its path, or its kind, such as `<bytes>`."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, Mapping):
        return name_of_mapping(source) or "<waveform>"
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, tuple) or is_array(source) or hasattr(source, "get_all_samples"):
        return "<waveform>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


def source_blocks(
    source: Source,
    sample_rate: int | None,
    *,
    wanted_rate: int,
    channels: Literal["mix", "split"] = "mix",
    track: int | None = None,
    opened: Callable[[AudioInfo], None] | None = None,
    noted: Callable[[str], None] | None = None,
    decoded: Callable[[float], None] | None = None,
    damaged: Callable[[str], None] | None = None,
) -> Iterator[Waveform]:
    """Any source as blocks at `wanted_rate`, in memory that does not grow with the length of a file.

    Args:
        source: path, bytes or file object of any audio format; a waveform, or (waveform, sample rate); or another
            object that `inputs` knows.
        sample_rate: of a bare waveform, in Hz; for all else it is read from the source.
        wanted_rate: in Hz.
        channels: "mix" averages them, "split" keeps them apart.
        track: number of the audio track of a file, from 1; None for its main one.
        opened: called with what a file declares, before the first block; not called for waveforms.
        noted: called with each note about the recording that a user should read.
        decoded: as for `stream_audio`; not called for waveforms.
        damaged: likewise.
    Yields:
        shape (1, n_samples) if mixed, (n_channels, n_samples) if split; float32, finite.
    Raises:
        AudioError: the source is not sound, is too short or too damaged, or its rate is missing or impossible.
    """
    source, sample_rate = as_source(source, sample_rate)
    if isinstance(source, np.ndarray):
        waveforms = _from_array(source, sample_rate, wanted_rate, channels, noted)
        for start in range(0, waveforms.shape[1], 10 * wanted_rate):
            yield waveforms[:, start : start + 10 * wanted_rate]
        return
    if sample_rate is not None:
        raise SampleRateError("sample_rate goes with a bare waveform; files and bytes declare theirs")
    if not (isinstance(source, str | os.PathLike | bytes) or hasattr(source, "read")):
        raise NotAudioError(
            f"a source of type {type(source).__name__}; expected a path, bytes, a file opened in binary mode, "
            "a waveform (an array or a tensor), or (waveform, sample_rate)"
        )
    blocks = stream_audio(
        source,
        sample_rate=wanted_rate,
        channels=channels,
        track=track,
        opened=opened,
        noted=noted,
        decoded=decoded,
        damaged=damaged,
    )
    for block in blocks:
        yield block if channels == "split" else block[None]


MOST_CHANNELS = 16
"""That can be classified separately: each takes memory, and a file of a few MB can have hundreds. An array with
at most as many columns and more rows than this is one of (n_samples, n_channels)."""


def as_block(array: npt.NDArray[Any], channels: Literal["mix", "split"] = "mix") -> Waveform:
    """A block of a live stream, checked.

    Args:
        array: float in [-1, 1] or int16, shape (n_samples,) or (n_channels, n_samples), any n; a longer block may be
            (n_samples, n_channels).
        channels: "mix" averages them, "split" keeps them apart.
    Returns:
        shape (1, n_samples) if mixed, (n_channels, n_samples) if split; float32, finite.
    Raises:
        AudioError: another shape or type, or samples that are not finite or far beyond full scale.
    """
    array = as_array(array)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not len(array)):
        raise NotAudioError(f"a block of shape {array.shape}; expected (n_samples,) or (n_channels, n_samples)")
    array = _channels_first(array, "block")
    samples = np.atleast_2d(_finite(_as_float(array)))
    return samples if channels == "split" else np.asarray(samples.mean(axis=0, keepdims=True), dtype=np.float32)


def _from_array(
    array: npt.NDArray[Any],
    sample_rate: int | None,
    wanted_rate: int,
    channels: Literal["mix", "split"],
    noted: Callable[[str], None] | None,
) -> Waveform:
    """Shape (1 or n_channels, n_samples)."""
    if sample_rate is None:
        raise SampleRateError("a bare waveform needs its rate: recognizer(waveform, sample_rate=...)")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise SampleRateError(f"sample_rate = {sample_rate}; expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz")
    waveforms = _finite(_in_rows(_as_float(array)))
    if channels == "mix":
        separate = waveforms
        waveforms = np.asarray(separate.mean(axis=0, keepdims=True), dtype=np.float32)
        if noted is not None and cancels(separate, waveforms[0]):
            noted(CANCELLATION_NOTE)
    if sample_rate == wanted_rate:
        return waveforms
    resampled = []
    for waveform in waveforms:
        resampler = Resampler(int(sample_rate), wanted_rate)
        resampled.append(np.concatenate([resampler.push(waveform), resampler.finish()]))
    return np.stack(resampled)


def _finite(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(samples).all():
        raise AudioSamplesError("the waveform holds NaN or infinite samples; expected finite ones in [-1, 1]")
    loudest = float(np.max(np.abs(samples), initial=0.0))
    if loudest > _LOUDEST_FLOAT:
        raise AudioSamplesError(
            f"floating-point samples up to {loudest:.0f}; expected [-1, 1]: divide 16-bit values by 32768"
        )
    return samples


def _as_float(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if array.dtype == np.int16:
        return array.astype(np.float32) / np.float32(32_768)
    if np.issubdtype(array.dtype, np.floating):
        # float16 and float32 overflow nowhere here; a float64 beyond float32 becomes infinite and is refused below.
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    raise AudioSamplesError(f"a waveform of {array.dtype}; expected floating point in [-1, 1], or int16")


def _in_rows(array: npt.NDArray[np.float32]) -> Waveform:
    if array.ndim == 1:
        return np.ascontiguousarray(array)[None]
    if array.ndim != 2 or not len(array):
        raise NotAudioError(f"a waveform of shape {array.shape}; expected (n_samples,) or (n_channels, n_samples)")
    return _channels_first(array, "waveform")


def _channels_first(array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """The other order of axes is understood where it is certain: a few columns, and more rows than channels can be."""
    if array.ndim == 1 or len(array) <= max(array.shape[1], MOST_CHANNELS * (what == "block")):
        return array
    n_samples, n_channels = array.shape
    if not 0 < n_channels <= MOST_CHANNELS < n_samples:
        raise NotAudioError(
            f"a {what} of shape {array.shape}; expected (n_channels, n_samples); "
            "transpose one of (n_samples, n_channels)"
        )
    return np.ascontiguousarray(array.T)
