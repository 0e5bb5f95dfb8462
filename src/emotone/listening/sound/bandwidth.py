"""Whether a recording came through a telephone, by its header and by its spectrum.

Conventions: narrow-band speech ends at 4 kHz at the latest; its file may have any sample rate.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emotone.audio import AudioInfo
from emotone.listening.sound.sources import Waveform

NARROW_RATE = 8_000

_NARROW_CODECS = {
    "pcm_mulaw": "mu-law",
    "pcm_alaw": "A-law",
    "amrnb": "AMR",
    "amr_nb": "AMR",
    "libopencore_amrnb": "AMR",
    "gsm": "GSM",
    "gsm_ms": "GSM",
    "g723_1": "G.723.1",
    "g729": "G.729",
    "ilbc": "iLBC",
}

_FRAME = 1_024
_STEP_S = 0.25
"""A few frames per second show the band as well as all of them."""

_SPEECH_HZ = (300.0, 3_400.0)
_ABOVE_HZ = 4_400.0
_EMPTY_DB = -50.0
"""Wide-band speech keeps some -20 to -40 dB above 4.4 kHz; the resampler that made a wide file of a narrow one, -65."""


class BandMeter:
    """The mean power below and above the telephone's band, over a stream of mono blocks.

    Args:
        sample_rate: in Hz; below 12 kHz there is too little above the band to say anything.
    """

    def __init__(self, sample_rate: int) -> None:
        self._speech, self._above, self._taper = _bands(sample_rate)
        self._can_tell = sample_rate >= 12_000
        self._step = max(_FRAME, round(_STEP_S * sample_rate))
        self._power = np.zeros(2)
        self._rest = np.zeros(0, dtype=np.float32)
        # Samples to come that lie between two frames.
        self._skip = 0

    def push(self, block: Waveform) -> None:
        """Add a block, shape (n_samples,)."""
        if not self._can_tell:
            return
        sound = np.concatenate([self._rest, block[self._skip :]])
        self._skip = max(0, self._skip - len(block))
        n_frames = max(0, (len(sound) - _FRAME) // self._step + 1)
        self._skip += max(0, n_frames * self._step - len(sound))
        self._rest = sound[n_frames * self._step :]
        if n_frames:
            starts = self._step * np.arange(n_frames)[:, None]
            self._add(sound[starts + np.arange(_FRAME)])

    def is_narrow(self) -> bool:
        """Whether next to nothing was above the telephone's band; False where there was too little sound to tell."""
        below, above = self._power
        return bool(below > 0.0 and 10 * np.log10(max(above, 1e-30) / below) < _EMPTY_DB)

    def _add(self, frames: npt.NDArray[np.float32]) -> None:
        power = np.abs(np.fft.rfft(frames * self._taper, axis=1)).astype(np.float64) ** 2
        self._power += power[:, self._speech].sum(), power[:, self._above].sum()


@lru_cache(maxsize=8)
def _bands(sample_rate: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Which bins are speech, which lie above the telephone's band, and the frame's taper."""
    frequencies = np.fft.rfftfreq(_FRAME, 1 / sample_rate)
    speech = (frequencies >= _SPEECH_HZ[0]) & (frequencies <= _SPEECH_HZ[1])
    above = (frequencies >= _ABOVE_HZ) & (frequencies <= 0.95 * sample_rate / 2)
    return speech, above, np.hanning(_FRAME).astype(np.float32)


def narrow_band_note(info: AudioInfo | None, sample_rate: int | None, meter: BandMeter) -> str:
    """Why a recording is narrow-band, for a reader; empty where it is not.

    Args:
        info: information in the header; None for a waveform.
        sample_rate: of a bare waveform, in Hz.
        meter: that measured the recording.
    """
    codec = _NARROW_CODECS.get(info.codec) if info else None
    rate = info.sample_rate if info else sample_rate
    if codec and rate and rate <= NARROW_RATE:
        why = f"{codec} at {rate} Hz"
    elif rate and rate <= NARROW_RATE:
        why = f"sampled at {rate} Hz"
    elif meter.is_narrow():
        why = "nothing above 4 kHz, as after a telephone"
    else:
        return ""
    return f"narrow-band ({why}): expect more errors than with full-band sound"
