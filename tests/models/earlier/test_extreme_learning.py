"""The extreme learning machine."""

from __future__ import annotations

import pytest
import torch

from emotone.models.earlier.extreme_learning import ExtremeLearningMachine


def clouds(n=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % 3
    centres = torch.tensor([[0.0, 0.0], [0.0, 40.0], [40.0, 0.0]])
    return centres[targets] + torch.randn(n, 2, generator=generator), targets


@pytest.mark.parametrize("kernel", ["hidden", "rbf"])
def test_it_tells_apart_clouds_it_has_not_seen(kernel):
    torch.manual_seed(0)
    machine = ExtremeLearningMachine(2, 3, kernel=kernel)
    machine.fit(*clouds())
    inputs, targets = clouds(seed=1)
    assert torch.equal(machine(inputs).argmax(1), targets)


def test_its_coefficients_solve_the_ridge_regression():
    torch.manual_seed(0)
    inputs, targets = clouds()
    machine = ExtremeLearningMachine(2, 3, n_hidden=7, ridge=0.5)
    machine.fit(inputs, targets)
    layer = machine._layer(inputs).double()
    wanted = 2.0 * torch.nn.functional.one_hot(targets, 3).double() - 1
    gradient = layer.T @ (layer @ machine.coefficients.double() - wanted) + 0.5 * machine.coefficients.double()
    assert float(gradient.abs().max()) < 1e-3


@pytest.mark.parametrize("kernel", ["hidden", "rbf"])
def test_a_fitted_machine_can_be_stored_and_read(kernel):
    torch.manual_seed(0)
    machine = ExtremeLearningMachine(2, 3, kernel=kernel)
    machine.fit(*clouds())
    other = ExtremeLearningMachine(2, 3, kernel=kernel)
    other.load_state_dict(machine.state_dict())
    inputs, _ = clouds(seed=2)
    assert bool(other.fitted)
    assert torch.equal(machine(inputs), other(inputs))
