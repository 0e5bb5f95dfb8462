"""The pass band lives, what lies above the Nyquist frequency dies, and nothing moves in time."""

import numpy as np
import pytest

from emotone.audio import Resampler, load_audio
from emotone.errors import SampleRateError

RATES = [4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 192_000]


def resample(samples, rate_in, rate_out, step=4_096):
    resampler = Resampler(rate_in, rate_out)
    parts = [resampler.push(samples[i : i + step]) for i in range(0, len(samples), step)]
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_in_the_pass_band_keeps_its_amplitude_and_place(rate, tone):
    frequency = 0.4 * min(rate, 16_000)
    given = resample(tone(rate, frequency)[0].astype(np.float32), rate, 16_000)
    wanted = tone(16_000, frequency)[0]
    assert np.abs(given - wanted)[2_000:-2_000].max() < 1e-4


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 17_600])
def test_a_tone_above_the_nyquist_frequency_is_gone(rate, tone):
    given = resample(tone(rate, 8_800)[0].astype(np.float32), rate, 16_000)
    assert np.abs(given[2_000:-2_000]).max() < 0.5 * 10 ** (-80 / 20)


@pytest.mark.parametrize("rate", RATES)
def test_a_click_stays_where_it_was(rate):
    samples = np.zeros(rate, np.float32)
    samples[rate // 3] = 1.0
    given = resample(samples, rate, 16_000)
    assert np.argmax(np.abs(given)) == pytest.approx(rate // 3 * 16_000 / rate, abs=1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("length", [1, 37, 4_000, 4_001])
def test_the_length_is_exact_and_the_cut_changes_nothing(rate, length):
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole = resample(samples, rate, 16_000, step=length)
    assert len(whole) == -(-length * 16_000 // rate)
    assert np.array_equal(whole, resample(samples, rate, 16_000, step=333))


def test_the_end_of_a_recording_is_not_lost(encode):
    samples = np.zeros((1, 44_100), np.float32)
    samples[0, -200:] = 0.5
    waveform = load_audio(encode("wav", "pcm_f32le", samples, 44_100))
    assert waveform[-40:].mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [3_999, 192_001, 0, -16_000])
def test_rates_outside_4_to_192_khz_are_refused(rate, encode, tone):
    with pytest.raises(SampleRateError, match="expected 4000 to 192000"):
        load_audio(encode("wav", "pcm_s16le", tone(16_000), 16_000), sample_rate=rate)


@pytest.mark.parametrize("rate", [2_000, 384_000])
def test_recordings_outside_4_to_192_khz_are_refused(rate, encode, tone):
    with pytest.raises(SampleRateError, match=str(rate)):
        load_audio(encode("wav", "pcm_s16le", tone(rate, 100), rate))
