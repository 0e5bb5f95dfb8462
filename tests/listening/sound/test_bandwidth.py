"""Telephone sound is recognised as such."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
import pytest

from emotone.audio import Resampler
from emotone.listening.recognizer import Recognizer
from emotone.listening.sound.bandwidth import BandMeter

RATE = 16_000


def resampled(waveform: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    resampler = Resampler(rate_in, rate_out)
    return np.concatenate([resampler.push(waveform), resampler.finish()])


def encoded(waveform: np.ndarray, rate: int, codec: str, container: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        samples = (np.clip(waveform, -1, 1) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = rate
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_wide_band_voices_are_not_called_narrow(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    for clip in spoken_clips:
        recognition = tiny_recognizer(clip, RATE)
        assert (recognition.narrow_band, recognition.note) == (False, "")


def test_a_telephones_band_shows_in_a_wide_file(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    for clip in spoken_clips:
        telephone = resampled(resampled(clip, RATE, 8_000), 8_000, RATE)
        recognition = tiny_recognizer(telephone, RATE)
        assert recognition.narrow_band
        assert "nothing above 4 kHz" in recognition.note


@pytest.mark.parametrize(
    ("codec", "said"), [("pcm_s16le", "sampled at 8000 Hz"), ("pcm_mulaw", "mu-law"), ("pcm_alaw", "A-law")]
)
def test_a_narrow_file_is_recognised_by_what_it_says(
    tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray], codec: str, said: str
) -> None:
    recognition = tiny_recognizer(encoded(resampled(spoken_clips[0], RATE, 8_000), 8_000, codec, "wav"))
    assert recognition.narrow_band
    assert said in recognition.note


def test_amr_is_named(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    if "libopencore_amrnb" not in av.codec.codecs_available:
        pytest.skip("this FFmpeg writes no AMR")
    file = encoded(resampled(spoken_clips[0], RATE, 8_000), 8_000, "libopencore_amrnb", "amr")
    assert "AMR" in tiny_recognizer(file).note


def test_silence_says_nothing_of_its_band(tiny_recognizer: Recognizer) -> None:
    assert not tiny_recognizer(np.zeros(RATE, dtype=np.float32), RATE).narrow_band


def test_how_the_stream_is_cut_changes_nothing(spoken_clips: list[np.ndarray]) -> None:
    sound = np.concatenate(spoken_clips)
    powers = []
    for length in (999, 16_000, len(sound)):
        meter = BandMeter(RATE)
        for start in range(0, len(sound), length):
            meter.push(sound[start : start + length])
        powers.append(meter._power)
    np.testing.assert_allclose(powers[1:], [powers[0]] * 2, rtol=1e-9)


def test_a_wav_of_twelve_kilohertz_is_not_narrow(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 12_000, 0, "NONE", "NONE"))
        samples = resampled(spoken_clips[0], RATE, 12_000)
        writer.writeframes((samples * 32_767).astype("<i2").tobytes())
    assert not tiny_recognizer(file.getvalue()).narrow_band
