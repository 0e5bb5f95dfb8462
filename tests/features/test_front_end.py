"""The front end against librosa, alone and in batches, on CPU in its three forms."""

from __future__ import annotations

import warnings
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from emotone.audio import load_audio
from emotone.features.front_end import POWER_FLOOR, FeatureOptions, build_front_end
from emotone.features.spectrogram import Spectrogram, mel_filterbank

SETTINGS = {
    "default": FeatureOptions(),
    "coarse": FeatureOptions(hop_length=256, n_mels=40, f_min=0.0, f_max=4000.0),
    "paper": FeatureOptions(n_fft=2048, win_length=2048, hop_length=375, n_mels=128, f_min=0.0),
}


def clips(folder: Path) -> list[np.ndarray]:
    paths = sorted(folder.glob("*/*.opus"))[:2] + sorted(folder.glob("*/*.flac"))[:2]
    assert len(paths) == 4
    return [load_audio(path) for path in paths]


def reference_mel(waveform: np.ndarray, options: FeatureOptions) -> np.ndarray:
    return librosa.feature.melspectrogram(
        y=waveform,
        sr=options.sample_rate,
        n_fft=options.n_fft,
        win_length=options.win_length,
        hop_length=options.hop_length,
        n_mels=options.n_mels,
        fmin=options.f_min,
        fmax=options.f_max,
        pad_mode="constant",
        center=True,
        power=2.0,
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_log_mel_is_librosas_within_a_hundredth_of_a_decibel(name: str, clips_dir: Path) -> None:
    options = SETTINGS[name]
    layer = build_front_end(options)
    for waveform in clips(clips_dir):
        power = reference_mel(waveform, options)
        ours, counts = layer(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
        assert ours.shape[1:] == power.shape
        assert counts.item() == 1 + len(waveform) // options.hop_length
        above = power > POWER_FLOOR
        expected = librosa.power_to_db(power, ref=1.0, amin=POWER_FLOOR, top_db=None)
        assert np.abs(ours[0].numpy() - expected)[above].max() < 0.01


@pytest.mark.parametrize("name", SETTINGS)
def test_mfcc_is_librosas(name: str, clips_dir: Path) -> None:
    options = SETTINGS[name].model_copy(update={"kind": "mfcc", "n_mfcc": 20})
    layer = build_front_end(options)
    for waveform in clips(clips_dir):
        decibel = librosa.power_to_db(reference_mel(waveform, options), ref=1.0, amin=POWER_FLOOR, top_db=None)
        expected = librosa.feature.mfcc(S=decibel, n_mfcc=20)
        ours, _ = layer(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
        np.testing.assert_allclose(ours[0].numpy(), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("n_fft", "n_mels"), [(512, 40), (512, 128), (2048, 40), (2048, 128)])
def test_filters_are_librosas(n_fft: int, n_mels: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # librosa warns of empty filters at 128 bands of 512 points
        expected = librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=n_mels, fmin=20.0, fmax=7600.0)
    np.testing.assert_allclose(mel_filterbank(16000, n_fft, n_mels, 20.0, 7600.0), expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("method", ["convolution", "operator"])
def test_every_form_of_the_dft_gives_the_same_power(method: str) -> None:
    waveform = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0)) * 0.1
    expected = Spectrogram(512, 400, 160)(waveform)
    torch.testing.assert_close(Spectrogram(512, 400, 160, method=method)(waveform), expected, rtol=1e-3, atol=1e-5)


def test_an_utterance_has_the_same_features_alone_and_padded(clips_dir: Path) -> None:
    waveform = torch.from_numpy(clips(clips_dir)[0])
    layer = build_front_end(FeatureOptions())
    alone, _ = layer(waveform[None], torch.tensor([len(waveform)]))
    batch = torch.full((2, len(waveform) + 9000), 0.3)
    batch[0, : len(waveform)] = waveform
    padded, counts = layer(batch, torch.tensor([len(waveform), len(waveform) + 9000]))
    torch.testing.assert_close(padded[0, :, : alone.shape[2]], alone[0], rtol=0, atol=1e-4)
    assert padded[0, :, int(counts[0]) :].abs().max() == 0


def test_a_fixed_front_end_cuts_and_pads_and_shows_the_padding() -> None:
    options = FeatureOptions(n_fft=2048, win_length=2048, hop_length=375, n_mels=128, f_min=0.0, fixed_frames=256)
    layer = build_front_end(options)
    waveform = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(1)) * 0.1
    features, counts = layer(waveform, torch.tensor([16_000, 200_000]))
    assert features.shape == (2, 128, 256)
    assert counts.tolist() == [256, 256]
    assert torch.allclose(features[0, :, -1], torch.tensor(-100.0))
    assert features[1, :, -1].min() > -100


def test_silence_is_the_floor_and_finite() -> None:
    features, _ = build_front_end(FeatureOptions())(torch.zeros(1, 16_000), torch.tensor([16_000]))
    assert torch.allclose(features, torch.tensor(-100.0))


def test_a_short_range_is_cut_off_below_the_loudest_value_of_each_utterance() -> None:
    tone = 0.1 * torch.sin(torch.arange(16_000) * 0.3)
    batch = torch.zeros(2, 24_000)
    batch[0, 4_000:16_000] = tone[:12_000]
    batch[1, :20_000] = 0.01 * torch.cat([tone, tone[:4_000]])
    lengths = torch.tensor([16_000, 20_000])
    whole, counts = build_front_end(FeatureOptions())(batch, lengths)
    short, _ = build_front_end(FeatureOptions(dynamic_range_db=40))(batch, lengths)
    for all_values, values, count in zip(whole, short, counts, strict=True):
        valid = all_values[:, :count]
        torch.testing.assert_close(values[:, :count], torch.maximum(valid, valid.max() - 40))
        assert not values[:, count:].any()
    assert "dynamic_range_db" not in FeatureOptions().model_dump()  # the keys of runs without it stay
    assert FeatureOptions(dynamic_range_db=60).model_dump()["dynamic_range_db"] == 60


@pytest.mark.parametrize(
    "setting", [{"win_length": 1024}, {"f_max": 9000.0}, {"f_min": 9000.0}, {"kind": "mfcc", "n_mfcc": 99}, {"hop": 3}]
)
def test_impossible_settings_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        FeatureOptions.model_validate(setting)
