"""Lee & Tashev (2015): frame features, statistics, the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emotone.features.front_end import FeatureOptions
from emotone.features.prosody import deltas, measure_prosody, track_pitch
from emotone.models.earlier.lee2015 import FrameFeatures, LeeNetwork, LeeOptions, utterance_statistics
from emotone.training.losses import focal_loss

FEATURES = FeatureOptions(kind="mfcc", n_mfcc=13, n_mels=26, f_min=0.0)


def voice(hz, seconds=0.6, rate=16_000):
    time = torch.arange(int(seconds * rate)) / rate
    return sum(torch.sin(2 * torch.pi * hz * order * time) / order for order in range(1, 12))[None] * 0.2


@pytest.mark.parametrize("hz", [80.0, 123.0, 200.0, 350.0])
def test_the_pitch_of_a_harmonic_tone_is_found(hz):
    f0, voicing = track_pitch(voice(hz), sample_rate=16_000, hop_length=160)
    assert np.allclose(f0[0, 10:50].numpy(), hz, rtol=0.02)
    assert float(voicing[0, 10:50].min()) > 0.9


def test_noise_and_silence_are_not_voiced():
    noise = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    assert float(track_pitch(noise, sample_rate=16_000, hop_length=160)[1].median()) < 0.45
    assert float(track_pitch(torch.zeros(1, 16_000), sample_rate=16_000, hop_length=160)[1].max()) == 0.0


def test_zero_crossings_and_energy_are_those_of_the_definition():
    waveform = voice(200.0)
    found = measure_prosody(waveform, sample_rate=16_000, win_length=400, hop_length=160)
    frame = waveform[0, 20 * 160 - 200 : 20 * 160 + 200].numpy()
    signs = frame >= 0
    assert float(found.zero_crossings[0, 20]) == pytest.approx(np.mean(signs[1:] != signs[:-1]))
    assert float(found.log_energy[0, 20]) == pytest.approx(np.log(np.mean(frame**2)), abs=1e-5)
    assert found.f0.shape == found.voicing.shape == found.zero_crossings.shape == found.log_energy.shape == (1, 61)


def test_derivatives_of_a_ramp_are_its_slope_and_stop_at_the_end():
    ramp = torch.arange(6.0)[None, None].repeat(2, 1, 1)
    slopes = deltas(ramp, torch.tensor([6, 3]))
    assert slopes[0, 0].tolist() == [0.5, 1, 1, 1, 1, 0.5]
    assert slopes[1, 0, :3].tolist() == [0.5, 1, 0.5]


def test_there_are_32_frame_features_and_an_utterance_has_the_same_ones_in_a_batch():
    front_end = FrameFeatures(FEATURES)
    long, short = voice(150.0), voice(220.0, 0.3)
    padded = torch.nn.functional.pad(short, (0, long.shape[1] - short.shape[1]))
    together, counts = front_end(torch.cat([long, padded]), torch.tensor([long.shape[1], short.shape[1]]))
    alone, own = front_end(short, torch.tensor([short.shape[1]]))
    assert together.shape == (2, 32, 61)
    assert counts[1] == own[0] == 31
    assert torch.allclose(together[1, :, :31], alone[0], atol=1e-4)
    assert not together[1, :, 31:].any()


def test_statistics_leave_the_padding_out():
    probabilities = torch.tensor([[[0.1, 0.9], [0.3, 0.7], [9.0, -9.0]]])
    found = utterance_statistics(probabilities, torch.tensor([2]), 0.2)
    assert torch.allclose(found, torch.tensor([[0.3, 0.9, 0.1, 0.7, 0.2, 0.8, 0.5, 1.0]]))


def small_network(**settings):
    torch.manual_seed(0)
    return LeeNetwork(LeeOptions(cells=4, n_hidden=20, **settings), n_bands=6, n_classes=3)


def batch(counts=(12, 7, 1), seed=0):
    counts = torch.tensor(counts)
    features = torch.randn(len(counts), 6, int(counts.max()), generator=torch.Generator().manual_seed(seed))
    return features * (torch.arange(features.shape[2]) < counts[:, None])[:, None], counts


@pytest.mark.parametrize("settings", [{}, {"decision": "mean"}, {"frame_labels": "utterance"}, {"kernel": "rbf"}])
def test_an_utterance_scores_alone_as_in_a_batch(settings):
    network = small_network(**settings).eval()
    features, counts = batch()
    network.complete([(features, counts, torch.tensor([0, 1, 2]))])
    with torch.no_grad():
        together, embedding = network(features, counts)
        alone = [network(features[i : i + 1, :, : counts[i]], counts[i : i + 1])[0] for i in range(3)]
    assert together.shape == (3, 3)
    assert embedding.shape == (3, network.embedding_size)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_the_extreme_learning_machine_decides_once_it_is_fitted():
    network = small_network().eval()
    before, _ = network(*batch())
    network.complete([(*batch(), torch.tensor([0, 1, 2]))])
    after, _ = network(*batch())
    assert not torch.allclose(before, after)
    assert bool(network.machine.fitted)


@pytest.mark.parametrize("frame_labels", ["learnt", "utterance"])
def test_training_tells_two_kinds_of_voice_apart_though_half_the_frames_say_nothing(frame_labels):
    network = small_network(frame_labels=frame_labels, decision="mean")
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(24) % 2
    features = 0.3 * torch.randn(24, 6, 20, generator=generator)
    features[:, 0, 10:] += (4.0 * classes - 2.0)[:, None]
    counts, targets = torch.full((24,), 20), torch.nn.functional.one_hot(classes, 3).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    network.train()
    for _ in range(40):
        loss = network.training_loss(network(features, counts), targets, lambda a, b: focal_loss(a, b, gamma=0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(features, counts)[0].argmax(1), classes)
