"""Satt et al. (2017): segments, decisions, the spectrogram."""

from __future__ import annotations

import pytest
import torch

from emotone.features.front_end import FeatureOptions
from emotone.features.linear_spectrogram import LinearSpectrogram
from emotone.models.earlier.satt2017 import SattNetwork, SattOptions, cut_segments, mean_over_segments
from emotone.training.losses import focal_loss

SMALL = {"n_bins": 32, "segment_frames": 40, "blstm": 4, "dense": 5}


def small_network(**settings):
    torch.manual_seed(0)
    return SattNetwork(SattOptions(**SMALL, **settings), n_bands=32, n_classes=3)


def batch(counts, n_bands=32, seed=0):
    counts = torch.tensor(counts)
    features = torch.randn(len(counts), n_bands, int(counts.max()), generator=torch.Generator().manual_seed(seed))
    return features * (torch.arange(features.shape[2]) < counts[:, None])[:, None], counts


def test_segments_are_equal_whole_and_never_longer_than_the_limit():
    features, counts = batch([95, 40, 3])
    segments, frames, owner = cut_segments(features, counts, 40)
    assert owner.tolist() == [0, 0, 0, 1, 2]
    assert frames.tolist() == [31, 32, 32, 40, 3]
    for utterance in range(3):
        own = [segments[i, :, : frames[i]] for i in range(5) if owner[i] == utterance]
        assert torch.equal(torch.cat(own, 1), features[utterance, :, : counts[utterance]])
    assert not segments[4, :, 3:].any()


def test_the_mean_over_segments_counts_each_segment_once():
    values, owner = torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1])
    assert mean_over_segments(values, owner, 2).tolist() == [[2.0], [5.0]]


@pytest.mark.parametrize("layers", ["convolution", "convolution_blstm"])
@pytest.mark.parametrize("decision", ["one_step", "two_step"])
def test_an_utterance_scores_alone_as_in_a_batch(layers, decision):
    network = small_network(layers=layers, decision=decision).eval()
    features, counts = batch([95, 40, 3, 17])
    with torch.no_grad():
        together, embedding = network(features, counts)
        alone = [network(features[i : i + 1, :, : counts[i]], counts[i : i + 1])[0] for i in range(4)]
    assert together.shape == (4, 3)
    assert embedding.shape == (4, network.embedding_size)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_logits_are_the_logarithm_of_the_mean_probabilities():
    network = small_network().eval()
    logits, _ = network(*batch([95, 20]))
    assert torch.allclose(logits.exp().sum(1), torch.ones(2), atol=1e-5)


def test_only_what_the_first_step_calls_neutral_is_judged_again():
    network = small_network(decision="two_step")
    first = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    second = torch.tensor([[0.0, 0.0, 7.0], [0.0, 0.0, 7.0]])
    decided = network._decide(first, second, torch.tensor([0, 1]), 2)
    assert decided.argmax(1).tolist() == [2, 1]


@pytest.mark.parametrize("decision", ["one_step", "two_step"])
def test_every_weight_learns(decision):
    network = small_network(decision=decision).train()
    network.prepare(torch.tensor([6, 3, 0]), None, 0)
    assert network.class_weights.tolist() == [0.5, 1.0, 0.0]
    targets = torch.nn.functional.one_hot(torch.tensor([0, 1, 0]), 3).float()
    loss = network.training_loss(network(*batch([95, 40, 20])), targets, lambda a, b: focal_loss(a, b, gamma=0.0))
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def tone(hz, seconds=0.5, rate=16_000):
    time = torch.arange(int(seconds * rate)) / rate
    return sum(torch.sin(2 * torch.pi * hz * order * time) / order for order in range(1, 15))[None] * 0.2


def spectrogram(**settings):
    values = {"bin_hz": 20.0, "n_bins": 200, "window_s": 0.04, "step_s": 0.01, "harmonic": False, **settings}
    return LinearSpectrogram(FeatureOptions(), **values)


def test_bins_stand_every_20_hz_from_0_to_4_khz():
    features, counts = spectrogram()(tone(500.0), torch.tensor([8000]))
    assert features.shape == (1, 200, 51)
    assert counts.tolist() == [51]
    assert int(features[0, :40, 25].argmax()) == 25


def test_harmonic_filtering_weakens_noise_between_the_harmonics_and_keeps_the_harmonics():
    generator = torch.Generator().manual_seed(0)
    waveform, lengths = tone(200.0) + 0.02 * torch.randn(1, 8000, generator=generator), torch.tensor([8000])
    plain, _ = spectrogram()(waveform, lengths)
    filtered, _ = spectrogram(harmonic=True)(waveform, lengths)
    lost = (plain - filtered)[0, :, 10:40].mean(1)
    assert float(lost[[10, 20, 30]].max()) < 1.0
    assert float(lost[[15, 25, 35]].min()) > 5.0


def test_neutral_must_be_one_of_the_classes():
    with pytest.raises(ValueError, match="neutral is class 3"):
        small_network(neutral=3)
