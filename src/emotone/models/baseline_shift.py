"""A speaker's baseline for a network that was trained without: how far it moves the logits.

A network over spectrograms hears the voice along with the emotion. Where a speaker's neutral speech lies elsewhere than
that of the training speakers, all of the speaker's speech probably does, so a part of that difference is taken back in
front of the last layer. Nothing is learnt for it; the part is chosen on development figures.

Conventions: embeddings are (n, d), logits (n, n_classes); a baseline of zeros means that there is none.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Embeddings = NDArray[np.float32]


class BaselineShift(nn.Module):
    """Logits and baselines in, logits relative to the baselines out.

    Args:
        n_dimensions: of an embedding.
        n_classes: of the logits.
    Shape:
        logits (batch, n_classes), baseline (batch, n_dimensions) -> (batch, n_classes)
    """

    neutral: Tensor
    weight: Tensor

    def __init__(self, n_dimensions: int, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("neutral", torch.zeros(n_dimensions))
        self.register_buffer("weight", torch.zeros(n_dimensions, n_classes))

    @classmethod
    def fit(cls, last: nn.Linear, neutral: Embeddings, share: float) -> BaselineShift:
        """A shift by a share of the difference.

        Args:
            last: the layer that gives logits from embeddings.
            neutral: embeddings of neutral speech of the training speakers, shape (n, d).
            share: of the difference between a baseline and their mean, in [0, 1].
        """
        module = cls(last.in_features, last.out_features)
        module.neutral.copy_(torch.from_numpy(neutral.mean(0)))
        module.weight.copy_(share * last.weight.detach().T)
        return module

    def forward(self, logits: Tensor, baseline: Tensor) -> Tensor:
        """Shifted logits; unchanged where the baseline is zeros."""
        given = (baseline != 0).any(1, keepdim=True).to(logits.dtype)
        return logits - given * torch.matmul(baseline - self.neutral, self.weight)
