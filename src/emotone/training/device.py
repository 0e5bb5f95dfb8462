"""On what a training runs and in which precision: Accelerate's view of it."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from emotone.errors import TrainingError
from emotone.models.largest_answers import has_bfloat16_units
from emotone.training.options import TrainingOptions


def make_accelerator(options: TrainingOptions, device: str | None = None) -> Accelerator:
    """Accelerate's view of device and precision; a CPU without matrix units for bfloat16 computes in float32.

    Args:
        options: for the precision.
        device: "cpu" keeps off the GPU, "cuda" insists on it; None takes what is there.
    Raises:
        TrainingError: a GPU was insisted on, and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("got device cuda, but PyTorch sees no GPU; leave --device out to use what is there")
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    able = not on_cpu or (options.precision == "bf16" and has_bfloat16_units())
    return Accelerator(cpu=device == "cpu", mixed_precision=options.precision if able else "no")
