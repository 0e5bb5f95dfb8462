"""Forward and backward over {none, emotion}, held against counting every sequence."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from emotone.models.earlier.label_sequence import LabelChain, label_posteriors

CHAIN = LabelChain(begin=0.3, stay_none=0.6, stay_emotion=0.8)


def enumerate_sequences(log_emission, n_frames, chain):
    """The log likelihood and P(emotion) of each frame, from all 2**n sequences but the one without any emotion."""
    after = {0: [chain.stay_none, 1 - chain.stay_none], 1: [1 - chain.stay_emotion, chain.stay_emotion]}
    total, shares = 0.0, [0.0] * n_frames
    for labels in itertools.product((0, 1), repeat=n_frames):
        if not any(labels):
            continue
        chance = chain.begin if labels[0] else 1 - chain.begin
        for one, following in itertools.pairwise(labels):
            chance *= after[one][following]
        for frame, label in enumerate(labels):
            chance *= math.exp(float(log_emission[frame, label]))
        total += chance
        for frame, label in enumerate(labels):
            shares[frame] += chance * label
    return math.log(total), [share / total for share in shares]


def emissions(batch, n_frames, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.log_softmax(torch.randn(batch, n_frames, 5, generator=generator, dtype=torch.float64), 2)[:, :, :2]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 7])
def test_posteriors_and_likelihood_equal_those_of_brute_force(n_frames):
    log_emission = emissions(3, n_frames, seed=n_frames)
    labels, likelihood = label_posteriors(log_emission, torch.full((3,), n_frames), CHAIN)
    for row in range(3):
        expected, shares = enumerate_sequences(log_emission[row], n_frames, CHAIN)
        assert float(likelihood[row]) == pytest.approx(expected, abs=1e-9)
        assert labels[row, :, 1].tolist() == pytest.approx(shares, abs=1e-9)
        assert labels[row].sum(1).tolist() == pytest.approx([1.0] * n_frames)


def test_an_utterance_gets_the_same_labels_padded_in_a_batch():
    log_emission = emissions(3, 9)
    counts = torch.tensor([9, 4, 1])
    together, likelihood = label_posteriors(log_emission, counts, CHAIN)
    for row, count in enumerate(counts.tolist()):
        alone, own = label_posteriors(log_emission[row : row + 1, :count], counts[row : row + 1], CHAIN)
        assert torch.allclose(together[row, :count], alone[0], atol=1e-12)
        assert torch.equal(together[row, count:], torch.zeros(9 - count, 2, dtype=torch.float64))
        assert float(likelihood[row]) == pytest.approx(float(own))


def test_the_maximisation_step_climbs_the_likelihood_of_all_sequences():
    log_emission = emissions(2, 6).requires_grad_()
    counts = torch.tensor([6, 4])
    label_posteriors(log_emission, counts, CHAIN)[1].sum().backward()
    labels, _ = label_posteriors(log_emission.detach(), counts, CHAIN)
    assert torch.allclose(log_emission.grad, labels, atol=1e-9)


def test_a_long_utterance_stays_finite():
    log_emission = torch.full((1, 3000, 2), -40.0)
    labels, likelihood = label_posteriors(log_emission, torch.tensor([3000]), LabelChain())
    assert torch.isfinite(labels).all()
    assert torch.isfinite(likelihood).all()


def test_one_frame_always_carries_the_emotion_even_where_none_fits_better_everywhere():
    log_emission = torch.tensor([[[0.0, -50.0], [0.0, -20.0], [0.0, -50.0]]], dtype=torch.float64)
    labels, _ = label_posteriors(log_emission, torch.tensor([3]), LabelChain())
    assert float(labels[0, 1, 1]) == pytest.approx(1.0, abs=1e-6)
    assert float(labels[0, :, 1].sum()) == pytest.approx(1.0, abs=1e-6)
