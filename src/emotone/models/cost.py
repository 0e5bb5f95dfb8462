"""What a network costs: its parameters, and the multiply-adds of judging one utterance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from emotone.models.largest_answers import LargestAnswers
from emotone.models.recognition_network import RecognitionNetwork


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: numbers learnt by gradient.
        multiply_adds: of convolutions, dense and recurrent layers for one utterance; the front end is left out.
    """

    parameters: int
    multiply_adds: int


def measure_cost(network: RecognitionNetwork, *, seconds: float = 3.0, n_phonemes: int = 40) -> Cost:
    """Parameters and multiply-adds of a network.

    Args:
        network: in any mode; it is left as it was.
        seconds: length of the utterance; a front end of fixed size costs the same for any.
        n_phonemes: of the utterance, for a network that needs them.
    """
    counted: list[int] = []
    handles = [module.register_forward_hook(_counting(counted)) for module in network.network.modules()]
    training, device = network.training, next(network.parameters()).device
    n_samples = round(seconds * network.front_end.options.sample_rate)
    phonemes = torch.ones(1, n_phonemes, dtype=torch.long, device=device)
    try:
        network.eval()
        with torch.no_grad():
            waveform = torch.zeros(1, n_samples, device=device)
            network(waveform, torch.tensor([n_samples], device=device), phonemes=phonemes)
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return Cost(sum(parameter.numel() for parameter in network.parameters()), sum(counted))


def _counting(counted: list[int]) -> Any:
    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, LargestAnswers):
            rows, columns = module.map_size(*inputs[0].shape[2:])
            counted.append(output.shape[0] * rows * columns * module.weight.numel())
        elif isinstance(module, nn.Conv1d | nn.Conv2d):
            # Each output value is one product with a whole kernel.
            counted.append(output.numel() * module.weight[0].numel())
        elif isinstance(module, nn.Linear):
            counted.append(output.numel() * module.in_features)
        elif isinstance(module, nn.LSTM):
            weights = sum(weight.numel() for name, weight in module.named_parameters() if name.startswith("weight"))
            counted.append(inputs[0].shape[0] * inputs[0].shape[1] * weights)

    return count
