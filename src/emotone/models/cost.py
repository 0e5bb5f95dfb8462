"""What a network costs: its parameters, and the multiply-adds of classifying one utterance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from emotone.models.earlier.largest_answers import LargestAnswers
from emotone.models.frames import FramesNetwork
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
    device = next(network.parameters()).device
    n_samples = round(seconds * network.front_end.options.sample_rate)
    phonemes = torch.ones(1, n_phonemes, dtype=torch.long, device=device)
    waveform = torch.zeros(1, n_samples, device=device)
    return _measure(
        network,
        network.network,
        lambda: network(waveform, torch.tensor([n_samples], device=device), phonemes=phonemes),
    )


def measure_frames_cost(network: FramesNetwork, *, frames_per_second: float, seconds: float = 3.0) -> Cost:
    """Parameters and multiply-adds of a network on an encoder's frames; the encoder need not be there.

    Args:
        network: in any mode; it is left as it was.
        frames_per_second: that it is given.
        seconds: length of the utterance.
    """
    n_frames = round(seconds * frames_per_second)
    frames = torch.zeros(1, network.n_bands, n_frames)
    return _measure(network, network, lambda: network(frames, torch.tensor([n_frames])))


def _measure(whole: nn.Module, counted_part: nn.Module, run: Callable[[], object]) -> Cost:
    counted: list[int] = []
    handles = [module.register_forward_hook(_counting(counted)) for module in counted_part.modules()]
    training = whole.training
    try:
        whole.eval()
        with torch.no_grad():
            run()
    finally:
        whole.train(training)
        for handle in handles:
            handle.remove()
    return Cost(sum(parameter.numel() for parameter in whole.parameters()), sum(counted))


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
