"""A convolution that is max-pooled at once by half its map: found in low precision, computed and learnt in single.

Of a map of 99 x 217 answers the pooling keeps four, so all the others only need to be compared, and no gradient flows
through them. With matrix units for bfloat16 a training step of four such convolutions (12 x 16 to 30 x 40, 200 kernels
each) takes an eleventh of the time of the plain layers on a CPU (EXPERIMENTS.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_CHANNELS = 32
"""Matrix units take their input channels by so many; a kernel of fewer rows is filled up with zeros."""


class LargestAnswers(nn.Conv2d):
    """Convolution of one channel without padding or bias, and the largest answer in each quarter of its map.

    The places are found in bfloat16 where `finds_in_bfloat16`, else in float32; in bfloat16, answers closer to each
    other than it tells apart may be mistaken for one another. The answers themselves are float32, as are gradients.

    Shape:
        (batch, 1, n_rows, n_columns) -> (batch, kernels, 2, 2)
    """

    def __init__(self, kernels: int, kernel_size: tuple[int, int]) -> None:
        super().__init__(1, kernels, kernel_size, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """The largest answers, quarter by quarter."""
        with torch.autocast(maps.device.type, enabled=False):
            rows, columns = self._places(maps.float())
            return self._answers(maps.float(), rows, columns)

    def map_size(self, n_rows: int, n_columns: int) -> tuple[int, int]:
        """Rows and columns of the map that is pooled."""
        return n_rows - self.kernel_size[0] + 1, n_columns - self.kernel_size[1] + 1

    @torch.no_grad()
    def _places(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """First row and column of the winning patches, each (batch, kernels, 4)."""
        height, width = self.map_size(*maps.shape[2:])
        quarter = (height // 2, width // 2)
        answer = self._in_bfloat16 if finds_in_bfloat16(maps.device) else super().forward
        largest = _largest_by_pooling if maps.device.type == "cpu" else _largest_by_reduction
        # One utterance at a time: its maps stay in the cache until they are pooled.
        found = []
        for one in torch.split(maps, 1 if maps.device.type == "cpu" else len(maps)):
            # Without bias, patches of padding alone give 0: their part of the map need not be computed.
            sounding = min(width, _last_column(one))
            answers = answer(one[..., : sounding + self.kernel_size[1] - 1])
            answers = nn.functional.pad(answers, (0, width - sounding))
            found.append(largest(answers, quarter))
        index = torch.cat(found)
        return torch.div(index, width, rounding_mode="floor"), index % width

    def _in_bfloat16(self, maps: Tensor) -> Tensor:
        """The map of answers, the kernel's rows as input channels of a convolution along the columns."""
        height, _ = self.map_size(*maps.shape[2:])
        filling = -self.kernel_size[0] % _CHANNELS
        filled = nn.functional.pad(maps[:, 0].bfloat16(), (0, 0, 0, filling))
        rows = filled.unfold(1, self.kernel_size[0] + filling, 1)[:, :height]
        channels = rows.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        weight = nn.functional.pad(self.weight[:, 0].bfloat16(), (0, 0, 0, filling))[:, :, None]
        return nn.functional.conv2d(channels, weight.contiguous(memory_format=torch.channels_last))

    def _answers(self, maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        (n, kernels, places), (height, width) = rows.shape, self.kernel_size
        first = torch.arange(n, device=maps.device)[:, None, None] * maps[0].numel() + rows * maps.shape[3] + columns
        # Kernel by kernel, as the products want them, each patch row by row: whole rows are copied, not single values.
        starts = first.transpose(0, 1)[..., None] + torch.arange(height, device=maps.device) * maps.shape[3]
        flat = maps.contiguous().view(-1)
        windows = flat.as_strided((flat.numel() - width + 1, width), (1, 1))
        won = windows.index_select(0, starts.flatten()).view(kernels, n * places, height * width)
        answers = torch.bmm(won, self.weight.reshape(kernels, -1, 1))
        return answers.reshape(kernels, n, places).transpose(0, 1).reshape(n, kernels, 2, 2)


def _largest_by_pooling(answers: Tensor, quarter: tuple[int, int]) -> Tensor:
    """Where in the flattened map the largest answer of each quarter is, shape (batch, kernels, 4)."""
    return nn.functional.max_pool2d(answers, quarter, return_indices=True)[1].flatten(2)


def _largest_by_reduction(answers: Tensor, quarter: tuple[int, int]) -> Tensor:
    """The same for a GPU, whose pooling gives each window of thousands of answers to one thread."""
    (height, width), (n, kernels), n_columns = quarter, answers.shape[:2], answers.shape[3]
    quarters = answers[:, :, : 2 * height, : 2 * width].reshape(n, kernels, 2, height, 2, width)
    inside = quarters.transpose(3, 4).flatten(4).argmax(4)
    below = torch.arange(2, device=answers.device)
    rows = torch.div(inside, width, rounding_mode="floor") + (below * height)[:, None]
    places: Tensor = rows * n_columns + inside % width + below * width
    return places.flatten(2)


def _last_column(maps: Tensor) -> int:
    """One more than the last column that is not zero throughout; 1 where all are."""
    columns = maps.ne(0).flatten(0, 2).any(0).nonzero()
    return int(columns[-1]) + 1 if len(columns) else 1


def finds_in_bfloat16(device: torch.device) -> bool:
    """Whether this device has matrix units that make bfloat16 faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and has_bfloat16_units()


def has_bfloat16_units() -> bool:
    """Whether this CPU has matrix units (AMX) that make bfloat16 faster than float32."""
    supported = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(supported and supported())
