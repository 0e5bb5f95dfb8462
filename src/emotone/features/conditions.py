"""Recording conditions drawn at random: other rooms, microphones, noises, codecs and telephones, for augmented copies.

Conventions: a waveform is float32 (n_samples,) at `sample_rate` Hz. Every random number of one copy of one utterance
comes from one generator, so a copy depends on the options, the utterance and its number alone.
"""

from __future__ import annotations

import io
import math
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from emotone.audio import load_audio
from emotone.features.augmentation import add_noise, change_speed, derived_seed, limit_band

Waveform = NDArray[np.float32]

CODECS = (("mp3", "libmp3lame", 16_000, (24_000, 48_000)), ("ogg", "libopus", 16_000, (8_000, 24_000)))
"""Container, codec, sample rate in Hz, and range of bit rates in bit/s."""


class ConditionOptions(BaseModel):
    """How augmented copies of a waveform are made; the recipe's table `[copies]`. Probabilities are per copy.

    Attributes:
        copies: augmented copies of each utterance beside the recording itself; 0 for none.
        share: probability that a network's training draws one of the copies instead of the recording. A logistic
            regression is fitted on the recording and all of its copies, whatever the share.
        speed: probability of another speed, pitch with it.
        speed_range: the slowest and the fastest factor.
        room: probability of a synthetic room.
        room_decay_s: shortest and longest time in which its echo falls by 60 dB, in seconds.
        microphone: probability of another frequency response.
        microphone_db: standard deviation of that response, in dB.
        noise: probability of noise (white to brown).
        noise_snr_db: lowest and highest ratio of signal to noise, in dB.
        telephone: probability of a band of 300 to 3400 Hz.
        codec: probability of a lossy codec.
        clipping: probability of clipped peaks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(0, ge=0, le=100)
    share: float = Field(0.5, ge=0, le=1)
    speed: float = Field(0.5, ge=0, le=1)
    speed_range: tuple[float, float] = (0.9, 1.1)
    room: float = Field(0.35, ge=0, le=1)
    room_decay_s: tuple[float, float] = (0.1, 0.8)
    microphone: float = Field(0.5, ge=0, le=1)
    microphone_db: float = Field(5.0, ge=0)
    noise: float = Field(0.6, ge=0, le=1)
    noise_snr_db: tuple[float, float] = (3.0, 30.0)
    telephone: float = Field(0.15, ge=0, le=1)
    codec: float = Field(0.15, ge=0, le=1)
    clipping: float = Field(0.05, ge=0, le=1)

    def settings(self) -> dict[str, object]:
        """What a copy's content depends on: everything but the number and the share of copies."""
        return self.model_dump(mode="json", exclude={"copies", "share"})


def augmented_copy(waveform: Waveform, options: ConditionOptions, number: int, name: str, sample_rate: int) -> Waveform:
    """One augmented copy of a waveform.

    Args:
        waveform: shape (n_samples,).
        options: what is drawn.
        number: of the copy, from 1; 0 gives the waveform itself.
        name: the utterance's id, which the random numbers depend on.
        sample_rate: in Hz.
    Returns:
        shape (n,), n differs from n_samples where the speed changes.
    """
    if number == 0:
        return waveform
    generator = np.random.Generator(np.random.PCG64(derived_seed("condition", name, number)))
    # All are drawn, used or not, so that one probability does not change what the others draw.
    speed, room, microphone, noise, telephone, codec, clipping = generator.uniform(size=7)
    if speed < options.speed:
        waveform = change_speed(waveform, float(generator.uniform(*options.speed_range)))
    if room < options.room:
        waveform = add_room(waveform, float(generator.uniform(*options.room_decay_s)), generator, sample_rate)
    if microphone < options.microphone:
        waveform = colour(waveform, options.microphone_db, generator, sample_rate)
    if noise < options.noise:
        snr_db = float(generator.uniform(*options.noise_snr_db))
        waveform = add_noise(waveform, snr_db, float(generator.uniform(0, 2)), generator)
    if clipping < options.clipping:
        limit = float(np.quantile(np.abs(waveform), 0.98)) + 1e-9
        waveform = np.clip(waveform, -limit, limit)
    if telephone < options.telephone:
        waveform = limit_band(waveform, sample_rate)
    if codec < options.codec:
        waveform = through_random_codec(waveform, generator, sample_rate)
    return waveform.astype(np.float32)


def add_room(waveform: Waveform, decay_s: float, generator: np.random.Generator, sample_rate: int) -> Waveform:
    """A synthetic room: exponentially decaying noise behind the direct sound, 0 to 12 dB weaker than it in all."""
    time = np.arange(round(decay_s * sample_rate)) / sample_rate
    tail = generator.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
    tail *= 10 ** (-float(generator.uniform(0, 12)) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    size = len(waveform) + len(tail) - 1
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(tail, size), size)
    return wet[: len(waveform)].astype(np.float32)


def colour(waveform: Waveform, deviation_db: float, generator: np.random.Generator, sample_rate: int) -> Waveform:
    """Another microphone: a smooth random frequency response, linear between 12 points spaced evenly in mel."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.fft.rfftfreq(len(waveform), 1 / sample_rate)
    mel = np.log1p(frequency / 700)
    gains_db = generator.standard_normal(12) * deviation_db
    response_db = np.interp(mel, np.linspace(0, mel[-1], 12), gains_db)
    return np.fft.irfft(spectrum * 10 ** (response_db / 20), len(waveform)).astype(np.float32)


def through_random_codec(waveform: Waveform, generator: np.random.Generator, sample_rate: int) -> Waveform:
    """Encode and decode with a real lossy codec, in memory; the level is kept where full scale would be exceeded."""
    container, codec, rate, bit_rates = CODECS[int(generator.integers(len(CODECS)))]
    bit_rate = round(float(np.exp(generator.uniform(math.log(bit_rates[0]), math.log(bit_rates[1])))))
    peak = max(1.0, float(np.abs(waveform).max()))
    return through_codec(waveform / peak, container, codec, rate, bit_rate, sample_rate) * np.float32(peak)


def through_codec(
    waveform: Waveform, container: str, codec: str, rate: int, bit_rate: int | None, sample_rate: int
) -> Waveform:
    """Encode and decode in memory.

    Args:
        waveform: shape (n_samples,), within full scale.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder.
        rate: that the codec runs at, in Hz.
        bit_rate: in bit/s; None for the codec's own.
        sample_rate: of the waveform and of the result, in Hz.
    Returns:
        shape (about n_samples,); codecs add or drop some milliseconds.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="mono")
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        samples = np.clip(np.rint(waveform * 32767), -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = sample_rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return load_audio(target.getvalue(), sample_rate=sample_rate)
