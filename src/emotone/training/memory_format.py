"""How a network's feature maps lie in memory: channels last where that is fast and safe."""

from __future__ import annotations

import torch
from torch import nn

SAFE_CHANNELS = 16
"""oneDNN's widest block of channels: 8 with AVX2, 16 with AVX-512."""


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
