"""Power spectrogram and mel filter bank as torch layers.

Conventions: waveforms are (batch, n_samples) in [-1, 1]; frames are centred, the waveform's ends padded with zeros, so
n_frames = 1 + n_samples // hop_length; spectra are power, (batch, n_bins, n_frames). The settings mean what they mean
in librosa, which the tests hold these layers against.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Method = Literal["fft", "convolution", "operator"]
Padding = Literal["zeros", "none"]

CONVOLUTION_MAX_N_FFT = 512
"""Up to here an exported framed DFT is faster as a strided convolution than as ONNX's STFT operator, and small."""


def frame_counts(lengths: Tensor, hop_length: int) -> Tensor:
    """Number of centred frames of each utterance.

    Args:
        lengths: samples of each utterance, shape (batch,).
        hop_length: step in samples.
    Returns:
        shape (batch,), 1 + lengths // hop_length.
    """
    return 1 + torch.div(lengths, hop_length, rounding_mode="floor")


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """True where a position belongs to the utterance.

    Args:
        lengths: valid positions of each utterance, shape (batch,).
        size: positions in the batch.
    Returns:
        boolean, shape (batch, size).

    >>> length_mask(torch.tensor([1, 2]), 3).tolist()
    [[True, False, False], [True, True, False]]
    """
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


class Spectrogram(nn.Module):
    """Power spectrogram with a periodic Hann window and centred frames.

    Args:
        n_fft: DFT length in samples.
        win_length: window length in samples, at most n_fft; the window is in the middle of the frame.
        hop_length: step between frames in samples.
        method: how the same DFT is computed. "fft": FFT of overlapping frames, fastest in PyTorch; "convolution": a
            strided convolution, fastest in ONNX for short windows; "operator": torch.stft, which exports as
            ONNX's STFT.
        padding: "zeros" adds half a window of zeros at either end; "none" where the waveform was padded before.
    Shape:
        (batch, n_samples) -> (batch, 1 + n_fft // 2, 1 + n_samples // hop_length)
    """

    window: Tensor
    basis: Tensor

    def __init__(
        self, n_fft: int, win_length: int, hop_length: int, *, method: Method = "fft", padding: Padding = "zeros"
    ) -> None:
        super().__init__()
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.method: Method = method
        self.n_padding = n_fft // 2 if padding == "zeros" else 0
        window = torch.zeros(n_fft)
        left = (n_fft - win_length) // 2
        window[left : left + win_length] = torch.hann_window(win_length, periodic=True)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("basis", torch.empty(0), persistent=False)
        if method == "convolution":
            self.basis = _windowed_dft(n_fft, win_length)

    def prepare_export(self) -> None:
        """Choose the way that ONNX Runtime computes fastest at this size."""
        self.method = "convolution" if self.n_fft <= CONVOLUTION_MAX_N_FFT else "operator"
        if self.method == "convolution":
            self.basis = _windowed_dft(self.n_fft, self.win_length).to(self.window.device)

    def forward(self, waveform: Tensor) -> Tensor:
        """Power spectrogram, shape (batch, 1 + n_fft // 2, n_frames)."""
        padded = nn.functional.pad(waveform, (self.n_padding, self.n_padding))
        if self.method == "convolution":
            parts = nn.functional.conv1d(padded[:, None, :], self.basis, stride=self.hop_length)
            real, imaginary = parts.chunk(2, dim=1)
            return real.square() + imaginary.square()
        if self.method == "operator":
            spectrum = torch.stft(
                padded,
                self.n_fft,
                hop_length=self.hop_length,
                window=self.window,
                center=False,
                return_complex=True,
            )
            return torch.view_as_real(spectrum).square().sum(-1)
        frames = padded.unfold(1, self.n_fft, self.hop_length) * self.window
        spectrum = torch.fft.rfft(frames)
        # Real and imaginary part by themselves: summing squares over the last axis of two is 15 times slower on a CPU.
        return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).transpose(1, 2)


def _windowed_dft(n_fft: int, win_length: int) -> Tensor:
    """Cosines and sines under the window, shape (2 * n_bins, 1, n_fft)."""
    n_bins = 1 + n_fft // 2
    left = (n_fft - win_length) // 2
    window = torch.zeros(n_fft, dtype=torch.float64)
    window[left : left + win_length] = torch.hann_window(win_length, periodic=True, dtype=torch.float64)
    # The product is reduced modulo n_fft before it meets pi, so that large bin * sample products lose no digits.
    turns = torch.outer(torch.arange(n_bins), torch.arange(n_fft)) % n_fft
    angle = turns.to(torch.float64) * (2 * math.pi / n_fft)
    basis = torch.cat([torch.cos(angle), -torch.sin(angle)]) * window
    return basis.to(torch.float32)[:, None, :]


def mel_filterbank(sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> NDArray[np.float64]:
    """Triangular filters on Slaney's mel scale, each of unit area in Hz.

    Args:
        sample_rate: in Hz.
        n_fft: DFT length in samples.
        n_mels: number of filters.
        f_min: lowest edge in Hz.
        f_max: highest edge in Hz, at most sample_rate / 2.
    Returns:
        shape (n_mels, 1 + n_fft // 2).
    Raises:
        ValueError: the edges are not 0 <= f_min < f_max <= sample_rate / 2.
    References:
        Slaney (1998), Auditory Toolbox, Interval Research technical report 1998-010.
    """
    if not 0 <= f_min < f_max <= sample_rate / 2:
        raise ValueError(f"got f_min {f_min} and f_max {f_max} Hz; expected 0 <= f_min < f_max <= {sample_rate / 2}")
    edges = _mel_to_hz(np.linspace(_hz_to_mel(f_min), _hz_to_mel(f_max), n_mels + 2))
    bins = np.linspace(0, sample_rate / 2, 1 + n_fft // 2)
    widths = np.diff(edges)
    slopes = edges[:, None] - bins[None, :]
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: NDArray[np.float64] = triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters


# Slaney's scale is linear below 1 kHz (3 mel per 200 Hz) and logarithmic above (27 steps per factor of 6.4).
_LINEAR_HZ = 200.0 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _LINEAR_HZ
    return _BREAK_HZ / _LINEAR_HZ + math.log(hz / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = _BREAK_HZ / _LINEAR_HZ
    linear = mel * _LINEAR_HZ
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, break_mel) - break_mel))
    return np.where(mel < break_mel, linear, logarithmic)
