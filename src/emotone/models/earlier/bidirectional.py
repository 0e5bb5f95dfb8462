"""A bidirectional LSTM over sequences of unequal length, each read backwards from its own end.

`torch.nn.LSTM` does this with packed sequences only, and reads those about ten times as slowly on a CPU as one padded
tensor. Here the padded tensor is read, forwards and with each sequence turned round within its own length; the padding
comes last either way, so nothing of it reaches the rest.

Conventions: sequences are (batch, n_steps, d); counts (batch,) say how many steps of each are valid.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from emotone.features.spectrogram import length_mask


def turned_round(sequence: Tensor, counts: Tensor) -> Tensor:
    """Each sequence's valid steps in reverse order; the padding stays where it is.

    Args:
        sequence: shape (batch, n_steps, d).
        counts: valid steps, shape (batch,).
    Returns:
        shape (batch, n_steps, d).
    """
    steps = torch.arange(sequence.shape[1], device=sequence.device)[None, :]
    last = counts.to(sequence.device)[:, None] - 1
    order = torch.where(steps <= last, last - steps, steps)
    return sequence.gather(1, order[:, :, None].expand_as(sequence))


class BidirectionalLstm(nn.Module):
    """Layers of two LSTMs each, one for either direction.

    Args:
        n_inputs: d.
        cells: of each direction.
        layers: how many.
        dropout: between the layers.
    Shape:
        sequence (batch, n_steps, d), counts (batch,) -> (batch, n_steps, 2 * cells), forward direction first, zero past
        each sequence's end
    """

    def __init__(self, n_inputs: int, cells: int, *, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [n_inputs] + [2 * cells] * (layers - 1)
        self.cells = cells
        self.forwards = nn.ModuleList(nn.LSTM(width, cells, batch_first=True) for width in widths)
        self.backwards = nn.ModuleList(nn.LSTM(width, cells, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sequence: Tensor, counts: Tensor) -> Tensor:
        """What both directions say of each step."""
        for layer, (ahead, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            given = self.dropout(sequence) if layer else sequence
            backward = turned_round(back(turned_round(given, counts))[0], counts)
            sequence = torch.cat([ahead(given)[0], backward], dim=2)
        return sequence * length_mask(counts, sequence.shape[1])[:, :, None].to(sequence.dtype)

    def ends(self, sequence: Tensor, counts: Tensor) -> Tensor:
        """What each direction says when it has read the whole sequence, shape (batch, 2 * cells)."""
        outputs = self(sequence, counts)
        rows = torch.arange(len(outputs), device=outputs.device)
        last = counts.to(outputs.device) - 1
        return torch.cat([outputs[rows, last, : self.cells], outputs[:, 0, self.cells :]], dim=1)
