"""Augmentation: seeded, switchable, and doing what its name says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emotone.features import augmentation as aug
from emotone.features.augmentation import AugmentationOptions, FeatureMasks, utterance_generator

RATE = 16_000
EVERYTHING = AugmentationOptions(
    speed=0.1, shift_s=0.1, gain_db=6, noise=1.0, telephone=1.0, frequency_masks=2, time_masks=2, mixup=0.3
)


def tone(frequency: float, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def level_at(waveform: np.ndarray, frequency: float) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) / len(waveform) * 4
    near = np.abs(np.fft.rfftfreq(len(waveform), 1 / RATE) - frequency) < 10
    return float(spectrum[near].max())


def test_everything_off_changes_nothing() -> None:
    waveform = tone(440)
    changed = aug.augment_waveform(waveform, AugmentationOptions(), utterance_generator(0, 0, 0, "a"), sample_rate=RATE)
    assert np.array_equal(changed, waveform)


def test_the_same_seed_gives_the_same_waveform_and_another_epoch_another() -> None:
    def changed(*key: object) -> np.ndarray:
        return aug.augment_waveform(tone(440), EVERYTHING, utterance_generator(*key), sample_rate=RATE)

    assert np.array_equal(changed(0, 1, 2, "a"), changed(0, 1, 2, "a"))
    for other in ((1, 1, 2, "a"), (0, 0, 2, "a"), (0, 1, 3, "a"), (0, 1, 2, "b")):
        assert not np.array_equal(changed(0, 1, 2, "a")[:8000], changed(*other)[:8000])


def test_speed_moves_the_pitch_and_the_length() -> None:
    faster = aug.change_speed(tone(1000), 1.25)
    assert len(faster) == round(RATE / 1.25)
    assert level_at(faster, 1250) > 0.4
    assert level_at(faster, 1000) < 0.01


@pytest.mark.parametrize("n_samples", [0, 5, -5, 99_999])
def test_a_shift_keeps_the_length_and_brings_in_zeros(n_samples: int) -> None:
    waveform = tone(440) + 1
    moved = aug.shift(waveform, n_samples)
    assert len(moved) == len(waveform)
    assert (moved == 0).sum() == min(abs(n_samples), len(waveform))


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
def test_noise_has_the_ratio_it_was_asked_for(colour: float) -> None:
    waveform = tone(440)
    noise = aug.add_noise(waveform, 10.0, colour, np.random.default_rng(0)) - waveform
    ratio_db = 10 * np.log10(np.mean(waveform**2) / np.mean(noise**2))
    assert ratio_db == pytest.approx(10.0, abs=0.01)


def test_a_telephone_keeps_its_band_alone() -> None:
    heard = aug.limit_band(tone(1000) + tone(100) + tone(5000), RATE)
    assert level_at(heard, 1000) > 0.45
    assert max(level_at(heard, 100), level_at(heard, 5000)) < 1e-3


def test_masks_hide_whole_bands_and_frames_of_the_valid_part() -> None:
    options = AugmentationOptions(frequency_masks=1, time_masks=1, frequency_width=0.5, time_width=0.5)
    generators = [utterance_generator(0, 0, 0, name) for name in "abcdefgh"]
    masks = FeatureMasks.draw(options, generators)
    counts = torch.tensor([40] * 8)
    hidden = masks(torch.ones(8, 20, 60), counts) == 0
    assert hidden.any()
    for one, bands, frames in zip(hidden, masks.bands, masks.frames, strict=True):
        rows, columns = one.all(1), one.all(0)
        assert torch.equal(one, rows[:, None] | columns[None, :])
        assert abs(int(rows.sum()) - (bands[0, 1] - bands[0, 0]) * 20) <= 1
        assert abs(int(columns[:40].sum()) - (frames[0, 1] - frames[0, 0]) * 40) <= 1
        assert not columns[40:].any()


def test_mixup_mixes_sound_length_and_label_alike() -> None:
    waveform = torch.tensor([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]])
    targets = torch.eye(2)
    mixed, lengths, labels = aug.mix(waveform, torch.tensor([2, 3]), targets, share=0.75, order=torch.tensor([1, 0]))
    assert mixed[0].tolist() == [1.25, 1.25, 0.5]
    assert lengths.tolist() == [3, 3]
    assert labels.tolist() == [[0.75, 0.25], [0.25, 0.75]]
