"""Augmentation of waveforms and of feature maps, each seeded, each switched in the recipe.

Conventions: a waveform is float32 (n_samples,) in [-1, 1]; every random number of one utterance in one epoch comes from
one generator, `utterance_generator(seed, fold, epoch, utterance)`, so that order, batch and worker change nothing.

References:
    Ko et al. (2015): Audio augmentation for speech recognition (speed). Park et al. (2019): SpecAugment.
    Zhang et al. (2018): mixup.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

Waveform = NDArray[np.float32]

TELEPHONE_BAND_HZ = (300.0, 3400.0)


class AugmentationOptions(BaseModel):
    """What is changed during training; the recipe's table `[augmentation]`. Zero switches a part off.

    Attributes:
        speed: largest relative change of speed, pitch with it; 0.1 draws from 0.9 to 1.1.
        shift_s: largest shift in time, in seconds, either way, zeros moving in.
        gain_db: largest change of level, in dB, either way.
        noise: share of utterances that get noise (white to brown).
        noise_snr_db: (lowest, highest) ratio of signal to noise in dB.
        telephone: share of utterances limited to 300 to 3400 Hz.
        frequency_masks: SpecAugment: how many ranges of bands are hidden.
        frequency_width: the widest, as a share of the bands.
        time_masks: how many ranges of frames are hidden.
        time_width: the widest, as a share of the utterance's frames.
        mixup: alpha of the Beta distribution; pairs within a batch are mixed, labels with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    speed: float = Field(0.0, ge=0, lt=0.5)
    shift_s: float = Field(0.0, ge=0)
    gain_db: float = Field(0.0, ge=0)
    noise: float = Field(0.0, ge=0, le=1)
    noise_snr_db: tuple[float, float] = (10.0, 30.0)
    telephone: float = Field(0.0, ge=0, le=1)
    frequency_masks: int = Field(0, ge=0)
    frequency_width: float = Field(0.2, ge=0, le=1)
    time_masks: int = Field(0, ge=0)
    time_width: float = Field(0.15, ge=0, le=1)
    mixup: float = Field(0.0, ge=0)


def derived_seed(*parts: int | str) -> int:
    """A 64-bit seed that depends on all parts and on nothing else.

    >>> derived_seed(0, "a") == derived_seed(0, "a") != derived_seed(1, "a")
    True
    """
    digest = hashlib.blake2b("\x1f".join(str(part) for part in parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def utterance_generator(seed: int, fold: int, epoch: int, utterance: str) -> np.random.Generator:
    """The generator of one utterance in one epoch."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, fold, epoch, utterance)))


def change_speed(waveform: Waveform, factor: float) -> Waveform:
    """Play faster (factor > 1) or slower, pitch with it; shape (round(n_samples / factor),).

    Linear interpolation: its droop near the band's end is small beside the change itself.
    """
    n_samples = max(1, round(len(waveform) / factor))
    positions = np.linspace(0.0, len(waveform) - 1, n_samples, dtype=np.float32)
    left = positions.astype(np.int32)
    right = np.minimum(left + 1, len(waveform) - 1)
    fraction = positions - left
    return waveform[left] * (1.0 - fraction) + waveform[right] * fraction


def shift(waveform: Waveform, n_samples: int) -> Waveform:
    """Move later (n_samples > 0) or earlier; zeros move in, the length stays."""
    moved = np.zeros_like(waveform)
    if n_samples >= 0:
        moved[n_samples:] = waveform[: max(0, len(waveform) - n_samples)]
    else:
        moved[:n_samples] = waveform[-n_samples:]
    return moved


def add_noise(waveform: Waveform, snr_db: float, colour: float, generator: np.random.Generator) -> Waveform:
    """Add noise whose power falls as frequency ** -colour (0 white, 1 pink, 2 brown), at a ratio in dB."""
    spectrum = np.fft.rfft(generator.standard_normal(len(waveform), dtype=np.float32))
    frequency = np.maximum(np.arange(len(spectrum)), 1) / len(spectrum)
    noise = np.fft.irfft(spectrum * frequency ** (-colour / 2), len(waveform)).astype(np.float32)
    noise_power = float(np.mean(np.square(noise))) + 1e-12
    signal_power = float(np.mean(np.square(waveform)))
    return waveform + noise * np.float32(np.sqrt(signal_power / noise_power * 10 ** (-snr_db / 10)))


def limit_band(waveform: Waveform, sample_rate: int, band_hz: tuple[float, float] = TELEPHONE_BAND_HZ) -> Waveform:
    """Keep only a band, as a telephone does."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.fft.rfftfreq(len(waveform), 1 / sample_rate)
    spectrum[(frequency < band_hz[0]) | (frequency > band_hz[1])] = 0
    return np.fft.irfft(spectrum, len(waveform)).astype(np.float32)


def augment_waveform(
    waveform: Waveform, options: AugmentationOptions, generator: np.random.Generator, *, sample_rate: int
) -> Waveform:
    """Speed, shift, telephone band, noise and gain, as the options say; the length changes with the speed."""
    if options.speed:
        waveform = change_speed(waveform, 1.0 + generator.uniform(-options.speed, options.speed))
    if options.shift_s:
        waveform = shift(waveform, round(generator.uniform(-options.shift_s, options.shift_s) * sample_rate))
    if options.telephone and generator.random() < options.telephone:
        waveform = limit_band(waveform, sample_rate)
    if options.noise and generator.random() < options.noise:
        waveform = add_noise(waveform, generator.uniform(*options.noise_snr_db), generator.uniform(0, 2), generator)
    if options.gain_db:
        waveform = waveform * np.float32(10 ** (generator.uniform(-options.gain_db, options.gain_db) / 20))
    return waveform


@dataclass(frozen=True, slots=True)
class FeatureMasks:
    """Where SpecAugment hides each utterance of a batch, as shares of the map.

    Attributes:
        bands: (batch, n_masks, 2) first and end, in [0, 1].
        frames: (batch, n_masks, 2) likewise, of the utterance's own valid frames.
    """

    bands: NDArray[np.float32]
    frames: NDArray[np.float32]

    @classmethod
    def draw(cls, options: AugmentationOptions, generators: list[np.random.Generator]) -> FeatureMasks:
        """Draw the masks of a batch, each utterance from its own generator."""
        bands = [_spans(options.frequency_masks, options.frequency_width, generator) for generator in generators]
        frames = [_spans(options.time_masks, options.time_width, generator) for generator in generators]
        return cls(np.stack(bands), np.stack(frames))

    def __call__(self, features: Tensor, counts: Tensor) -> Tensor:
        """Features (batch, n_bands, n_frames) with the hidden places at zero, the mean after normalisation."""
        n_bands = features.shape[1]
        band_edges = torch.from_numpy(self.bands).to(features.device) * n_bands
        frame_edges = torch.from_numpy(self.frames).to(features.device) * counts[:, None, None]
        keep_band = _outside(torch.arange(n_bands, device=features.device), band_edges)
        keep_frame = _outside(torch.arange(features.shape[2], device=features.device), frame_edges)
        return features * keep_band[:, :, None] * keep_frame[:, None, :]


def _spans(n_masks: int, width: float, generator: np.random.Generator) -> NDArray[np.float32]:
    size = generator.uniform(0, width, n_masks)
    start = generator.uniform(0, 1 - size)
    return np.stack([start, start + size], axis=1).astype(np.float32)


def _outside(positions: Tensor, edges: Tensor) -> Tensor:
    inside = (positions >= edges[:, :, :1]) & (positions < edges[:, :, 1:])
    return ~inside.any(1)


def mix(
    waveform: Tensor, lengths: Tensor, targets: Tensor, *, share: float, order: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mixup: add each utterance to another, labels likewise.

    Args:
        waveform: shape (batch, n_samples), zero past each utterance's end.
        lengths: shape (batch,).
        targets: soft labels, shape (batch, n_classes).
        share: of the utterance itself, in [0, 1].
        order: a permutation of the batch, shape (batch,).
    Returns:
        waveform, lengths (the longer of each pair) and targets of the same shapes.
    """
    mixed = share * waveform + (1 - share) * waveform[order]
    return mixed, torch.maximum(lengths, lengths[order]), share * targets + (1 - share) * targets[order]
