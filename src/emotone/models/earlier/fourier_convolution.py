"""A convolution of a large kernel, by Fourier transform where that is faster: on a CPU without matrix units.

Directly, an answer of a kernel of 8 x 12 over 16 maps takes 1,536 multiply-adds; by the convolution theorem it takes a
few dozen, whatever the kernel's size. The transforms are SciPy's: on the processor where both were measured, PyTorch's
own took twice as long (EXPERIMENTS.md).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_BLOCK = 1 << 22
"""Complex values worked on at once; a larger block's memory goes back to the system each time, and time with it."""

Maps = NDArray[np.float32]
Spectra = NDArray[np.complex64]


class FourierConvolution(nn.Conv2d):
    """`nn.Conv2d` of stride 1: its weights, and its answers and gradients to rounding.

    On a GPU, under autocast and in other precisions than float32 it is the plain layer. It gains where a kernel has
    tens of values over tens of maps; with a single map the direct way is as fast.

    Shape:
        (batch, in_channels, n_rows, n_columns)
        -> (batch, out_channels, n_rows + 2 * padding - rows of the kernel + 1, and so the columns)
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: tuple[int, int], *, padding: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=padding)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # PyTorch's name for it
        """The maps of answers."""
        device = input.device.type
        if device != "cpu" or input.dtype != torch.float32 or torch.is_autocast_enabled(device):
            return super().forward(input)
        rows, columns = cast(tuple[int, int], self.padding)
        padded = nn.functional.pad(input, (columns, columns, rows, rows))
        answers = cast(Tensor, _Correlation.apply(padded, self.weight))  # type: ignore[no-untyped-call]  # as its stubs have it
        return answers if self.bias is None else answers + self.bias[:, None, None]


class _Correlation(torch.autograd.Function):
    """Maps (batch, i, n_rows, n_columns) with kernels (o, i, rows, columns), where the kernel lies wholly inside."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernels: Tensor) -> Tensor:
        size, per_block = _plan(maps, kernels)
        height, width = (maps.shape[axis] - kernels.shape[axis] + 1 for axis in (2, 3))
        answers = maps.new_empty(len(maps), height, width, len(kernels))
        own, listening = _channels_last(maps), np.conj(_spectra(_channels_last(kernels), size)).transpose(3, 1, 2, 0)
        for start in range(0, len(own), per_block):
            block = slice(start, start + per_block)
            spectra = _products(_spectra(own[block], size), listening)
            answers.numpy()[block] = _maps(spectra, size, height, width)
        ctx.save_for_backward(maps, kernels)
        return answers.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        maps, kernels = ctx.saved_tensors
        size, per_block = _plan(maps, kernels)
        own, given = _channels_last(maps), _channels_last(gradient)
        speaking = _spectra(_channels_last(kernels), size)
        of_maps = np.empty_like(own) if ctx.needs_input_grad[0] else None
        of_kernels = torch.zeros(())
        for start in range(0, len(own), per_block):
            block = slice(start, start + per_block)
            spectra = _spectra(given[block], size)
            if of_maps is not None:
                of_maps[block] = _maps(_products(spectra, speaking), size, *own.shape[1:3])
            inputs = torch.from_numpy(_spectra(own[block], size)).permute(1, 2, 0, 3)
            conjugate = torch.from_numpy(np.conj(spectra)).permute(1, 2, 3, 0)
            of_kernels = of_kernels + torch.matmul(conjugate, inputs)
        summed = _maps(of_kernels.permute(2, 0, 1, 3).numpy(), size, *kernels.shape[2:])
        return None if of_maps is None else _channels_first(of_maps), _channels_first(summed)


def _plan(maps: Tensor, kernels: Tensor) -> tuple[tuple[int, int], int]:
    """Rows and columns of the transform, and how many utterances fit a block."""
    rows, columns = (scipy.fft.next_fast_len(int(length), real=True) for length in maps.shape[2:])
    values = rows * (columns // 2 + 1) * max(kernels.shape[:2])
    return (rows, columns), max(1, _BLOCK // values)


def _channels_last(tensor: Tensor) -> Maps:
    return np.ascontiguousarray(tensor.detach().permute(0, 2, 3, 1).numpy())


def _channels_first(maps: Maps) -> Tensor:
    return torch.from_numpy(maps).permute(0, 3, 1, 2)


def _spectra(maps: Maps, size: tuple[int, int]) -> Spectra:
    """(n, n_rows, n_columns, channels), filled up with zeros -> (n, rows, columns // 2 + 1, channels)."""
    # Columns first: rows that hold nothing but the filling are not transformed.
    halves = scipy.fft.rfft(maps, size[1], axis=2)
    return cast(Spectra, scipy.fft.fft(halves, size[0], axis=1, overwrite_x=True))


def _maps(spectra: Spectra, size: tuple[int, int], n_rows: int, n_columns: int) -> Maps:
    """The first rows and columns of the maps with these spectra; the spectra are overwritten."""
    halves = scipy.fft.ifft(spectra, axis=1, overwrite_x=True)[:, :n_rows]
    return cast(Maps, scipy.fft.irfft(halves, size[1], axis=2)[:, :, :n_columns])


def _products(spectra: Spectra, kernels: Spectra) -> Spectra:
    """Summed over channels, frequency by frequency: (n, f, g, i) with (i, f, g, o) -> (n, f, g, o)."""
    left = torch.from_numpy(spectra).permute(1, 2, 0, 3)
    right = torch.from_numpy(kernels).permute(1, 2, 0, 3)
    return cast(Spectra, torch.matmul(left, right).permute(2, 0, 1, 3).numpy())
