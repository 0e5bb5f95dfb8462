"""The weights that a run keeps: checkpoints, their moving average, and those of the best epoch.

A checkpoint holds everything that a run needs to resume with the same result, in one file that is written whole.

Conventions: one safetensors file; its tensors are named `part.name` (model, average, best, first_moment,
second_moment), its metadata holds one JSON object. No pickle is written or read.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from emotone.errors import CheckpointError
from emotone.files import written_whole

Parts = dict[str, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by part and name, and what else must be remembered.

    Attributes:
        parts: part -> name -> tensor.
        state: plain JSON values.
    """

    parts: Parts
    state: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write whole or not at all.

        Raises:
            OutputError: it could not be written.
        """
        tensors = {
            f"{part}.{name}": tensor.detach().cpu().contiguous()
            for part, named in self.parts.items()
            for name, tensor in named.items()
        }
        with written_whole(path) as beside:
            safetensors.torch.save_file(tensors, beside, metadata={"emotone": json.dumps(self.state)})

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: the file is damaged or not one of ours.
        """
        try:
            with safetensors.safe_open(str(path), framework="pt") as opened:
                metadata = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
            state = json.loads(metadata["emotone"])
        except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
            raise CheckpointError(
                f"the checkpoint {path} cannot be read ({error}); name another output folder to start again"
            ) from error
        parts: Parts = {}
        for full, tensor in tensors.items():
            part, _, name = full.partition(".")
            parts.setdefault(part, {})[name] = tensor
        return cls(parts, state)


def write_weights(path: Path, network: nn.Module, about: dict[str, Any]) -> None:
    """Write a network's weights and what they are, whole or not at all.

    Args:
        path: of the safetensors file.
        network: whose weights.
        about: plain JSON values: recipe, labels, temperature.
    Raises:
        OutputError: it could not be written.
    """
    Checkpoint({"model": snapshot(network)}, about).write(path)


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and statistics."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


class WeightAverage:
    """An exponential moving average of a network's weights.

    Attributes:
        weights: by name; statistics that are whole numbers are the network's own.
    """

    def __init__(self, network: nn.Module, decay: float, weights: dict[str, Tensor] | None = None) -> None:
        self.network, self.decay = network, decay
        self.weights = snapshot(network) if weights is None else weights

    def update(self, step: int) -> None:
        """Include the weights after that step, counted from 1."""
        # Early averages would remember the random start; the decay grows until it reaches the recipe's.
        decay = min(self.decay, (1 + step) / (10 + step))
        own = self.network.state_dict()
        floating = [name for name, tensor in self.weights.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.weights[n] for n in floating], [own[n] for n in floating], 1 - decay)
        for name, tensor in self.weights.items():
            if not tensor.is_floating_point():
                tensor.copy_(own[name])


@dataclass(slots=True)
class BestEpoch:
    """The epoch with the best validation score so far, and its weights.

    Attributes:
        uar: on the validation part; -1 before the first epoch.
        loss: cross-entropy there.
        epoch: counted from 1; 0 before the first.
        weights: by name.
    """

    uar: float = -1.0
    loss: float = math.inf
    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, uar: float, loss: float, network: nn.Module) -> None:
        """Keep this epoch's weights if it is better than the best."""
        # Equal UARs are common on few speakers; the lower loss decides between them.
        if (uar, -loss) > (self.uar, -self.loss):
            self.uar, self.loss, self.epoch, self.weights = uar, loss, epoch, snapshot(network)
