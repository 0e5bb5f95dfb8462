"""Parameters and multiply-adds, held against sums by hand."""

from __future__ import annotations

import pytest

from emotone.experiments.recipe import load_recipe
from emotone.models.cost import measure_cost
from emotone.models.recognition_network import RecognitionNetwork


def cost_of(name, *settings, **options):
    recipe = load_recipe(name, settings)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=4)
    return network, measure_cost(network, **options)


def test_a_blstm_costs_its_weights_at_every_frame():
    network, cost = cost_of("lee2015", seconds=1.0)
    blstm = sum(w.numel() for n, w in network.network.blstm.named_parameters() if ".weight" in n)
    assert cost.multiply_adds == 101 * (blstm + 128 * 5)
    assert cost.parameters == sum(p.numel() for p in network.parameters())


def test_parallel_convolutions_cost_what_their_kernels_do():
    _, cost = cost_of("yenigalla2018-spectrogram", "model.kernels=1")
    one = sum(band * frame * (129 - band) * (257 - frame) for band, frame in ((12, 16), (18, 24), (24, 32), (30, 40)))
    assert cost.multiply_adds == one + 16 * 400 + 400 * 200 + 200 * 4


@pytest.mark.parametrize("name", ["satt2017-conv", "yenigalla2018-phonemes", "spectrogram"])
def test_counting_leaves_the_network_as_it_was(name):
    network, _ = cost_of(name)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
