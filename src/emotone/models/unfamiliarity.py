"""How far an utterance lies from the training data, as a quantile over corpora that a model was not trained on.

Conventions: embeddings are (n, d). The distance is Mahalanobis's in the space of the first principal components of the
training embeddings. `unfamiliar` is the fraction of reference utterances, from corpora left out of training, whose own
distance is smaller: 0.95 means farther away than 95 % of unseen speech usually is.

References:
    Lee, Lee, Lee, Shin (2018): A simple unified framework for detecting out-of-distribution samples.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

N_COMPONENTS = 64
"""Principal components that distances are measured in; further ones of a thousand are mostly noise of estimation."""

N_QUANTILES = 200

Embeddings = NDArray[np.float32]


class Unfamiliarity(nn.Module):
    """Embeddings in, quantiles of their distance from the training data out.

    Args:
        n_dimensions: of an embedding.
        n_components: of the space that distances are measured in.
        n_quantiles: reference distances.
    Shape:
        (batch, n_dimensions) -> (batch,), in [0, 1]
    """

    centre: Tensor
    projection: Tensor
    references: Tensor

    def __init__(self, n_dimensions: int, n_components: int = N_COMPONENTS, n_quantiles: int = N_QUANTILES) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(n_dimensions))
        self.register_buffer("projection", torch.zeros(n_dimensions, n_components))
        self.register_buffer("references", torch.zeros(n_quantiles))

    @classmethod
    def fit(cls, training: Embeddings, references: NDArray[np.float64]) -> Unfamiliarity:
        """From training embeddings, shape (n, d), and the distances of unseen corpora, shape (m,)."""
        centre, projection = whitening(training)
        module = cls(training.shape[1], projection.shape[1])
        quantiles = np.quantile(references, (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
        for buffer, values in (
            (module.centre, centre),
            (module.projection, projection),
            (module.references, quantiles),
        ):
            buffer.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))
        return module

    def forward(self, embedding: Tensor) -> Tensor:
        """Fraction of the reference distances that are smaller."""
        distance = torch.matmul(embedding - self.centre, self.projection).square().mean(1, keepdim=True).sqrt()
        return (distance > self.references[None, :]).to(embedding.dtype).mean(1)


def whitening(training: Embeddings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (d,) and whitening projection (d, k) onto the first principal components of embeddings (n, d)."""
    centre = training.mean(0, dtype=np.float64)
    covariance = np.cov(training.T.astype(np.float64))
    values, vectors = np.linalg.eigh(covariance)
    n_components = min(N_COMPONENTS, len(training) - 1, training.shape[1])
    order = np.argsort(values)[::-1][:n_components]
    return centre, vectors[:, order] / np.sqrt(np.maximum(values[order], 1e-9))


def distances(
    embeddings: Embeddings, centre: NDArray[np.float64], projection: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances of embeddings (n, d) from the training data, shape (n,): root mean square whitened component."""
    found: NDArray[np.float64] = np.sqrt(np.square((embeddings - centre) @ projection).mean(1))
    return found
