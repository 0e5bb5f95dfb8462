"""Other silence around speech: copies of a recording that are cut closely, or filled with silence of another kind.

What surrounds speech differs more between corpora than the speech does: one has half a second of a room's noise at
either end, another is cut at the first sound, a third is digital silence. A network learns it as if it were emotion.

Conventions: a waveform is float32 (n_samples,) at `sample_rate` Hz. Every random number of one copy comes from one
generator, so a copy depends on the options, the utterance and its number alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from emotone.features.augmentation import derived_seed
from emotone.voice_activity import FRAME_S, VoiceActivity

Waveform = NDArray[np.float32]

SPEECH_PROBABILITY = 0.5
"""Frames from the first to the last with at least this probability are speech, one more on either side included."""

KINDS = ("none", "digital", "digital", "noise", "noise", "own")
"""What surrounds a copy's speech, each equally likely: nothing, zeros, faint noise, or a part of what was there."""


class SilenceOptions(BaseModel):
    """How other silence is made; the recipe's table `[silence]`.

    Attributes:
        copies: copies of each utterance with other silence, beside the recording itself; 0 for none. Of a frozen
            encoder the frames of each copy are stored; waveforms are copied while training, however many copies.
        share: probability that a network's training draws one of them instead of the recording. A logistic regression
            is fitted on the recording and all copies, whatever the share.
        longest_s: of the silence on one side, in seconds; durations are uniform from 0.
        noise_db: softest and loudest noise, in dB beside the speech's mean power.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(0, ge=0, le=100)
    share: float = Field(0.5, ge=0, le=1)
    longest_s: float = Field(0.7, ge=0)
    noise_db: tuple[float, float] = (-75.0, -40.0)

    def settings(self) -> dict[str, object]:
        """What a copy's content depends on: everything but the number and the share of copies."""
        return self.model_dump(mode="json", exclude={"copies", "share"})


def speech_bounds(waveform: Waveform, sample_rate: int) -> tuple[int, int]:
    """Where speech begins and ends, in samples; the whole waveform where the detector finds none."""
    activity = VoiceActivity(sample_rate)
    probabilities = np.concatenate([activity.push(waveform), activity.finish()])
    speech = np.flatnonzero(probabilities >= SPEECH_PROBABILITY)
    if not len(speech):
        return 0, len(waveform)
    frame = FRAME_S * sample_rate
    return max(0, round((speech[0] - 1) * frame)), min(len(waveform), round((speech[-1] + 2) * frame))


def with_other_silence(
    waveform: Waveform,
    options: SilenceOptions,
    number: int,
    name: str,
    sample_rate: int,
    bounds: tuple[int, int] | None = None,
) -> Waveform:
    """One copy of a waveform with other silence around its speech.

    Args:
        waveform: shape (n_samples,).
        options: what is drawn.
        number: of the copy, from 1.
        name: the utterance's id, which the random numbers depend on.
        sample_rate: in Hz.
        bounds: of the speech, where they are known; otherwise found by `speech_bounds`.
    Returns:
        shape (n,), the speech unchanged within.
    """
    start, end = bounds or speech_bounds(waveform, sample_rate)
    speech = waveform[start:end]
    generator = np.random.Generator(np.random.PCG64(derived_seed("silence", name, number)))
    kind = KINDS[generator.integers(len(KINDS))]
    power = float(np.mean(np.square(speech), dtype=np.float64)) if len(speech) else 0.0
    sides = []
    for own in (waveform[:start][::-1], waveform[end:]):
        # Nearest to the speech first; turned round again where it comes before the speech.
        n_samples = round(float(generator.uniform(0, options.longest_s)) * sample_rate)
        if kind == "none":
            side = own[:0]
        elif kind == "digital":
            side = np.zeros(n_samples, dtype=np.float32)
        elif kind == "own":
            side = own[:n_samples]
        else:
            level = np.sqrt(power * 10 ** (float(generator.uniform(*options.noise_db)) / 10))
            side = _noise(n_samples, float(generator.integers(2)), generator) * np.float32(level)
        sides.append(side)
    return np.concatenate([sides[0][::-1], speech, sides[1]]).astype(np.float32)


def _noise(n_samples: int, colour: float, generator: np.random.Generator) -> Waveform:
    """Noise of power 1 that falls as frequency ** -colour (0 white, 1 pink)."""
    if n_samples < 2:
        return np.zeros(n_samples, dtype=np.float32)
    spectrum = np.fft.rfft(generator.standard_normal(n_samples))
    noise = np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 1) ** (-colour / 2), n_samples)
    scaled: Waveform = (noise / (noise.std() + 1e-12)).astype(np.float32)
    return scaled
