"""The convolution over one map against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from emotone.models.earlier.first_convolution import FirstConvolution


def both(kernels, kernel, padding):
    torch.manual_seed(0)
    own = FirstConvolution(kernels, kernel, padding=padding)
    plain = nn.Conv2d(1, kernels, kernel, padding=padding)
    plain.load_state_dict(own.state_dict())
    return own, plain


@pytest.mark.parametrize(
    ("kernels", "kernel", "padding", "size"),
    [
        pytest.param(16, (12, 16), (6, 8), (50, 75), id="as in satt2017"),
        pytest.param(2, (3, 4), (0, 0), (3, 4), id="kernel as large as its map"),
        pytest.param(1, (5, 2), (1, 3), (17, 31), id="odd and even"),
        pytest.param(3, (1, 1), (2, 0), (6, 7), id="one value"),
    ],
)
def test_answers_and_gradients_are_the_plain_layers(kernels, kernel, padding, size):
    own, plain = both(kernels, kernel, padding)
    maps = torch.randn(5, 1, *size).requires_grad_()
    answers, expected = own(maps), plain(maps)
    given = torch.randn_like(expected)
    gradients = torch.autograd.grad(answers, [maps, *own.parameters()], given)
    wanted = torch.autograd.grad(expected, [maps, *plain.parameters()], given)
    for one, other in zip([answers, *gradients], [expected, *wanted], strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.detach().abs().max()))


def test_in_mixed_precision_it_is_the_plain_layer():
    own, plain = both(3, (8, 12), (4, 6))
    maps = torch.randn(2, 1, 20, 30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(own(maps), plain(maps))
