"""The device, precision and memory format of a training run."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import nn

from emotone.errors import TrainingError
from emotone.models.earlier.largest_answers import has_bfloat16_units
from emotone.training.options import TrainingOptions

SAFE_CHANNELS = 16
"""oneDNN's widest block of channels: 8 with AVX2, 16 with AVX-512."""


def make_accelerator(options: TrainingOptions, device: str | None = None) -> Accelerator:
    """Accelerate's view of device and precision; a CPU without matrix units for bfloat16 computes in float32.

    Args:
        options: for the precision.
        device: "cpu" keeps off the GPU, "cuda" insists on it; None takes what is there.
    Raises:
        TrainingError: a GPU was insisted on, and there is none.
    """
    if device == "cuda":
        require_cuda()
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    able = not on_cpu or (options.precision == "bf16" and has_bfloat16_units())
    return Accelerator(cpu=device == "cpu", mixed_precision=options.precision if able else "no")


def require_cuda() -> None:
    """Check that there is a GPU.

    Raises:
        TrainingError: PyTorch finds none.
    """
    if not torch.cuda.is_available():
        raise TrainingError("got --device cuda, but PyTorch finds no GPU; use --device cpu, or leave --device out")


def fastest_memory_format(network: nn.Module) -> torch.memory_format:
    """Channels last, unless the network has a strided 1 x 1 convolution of few channels.

    Convolutions on a CPU run 1.1 to 1.3 times as fast with channels last (docs/benchmarks.md). With fewer input
    channels than a block, though, oneDNN's gradient of a strided 1 x 1 convolution's weights writes past its workspace
    (uxlfoundation/oneDNN issue 6035): the process dies, or goes on with a damaged heap.
    """
    for module in network.modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.kernel_size == (1, 1)
            and max(module.stride) > 1
            and module.in_channels < SAFE_CHANNELS
        ):
            return torch.contiguous_format
    return torch.channels_last
