"""The optimiser of a recipe, and what of it a checkpoint must remember."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from emotone.training.checkpoint import Parts
from emotone.training.options import TrainingOptions

_OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adadelta": torch.optim.Adadelta,
}

SHARE = "share_of_rate"
"""Key of a group of parameters: its learning rate as a share of the schedule's."""


def build_optimiser(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay is on weights of more than one dimension alone.

    Args:
        network: its parameters below `front_end` learn at the rate of the encoder.
        options: the recipe's.
    """
    named = list(network.named_parameters())
    groups = []
    for share, members in (
        (1.0, [one for name, one in named if not name.startswith("front_end.")]),
        (options.encoder_rate, [one for name, one in named if name.startswith("front_end.")]),
    ):
        for decay, chosen in (
            (options.weight_decay, [one for one in members if one.ndim > 1]),
            (0.0, [one for one in members if one.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, SHARE: share})
    return _OPTIMISERS[options.optimiser](groups, lr=options.learning_rate)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let every group of parameters learn at its share of a rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group[SHARE]


def optimiser_parts(network: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[Parts, int]:
    """The optimiser's two moments by parameter name, and its step count."""
    names = _moment_names(optimiser)
    first: dict[str, Tensor] = {}
    second: dict[str, Tensor] = {}
    step = 0
    for name, parameter in network.named_parameters():
        moments = optimiser.state.get(parameter)
        if moments:
            first[name], second[name] = (moments[moment] for moment in names)
            step = int(moments["step"])
    return {"first_moment": first, "second_moment": second}, step


def restore_optimiser(network: nn.Module, optimiser: torch.optim.Optimizer, parts: Parts, step: int) -> None:
    """Put the moments back, each in the memory layout and on the device of its parameter."""
    names = _moment_names(optimiser)
    first, second = parts.get("first_moment", {}), parts.get("second_moment", {})
    for name, parameter in network.named_parameters():
        if name in first:
            optimiser.state[parameter] = {
                "step": torch.tensor(float(step)),
                names[0]: torch.empty_like(parameter).copy_(first[name]),
                names[1]: torch.empty_like(parameter).copy_(second[name]),
            }


def _moment_names(optimiser: torch.optim.Optimizer) -> tuple[str, str]:
    """Adadelta's or AdamW's."""
    return ("square_avg", "acc_delta") if isinstance(optimiser, torch.optim.Adadelta) else ("exp_avg", "exp_avg_sq")
