"""Focal loss: what the paper prints, and what goes wrong in other implementations."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from emotone.training.losses import balanced_class_weights, effective_class_weights, focal_loss, soft_targets


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 5, generator=generator) * 3, torch.randint(0, 5, (64,), generator=generator)


def test_gamma_zero_is_cross_entropy(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = batch
    torch.testing.assert_close(
        focal_loss(logits, targets, gamma=0.0), cross_entropy(logits, targets), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gamma_zero_with_weights_is_weighted_cross_entropy(
    batch: tuple[torch.Tensor, torch.Tensor], smoothing: float
) -> None:
    logits, targets = batch
    weights = torch.tensor([0.5, 1.0, 2.0, 0.1, 3.0])
    ours = focal_loss(logits, targets, gamma=0.0, class_weights=weights, label_smoothing=smoothing)
    theirs = cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_it_is_the_papers_formula(batch: tuple[torch.Tensor, torch.Tensor], gamma: float) -> None:
    logits, targets = batch
    p = torch.softmax(logits.double(), 1).gather(1, targets[:, None])[:, 0]
    expected = (-((1 - p) ** gamma) * torch.log(p)).mean()
    torch.testing.assert_close(focal_loss(logits.double(), targets, gamma=gamma), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("soft", [False, True])
def test_gradients_are_those_of_finite_differences(gamma: float, soft: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    given = torch.softmax(torch.randn(6, 4, generator=generator, dtype=torch.float64), 1) if soft else targets
    weights = torch.tensor([1.0, 2.0, 0.5, 1.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: focal_loss(x, given, gamma=gamma, class_weights=weights, label_smoothing=0.05), (logits,)
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_loss_and_gradient_are_finite_at_huge_logits(gamma: float, size: float) -> None:
    logits = torch.tensor([[size, 0.0, 0.0], [0.0, size, 0.0]], requires_grad=True)
    for targets in (torch.tensor([0, 1]), torch.tensor([2, 2]), torch.full((2, 3), 1 / 3)):
        logits.grad = None
        value = focal_loss(logits, targets, gamma=gamma)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()


def test_soft_targets_of_one_class_are_hard_targets(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, targets = batch
    hard, soft = focal_loss(logits, targets), focal_loss(logits, one_hot(targets, 5).float())
    torch.testing.assert_close(hard, soft)


def test_a_larger_gamma_cares_less_for_what_is_easy() -> None:
    easy, hard = torch.tensor([[4.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    target = torch.tensor([0])
    shares = [float(focal_loss(easy, target, gamma=g) / focal_loss(hard, target, gamma=g)) for g in (0.0, 1.0, 2.0)]
    assert shares == sorted(shares, reverse=True)


def test_the_mean_is_over_utterances_not_over_classes() -> None:
    logits, targets = torch.zeros(8, 4), torch.zeros(8, dtype=torch.int64)
    assert float(focal_loss(logits, targets, gamma=0.0)) == pytest.approx(torch.log(torch.tensor(4.0)).item())


def test_balanced_weights_make_every_class_count_alike() -> None:
    counts = torch.tensor([10, 5, 1, 0])
    weights = balanced_class_weights(counts)
    assert torch.allclose((weights * counts)[:3], torch.tensor(4.0))
    assert weights[3] == 0


def test_effective_weights_lie_between_even_and_balanced_ones() -> None:
    counts = torch.tensor([900, 300, 50, 0])
    assert torch.allclose(effective_class_weights(counts, beta=0.0)[:3], torch.ones(3))
    limit, balanced = effective_class_weights(counts, beta=1 - 1e-9), balanced_class_weights(counts)
    assert torch.allclose(limit[:3] / limit[0], balanced[:3] / balanced[0], rtol=1e-3)
    weights = effective_class_weights(counts)
    assert 1 < weights[2] / weights[0] < balanced[2] / balanced[0]
    assert weights[3] == 0


def test_smoothed_targets_sum_to_one() -> None:
    assert torch.allclose(soft_targets(torch.tensor([0, 3]), 5, 0.2).sum(1), torch.ones(2))
