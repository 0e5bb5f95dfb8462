"""The pooled convolution against PyTorch's own two layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from emotone.models.earlier import largest_answers
from emotone.models.earlier.largest_answers import LargestAnswers, _largest_by_pooling, _largest_by_reduction


def both(monkeypatch, *, in_bfloat16):
    monkeypatch.setattr(largest_answers, "has_bfloat16_units", lambda: in_bfloat16)
    torch.manual_seed(0)
    own = LargestAnswers(5, (12, 16))
    plain = nn.Sequential(nn.Conv2d(1, 5, (12, 16), bias=False), nn.MaxPool2d(((64 - 11) // 2, (97 - 15) // 2)))
    plain[0].load_state_dict(own.state_dict())
    return own, plain, torch.randn(3, 1, 64, 97)


def test_answers_and_gradients_are_those_of_convolution_and_pooling(monkeypatch):
    own, plain, maps = both(monkeypatch, in_bfloat16=False)
    answers, expected = own(maps), plain(maps)
    assert torch.allclose(answers, expected, atol=1e-5)
    answers.square().sum().backward()
    expected.square().sum().backward()
    assert torch.allclose(own.weight.grad, plain[0].weight.grad, atol=1e-3)


def test_places_found_in_bfloat16_have_answers_near_the_largest(monkeypatch):
    own, plain, maps = both(monkeypatch, in_bfloat16=True)
    answers, largest = own(maps), plain(maps)
    assert (answers <= largest + 1e-5).all(), "an answer above the largest was not computed at its place"
    # bfloat16 keeps 8 bits: who is mistaken for the winner comes within 2 % of it.
    assert (answers >= largest - 0.02 * largest.abs().clamp(min=1.0)).all()
    assert torch.isclose(answers, largest, atol=1e-5).float().mean() > 0.9


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_around_it_changes_nothing(monkeypatch, dtype):
    own, _, maps = both(monkeypatch, in_bfloat16=False)
    with torch.autocast("cpu", dtype=dtype):
        mixed = own(maps)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, own(maps))


@pytest.mark.parametrize("n_sounding", [0, 5, 40, 60, 97])
def test_padding_that_is_not_computed_changes_neither_answers_nor_gradients(monkeypatch, n_sounding):
    own, plain, maps = both(monkeypatch, in_bfloat16=False)
    maps[..., n_sounding:] = 0
    answers, expected = own(maps), plain(maps)
    assert torch.allclose(answers, expected, atol=1e-5)
    answers.square().sum().backward()
    expected.square().sum().backward()
    assert torch.allclose(own.weight.grad, plain[0].weight.grad, atol=1e-3)


@pytest.mark.parametrize("size", [(53, 82), (52, 81), (4, 7)])
def test_both_ways_of_finding_the_largest_agree(size):
    answers = torch.randn(3, 5, *size)
    quarter = (size[0] // 2, size[1] // 2)
    assert torch.equal(_largest_by_reduction(answers, quarter), _largest_by_pooling(answers, quarter))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_answers_on_a_gpu_are_those_of_the_cpu():
    torch.manual_seed(0)
    own, maps = LargestAnswers(5, (12, 16)), torch.randn(3, 1, 64, 97)
    expected = own(maps)
    answers = own.cuda()(maps.cuda()).cpu()
    assert (answers >= expected - 0.02 * expected.abs().clamp(min=1.0)).all()
    assert torch.isclose(answers, expected, atol=1e-4).float().mean() > 0.9
