"""The convolution by Fourier transform against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from emotone.models.earlier import fourier_convolution
from emotone.models.earlier.fourier_convolution import FourierConvolution


def both(channels, kernel, padding):
    torch.manual_seed(0)
    own = FourierConvolution(*channels, kernel, padding=padding)
    plain = nn.Conv2d(*channels, kernel, padding=padding)
    plain.load_state_dict(own.state_dict())
    return own, plain


def close(one, other):
    return (one - other).abs().max() <= 1e-5 * other.abs().max()


@pytest.mark.parametrize("block", [1, 1 << 22])
@pytest.mark.parametrize(
    ("channels", "kernel", "padding", "size"),
    [
        pytest.param((3, 5), (8, 12), (4, 6), (50, 75), id="as in satt2017"),
        pytest.param((1, 2), (3, 4), (0, 0), (3, 4), id="kernel as large as its map"),
        pytest.param((4, 1), (5, 2), (1, 3), (17, 31), id="odd and even"),
        pytest.param((2, 2), (1, 1), (2, 0), (6, 7), id="one value"),
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_answers_and_gradients_are_the_plain_layers(monkeypatch, channels, kernel, padding, size, layout, block):
    monkeypatch.setattr(fourier_convolution, "_BLOCK", block)
    own, plain = both(channels, kernel, padding)
    maps = torch.randn(5, channels[0], *size).to(memory_format=layout).requires_grad_()
    answers = own.to(memory_format=layout)(maps)
    given = torch.randn_like(answers)
    gradients = torch.autograd.grad(answers, [maps, *own.parameters()], given)
    expected = plain(maps)
    assert answers.shape == expected.shape
    assert close(answers, expected)
    for got, wanted in zip(gradients, torch.autograd.grad(expected, [maps, *plain.parameters()], given), strict=True):
        assert got.shape == wanted.shape
        assert close(got, wanted)


def test_an_utterance_is_answered_alone_as_in_company():
    own, _ = both((2, 3), (8, 12), (4, 6))
    maps = torch.randn(7, 2, 40, 50)
    assert torch.allclose(own(maps)[4:5], own(maps[4:5]), atol=1e-5)


def test_maps_without_a_gradient_get_none():
    own, _ = both((1, 3), (8, 12), (4, 6))
    own(torch.randn(2, 1, 20, 30)).sum().backward()
    assert own.weight.grad is not None


def test_in_mixed_precision_it_is_the_plain_layer():
    own, plain = both((2, 3), (8, 12), (4, 6))
    maps = torch.randn(2, 2, 20, 30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(own(maps), plain(maps))
    assert torch.equal(own.double()(maps.double()), plain.double()(maps.double()))
