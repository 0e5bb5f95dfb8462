"""Checkpoints: everything a run needs to go on as if nothing had happened, in one file that is written whole.

Conventions: one safetensors file; its tensors are named `part.name` (model, average, best, first_moment,
second_moment), its metadata holds one JSON object. No pickle is written or read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
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
                f"the checkpoint {path} cannot be read ({error}); delete it to start again"
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
