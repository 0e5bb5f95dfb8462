"""Word2vec over phonemes: skip-gram with negative sampling.

References:
    Mikolov, Sutskever, Chen, Corrado, Dean (2013): Distributed Representations of Words and Phrases and their
    Compositionality, NIPS, equation 4; negatives from the counts to the power 0.75.
"""

from __future__ import annotations

import torch
from torch import Tensor

from emotone.features.phonemes import PADDING

BATCH = 512


def skip_gram_pairs(sequences: Tensor, window: int) -> Tensor:
    """All (centre, context) pairs at most `window` apart.

    Args:
        sequences: numbers, padded with 0, shape (n, longest).
        window: largest distance.
    Returns:
        shape (n_pairs, 2).

    >>> skip_gram_pairs(torch.tensor([[2, 3, 0]]), 2).tolist()
    [[2, 3], [3, 2]]
    """
    pairs = []
    for distance in range(1, min(window, sequences.shape[1] - 1) + 1):
        left, right = sequences[:, :-distance], sequences[:, distance:]
        both = (left != PADDING) & (right != PADDING)
        pairs += [torch.stack([left[both], right[both]], 1), torch.stack([right[both], left[both]], 1)]
    return torch.cat(pairs) if pairs else torch.empty(0, 2, dtype=torch.long)


def learn_embedding(
    sequences: Tensor,
    *,
    n_symbols: int,
    size: int = 100,
    window: int = 4,
    negatives: int = 5,
    epochs: int = 5,
    learning_rate: float = 5e-3,
    seed: int = 0,
) -> Tensor:
    """A vector for each symbol, learnt from the symbols near it.

    Args:
        sequences: numbers of the training speakers' phonemes, padded with 0, shape (n, longest).
        n_symbols: rows of the result.
        size: of a vector.
        window: largest distance of two neighbours.
        negatives: symbols drawn against each neighbour.
        epochs: passes over all pairs.
        learning_rate: of Adam.
        seed: of the start, the order and the negatives.
    Returns:
        shape (n_symbols, size), each vector divided by the mean norm; the padding's is zero.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    pairs = skip_gram_pairs(sequences.cpu(), window)
    counts = torch.bincount(sequences.cpu().flatten(), minlength=n_symbols).double()
    counts[PADDING] = 0
    centres = ((torch.rand(n_symbols, size, generator=generator) - 0.5) / size).requires_grad_()
    contexts = torch.zeros(n_symbols, size, requires_grad=True)
    optimiser = torch.optim.Adam([centres, contexts], lr=learning_rate)
    with torch.enable_grad():
        for _ in range(epochs if len(pairs) else 0):
            order = torch.randperm(len(pairs), generator=generator)
            for chosen in torch.split(order, BATCH):
                centre, context = pairs[chosen].unbind(1)
                drawn = torch.multinomial(counts**0.75, len(chosen) * negatives, True, generator=generator)
                against = contexts[drawn.view(-1, negatives)]
                near = torch.nn.functional.logsigmoid((centres[centre] * contexts[context]).sum(1))
                far = torch.nn.functional.logsigmoid(-(centres[centre][:, None] * against).sum(2)).sum(1)
                loss = -(near + far).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    vectors = centres.detach()
    seen = counts > 0
    norm = vectors[seen].norm(dim=1).mean() if bool(seen.any()) else vectors.new_ones(())
    # What was never seen stays at zero, not at its random start.
    return torch.where(seen[:, None], vectors / torch.clamp(norm, min=1e-6), torch.zeros_like(vectors))
