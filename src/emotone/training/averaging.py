"""An exponential moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emotone.training.checkpoint import snapshot


class WeightAverage:
    """The average of the weights over the steps so far, beside the network that learns.

    Attributes:
        weights: by name; statistics that are whole numbers are the network's own.
    """

    def __init__(self, network: nn.Module, decay: float, weights: dict[str, Tensor] | None = None) -> None:
        self.network, self.decay = network, decay
        self.weights = snapshot(network) if weights is None else weights

    def update(self, step: int) -> None:
        """Take in the weights as they are after that step, counted from 1."""
        # Early averages would remember the random start; the decay grows until it reaches the recipe's.
        decay = min(self.decay, (1 + step) / (10 + step))
        own = self.network.state_dict()
        floating = [name for name, tensor in self.weights.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.weights[n] for n in floating], [own[n] for n in floating], 1 - decay)
        for name, tensor in self.weights.items():
            if not tensor.is_floating_point():
                tensor.copy_(own[name])
