"""The convolution of a spectrogram by large kernels, as one over many maps, which is faster on a CPU.

Libraries for CPUs are made for convolutions over tens of maps; over the single map of a spectrogram they reach a third
of that speed. The same sum is a convolution over shifted copies of the map, one for each column of the kernel, by
kernels of a single column (EXPERIMENTS.md, 2026-11-28).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class FirstConvolution(nn.Conv2d):
    """`nn.Conv2d` of stride 1 over one map: its weights, and its answers and gradients to rounding.

    On a GPU and under autocast it is the plain layer.

    Shape:
        (batch, 1, n_rows, n_columns)
        -> (batch, out_channels, n_rows + 2 * padding - rows of the kernel + 1, and so the columns)
    """

    def __init__(self, out_channels: int, kernel_size: tuple[int, int], *, padding: tuple[int, int] = (0, 0)) -> None:
        super().__init__(1, out_channels, kernel_size, padding=padding)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # PyTorch's name for it
        """The maps of answers, channels last in memory."""
        device = input.device.type
        if device != "cpu" or torch.is_autocast_enabled(device):
            return super().forward(input)
        rows, columns = cast(tuple[int, int], self.padding)
        padded = nn.functional.pad(input[:, 0], (columns, columns, rows, rows))
        # (batch, n_rows, n_answers, columns of the kernel): what each answer needs of a row.
        needed = padded.unfold(2, self.kernel_size[1], 1).contiguous()
        return nn.functional.conv2d(needed.permute(0, 3, 1, 2), self.weight.permute(0, 3, 2, 1), self.bias)
