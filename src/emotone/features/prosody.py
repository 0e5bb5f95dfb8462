"""Frame features of voice: fundamental frequency, voicing, zero crossings and energy, as torch operations.

Conventions: waveforms are (batch, n_samples) in [-1, 1] and zero past each utterance's end; frames are centred, the
ends padded with zeros, so n_frames = 1 + n_samples // hop_length, as in `spectrogram`; each feature is
(batch, n_frames). Nothing looks beyond a frame, so that padding in a batch changes nothing.

References:
    Boersma (1993): Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
    sampled sound (autocorrelation over that of the window; a small bonus for short lags).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

F0_RANGE_HZ = (60.0, 400.0)
PITCH_WINDOW_S = 0.04
"""Two periods of 60 Hz hardly fit into less."""

OCTAVE_BONUS = 0.02
"""For each octave a lag is shorter: else twice the period, which fits as well, would win by chance."""

SILENT_POWER = 1e-8
"""Mean square below which a frame counts as silence: voicing fades to zero there."""


class Prosody(NamedTuple):
    """Each (batch, n_frames).

    Attributes:
        f0: fundamental frequency in Hz of the likeliest period, whether voiced or not.
        voicing: how periodic the frame is, in [0, 1].
        zero_crossings: share of neighbouring samples that differ in sign, in [0, 1].
        log_energy: natural logarithm of the mean square, floor 1e-10.
    """

    f0: Tensor
    voicing: Tensor
    zero_crossings: Tensor
    log_energy: Tensor


def centred_frames(waveform: Tensor, length: int, hop_length: int) -> Tensor:
    """Overlapping frames, shape (batch, 1 + n_samples // hop_length, length); zeros beyond the ends."""
    left = length // 2
    padded = torch.nn.functional.pad(waveform, (left, length - left))
    n_frames = 1 + waveform.shape[1] // hop_length
    return padded.unfold(1, length, hop_length)[:, :n_frames]


def measure_prosody(waveform: Tensor, *, sample_rate: int, win_length: int, hop_length: int) -> Prosody:
    """All four features of each frame.

    Args:
        waveform: shape (batch, n_samples), zero past each utterance's end.
        sample_rate: in Hz.
        win_length: of energy and zero crossings, in samples; the pitch has a window of its own.
        hop_length: step in samples.
    """
    frames = centred_frames(waveform, win_length, hop_length)
    # Zero counts as positive, so that silence has no crossings.
    signs = frames >= 0
    zero_crossings = (signs[:, :, 1:] != signs[:, :, :-1]).float().mean(2)
    log_energy = torch.log(torch.clamp(frames.square().mean(2), min=1e-10))
    f0, voicing = track_pitch(waveform, sample_rate=sample_rate, hop_length=hop_length)
    return Prosody(f0, voicing, zero_crossings, log_energy)


def track_pitch(waveform: Tensor, *, sample_rate: int, hop_length: int) -> tuple[Tensor, Tensor]:
    """F0 in Hz and voicing in [0, 1] of each frame, each (batch, n_frames).

    Args:
        waveform: shape (batch, n_samples), zero past each utterance's end.
        sample_rate: in Hz.
        hop_length: step in samples.
    """
    length = round(PITCH_WINDOW_S * sample_rate)
    window = torch.hann_window(length, periodic=True, device=waveform.device)
    frames = centred_frames(waveform, length, hop_length)
    n_fft = 1 << (2 * length - 1).bit_length()
    shortest, longest = math.ceil(sample_rate / F0_RANGE_HZ[1]), math.floor(sample_rate / F0_RANGE_HZ[0])
    own = _autocorrelation(window, n_fft)
    correlation = _autocorrelation(frames * window, n_fft)
    power = correlation[..., :1] + SILENT_POWER * own[0]
    lags = torch.arange(shortest, longest + 1, device=waveform.device)
    periodic = (correlation[..., lags] / power) / (own[lags] / own[0])
    bonus = OCTAVE_BONUS * torch.log2(longest / lags)
    best = (periodic + bonus).argmax(-1, keepdim=True)
    voicing = periodic.gather(-1, best).squeeze(-1).clamp(0.0, 1.0)
    return sample_rate / lags[best.squeeze(-1)], voicing


def _autocorrelation(frames: Tensor, n_fft: int) -> Tensor:
    spectrum = torch.fft.rfft(frames, n_fft)
    correlation: Tensor = torch.fft.irfft(spectrum.real.square() + spectrum.imag.square(), n_fft)
    return correlation


def deltas(features: Tensor, counts: Tensor) -> Tensor:
    """First derivatives: half the difference of the frames beside each, the ends repeated.

    Args:
        features: shape (batch, n_features, n_frames).
        counts: valid frames, shape (batch,).
    Returns:
        the same shape; values past an utterance's end have no meaning.
    """
    position = torch.arange(features.shape[2], device=features.device)[None, :]
    last = (counts - 1)[:, None]
    after, before = torch.minimum(position + 1, last), torch.clamp(position - 1, min=0)
    shape = (-1, features.shape[1], -1)
    following = features.gather(2, after[:, None, :].expand(shape))
    preceding = features.gather(2, before.expand(len(features), -1)[:, None, :].expand(shape))
    return 0.5 * (following - preceding)
