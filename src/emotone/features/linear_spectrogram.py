"""The front end of Satt et al. (2017): a log spectrogram of evenly spaced bins, with harmonic filtering if wanted.

Conventions: as in `front_end`: (batch, n_bands, n_frames) in dB, zero past each utterance's end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from emotone.features.front_end import POWER_FLOOR, FeatureOptions, FrontEnd
from emotone.features.prosody import track_pitch
from emotone.features.spectrogram import Spectrogram, frame_counts, length_mask

COMB_FLOOR = 0.1
"""What is left of the power halfway between two harmonics of a fully voiced frame, a tenth: 10 dB down."""


class LinearSpectrogram(FrontEnd):
    """Log power spectrogram under a Hamming window, from 0 Hz up, in dB.

    Args:
        options: of them only the sample rate is used.
        bin_hz: distance of two bins in Hz; the DFT is sample_rate / bin_hz long.
        n_bins: bins kept, from 0 Hz on.
        window_s: window length in seconds.
        step_s: step in seconds.
        harmonic: weaken what lies between the harmonics of voiced frames.
    Shape:
        waveform (batch, n_samples), lengths (batch,) -> features (batch, n_bins, n_frames), n_frames (batch,)
    """

    def __init__(
        self, options: FeatureOptions, *, bin_hz: float, n_bins: int, window_s: float, step_s: float, harmonic: bool
    ) -> None:
        super().__init__()
        self.options, self.n_bins, self.harmonic = options, n_bins, harmonic
        rate = options.sample_rate
        self.hop_length = round(step_s * rate)
        n_fft, win_length = round(rate / bin_hz), round(window_s * rate)
        self.spectrogram = Spectrogram(n_fft, win_length, self.hop_length)
        left = (n_fft - win_length) // 2
        self.spectrogram.window[left : left + win_length] = torch.hamming_window(win_length, periodic=True)
        self.register_buffer("frequencies", torch.arange(n_bins) * (rate / n_fft), persistent=False)

    frequencies: Tensor

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features in dB, zero past each utterance's end, and the number of valid frames."""
        waveform = waveform * length_mask(lengths, waveform.shape[1])
        with torch.autocast(waveform.device.type, enabled=False):
            power = self.spectrogram(waveform.float())[:, : self.n_bins]
            if self.harmonic:
                power = power * self._comb(waveform.float())
            decibel = (10.0 / math.log(10.0)) * torch.log(torch.clamp(power, min=POWER_FLOOR))
        counts = frame_counts(lengths, self.hop_length)
        return decibel * length_mask(counts, decibel.shape[2])[:, None, :], counts

    def _comb(self, waveform: Tensor) -> Tensor:
        """A gain for the power of each bin: 1 at the harmonics, less between them, the more the frame is voiced."""
        f0, voicing = track_pitch(waveform, sample_rate=self.options.sample_rate, hop_length=self.hop_length)
        turns = self.frequencies[None, :, None] / f0[:, None, :]
        comb = COMB_FLOOR + (1 - COMB_FLOOR) * (0.5 + 0.5 * torch.cos(2 * math.pi * turns))
        return 1 - voicing[:, None, :] * (1 - comb)
