"""Channels last where it is safe; where it is not, gradients are right and nothing dies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from emotone.experiments.recipe import load_recipe, recipe_names
from emotone.models.recognition_network import RecognitionNetwork
from emotone.models.residual import ResidualNetwork, ResidualOptions, Stage
from emotone.training.device import fastest_memory_format


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "expected"),
    [
        (4, (1, 1), (2, 2), torch.contiguous_format),
        (15, (1, 1), (1, 2), torch.contiguous_format),
        (16, (1, 1), (2, 2), torch.channels_last),
        (4, (1, 1), (1, 1), torch.channels_last),
        (4, (3, 3), (2, 2), torch.channels_last),
    ],
)
def test_few_channels_under_a_strided_projection_stay_first(channels, kernel, stride, expected):
    assert fastest_memory_format(nn.Sequential(nn.Conv2d(channels, 32, kernel, stride))) is expected


def test_every_recipe_of_ours_is_wide_enough_for_channels_last():
    for name in recipe_names():
        recipe = load_recipe(name)
        if recipe.model.system == "residual":
            network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=4)
            assert fastest_memory_format(network) is torch.channels_last


def test_the_gradients_of_a_narrow_network_are_those_in_double_precision():
    options = ResidualOptions(
        stem_channels=4, stages=(Stage(channels=8), Stage(channels=12)), embedding=16, dropout=0.0
    )
    torch.manual_seed(0)
    network = ResidualNetwork(options, n_bands=24, n_classes=3)
    features, counts = torch.randn(8, 24, 57), torch.full((8,), 57)
    found = []
    # oneDNN has no double precision, so that the second is computed by PyTorch's own loops.
    for kind in (torch.float32, torch.float64):
        network.to(kind).to(memory_format=fastest_memory_format(network))
        network.zero_grad()
        logits, _ = network(features.to(kind), counts)
        logits.square().mean().backward()
        found.append([parameter.grad.double().clone() for parameter in network.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
