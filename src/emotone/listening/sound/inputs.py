"""From the recordings of other Python libraries to sources that emotone reads.

Conventions: nothing is imported from any of these libraries; objects are recognised by what they offer.

| given | from |
|---|---|
| tensor or any object with `__array__` | torch, JAX, TensorFlow, pandas |
| (waveform, rate) or (rate, waveform) | torchaudio, librosa, soundfile, SciPy, Gradio |
| {"array", "sampling_rate"}, {"bytes", "path"}, or a row {"audio": …} | Hugging Face datasets |
| {"raw", "sampling_rate"} | transformers pipelines |
| an object with `get_all_samples()` | torchcodec, Hugging Face datasets 4 |
| {"waveform", "sample_rate"}, {"audio": path} | pyannote.audio |
| bytes, bytearray, memoryview | the whole of an audio file |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from emotone.errors import AudioSamplesError, NotAudioError, SampleRateError

_WAVEFORMS = ("array", "waveform", "raw")
_RATES = ("sampling_rate", "sample_rate", "rate")
_FILES = ("bytes", "path", "file", "audio")


def as_source(source: Any, sample_rate: int | None = None) -> tuple[Any, int | None]:
    """A path, bytes, file object or NumPy waveform, and its rate where it has one.

    Args:
        source: as in the table above; what is none of these is returned as it is.
        sample_rate: of a bare waveform, in Hz.
    Returns:
        the source, and the rate of a waveform in Hz; None for what states its own.
    Raises:
        NotAudioError: a dictionary or a pair without sound, or an array of no numbers.
        SampleRateError: a rate is missing, given twice, or not a whole number.
    """
    if isinstance(source, Mapping):
        source, stated = _from_mapping(source)
        return as_source(source, _one_rate(stated, sample_rate))
    if hasattr(source, "get_all_samples"):
        samples = source.get_all_samples()
        return as_array(samples.data), _one_rate(samples.sample_rate, sample_rate)
    if isinstance(source, tuple):
        waveform, stated = _from_pair(source)
        return as_array(waveform), _one_rate(stated, sample_rate)
    if isinstance(source, bytearray | memoryview):
        return bytes(source), sample_rate
    if is_array(source):
        return as_array(source), sample_rate
    return source, sample_rate


def as_waveforms(waveforms: Any) -> list[npt.NDArray[np.float32]]:
    """Several mono waveforms as float32.

    Args:
        waveforms: arrays of floats in [-1, 1], each of shape (n_samples,).
    Raises:
        NotAudioError: a single waveform, or an array that is not of that shape.
        AudioSamplesError: integers, or samples that are not finite.
    """
    found = []
    for number, one in enumerate(waveforms):
        samples = np.asarray(one)
        if samples.ndim == 0:
            raise NotAudioError("got one waveform; expected several: [waveform]")
        if samples.ndim != 1:
            raise NotAudioError(f"waveform {number} has shape {samples.shape}; expected (n_samples,), one channel")
        if samples.dtype.kind != "f":
            raise AudioSamplesError(f"waveform {number} holds {samples.dtype}; expected floats in [-1, 1]")
        if not np.isfinite(samples).all():
            raise AudioSamplesError(f"waveform {number} holds NaN or infinite samples")
        found.append(samples.astype(np.float32, copy=False))
    return found


def is_array(value: Any) -> bool:
    """Whether it is an array or can be made one: NumPy's, a tensor, or another object with `__array__`.

    >>> is_array(np.zeros(3)), is_array([0.0]), is_array("clip.wav")
    (True, False, False)
    """
    return isinstance(value, np.ndarray) or hasattr(value, "__array__")


def as_array(value: Any) -> npt.NDArray[Any]:
    """An array or tensor as a NumPy array, without leading axes of length 1 beyond the second.

    Raises:
        NotAudioError: it cannot be made an array.
    """
    if hasattr(value, "detach"):
        # A tensor may need a gradient, be on a GPU, or be of a type that NumPy lacks.
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
    if not is_array(value):
        raise NotAudioError(f"a waveform of type {type(value).__name__}; expected an array or a tensor")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NotAudioError(f"a {type(value).__name__} that NumPy cannot use: {error}") from error
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    return array


def name_of_mapping(source: Mapping[str, Any]) -> str | None:
    """The path or name that a dictionary of a dataset has for its recording."""
    inner = source.get("audio")
    if isinstance(inner, Mapping):
        return name_of_mapping(inner) or _name(source.get("path"))
    return _name(inner) or _name(source.get("path")) or _name(source.get("uri"))


def _name(value: Any) -> str | None:
    return os.fsdecode(value) if isinstance(value, str | os.PathLike) and os.fspath(value) else None


def _from_mapping(source: Mapping[str, Any]) -> tuple[Any, Any]:
    waveform = next((source[key] for key in _WAVEFORMS if source.get(key) is not None), None)
    if waveform is not None:
        if isinstance(waveform, list):
            # Rows of a dataset that was not set to NumPy hold lists of numbers.
            waveform = np.asarray(waveform, dtype=np.float32)
        rate = next((source[key] for key in _RATES if source.get(key) is not None), None)
        if rate is None:
            raise SampleRateError(f"a dictionary with a waveform and no rate; expected one of {', '.join(_RATES)}")
        waveform = as_array(waveform)
        if source.get("channel") is not None:
            waveform = _channel(waveform, source["channel"])
        return waveform, rate
    found = next((source[key] for key in _FILES if source.get(key) is not None), None)
    if found is None:
        keys = ", ".join(map(str, list(source)[:6])) or "no keys"
        raise NotAudioError(
            f"a dictionary with {keys}; expected a waveform ({', '.join(_WAVEFORMS)}) and its rate "
            f"({', '.join(_RATES)}), or one of {', '.join(_FILES)}"
        )
    if source.get("channel") is not None:
        raise NotAudioError("a dictionary with a file and a channel; recognise all of them with channels='split'")
    return found, None


def _channel(waveform: npt.NDArray[Any], channel: Any) -> npt.NDArray[Any]:
    if waveform.ndim != 2 or not isinstance(channel, int) or not 0 <= channel < len(waveform):
        raise NotAudioError(f"channel {channel!r} of a waveform of shape {waveform.shape}; expected one of its rows")
    row: npt.NDArray[Any] = waveform[channel]
    return row


def _from_pair(pair: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(pair) != 2:
        raise NotAudioError(f"a tuple of {len(pair)} values; expected (waveform, sample_rate)")
    first, second = pair
    # SciPy and Gradio put the rate first. A rate may be an array of no axes, a waveform never is.
    if _is_number(first) and not _is_number(second):
        first, second = second, first
    if not is_array(first) or not _is_number(second):
        kinds = f"({type(pair[0]).__name__}, {type(pair[1]).__name__})"
        raise NotAudioError(f"a tuple of {kinds}; expected (waveform, sample_rate), or a list of recordings")
    return first, second


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (is_array(value) and np.ndim(value) == 0)


def _one_rate(stated: Any, given: int | None) -> int | None:
    if stated is None:
        return given
    rate = float(stated)
    if not rate.is_integer():
        raise SampleRateError(f"sample_rate = {stated}; expected a whole number of Hz")
    if given is not None and given != rate:
        raise SampleRateError(f"two sample rates given, {stated} and {given}; give one")
    return int(rate)
