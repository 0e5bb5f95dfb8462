"""A linear classifier on the embedding of a model file and on the logarithms of its probabilities.

A logistic regression on the standardised embedding and on the logarithms of the unadapted model's probabilities. Where
that model has all of the classes, the logits are the mean of the new classifier's and of the recentred model's, which
is better while recordings are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotone.adaptation.graph import FLOOR
from emotone.adaptation.recentring import balancing_shift
from emotone.errors import MissingExtraError

REGULARISATION = 0.01
"""C of the logistic regression; embeddings have hundreds of columns, and recordings are few."""

PRIOR_SHARE = 0.5
"""Weight of the recentred model's logits in the mean with those of the new classifier, for classes that both have."""

PRIOR_SCALE = 10.0
"""Columns of the unadapted model's log-probabilities are so many times larger than those of the embedding, so that the
penalty on large weights hardly affects them."""

_SMALLEST_SPREAD = 1e-3
_ABSENT = -30.0
"""Logit of a class that a training part has no recording of."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """logits = embedding @ A + log(probabilities) @ B + bias, shapes (d, k), (c, k) and (k,)."""

    from_embedding: Floats
    from_logarithms: Floats
    bias: Floats

    def logits(self, embeddings: Floats, probabilities: Floats) -> Floats:
        """Shape (n, k)."""
        found: Floats = embeddings @ self.from_embedding + _logarithms(probabilities) @ self.from_logarithms + self.bias
        return found


def fit_head(
    embeddings: Floats,
    probabilities: Floats,
    targets: Indices,
    n_classes: int,
    known: Sequence[int] | None = None,
) -> LinearHead:
    """A logistic regression with balanced classes, averaged with the recentred model where that has the same classes.

    Its standardisation, and the mean of both, are folded into the weights.

    Args:
        embeddings: shape (n, d).
        probabilities: of the unadapted model, shape (n, c).
        targets: class indices, shape (n,).
        n_classes: k; a class without recordings is never predicted.
        known: column of `probabilities` for each class; None where the unadapted model does not have all of them.
    Raises:
        MissingExtraError: the extra `adapt` is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("adapting to labels", "adapt") from error
    logarithms = _logarithms(probabilities)
    centre, spread = embeddings.mean(0), embeddings.std(0) + _SMALLEST_SPREAD
    prior_centre, prior_spread = logarithms.mean(0), (logarithms.std() + _SMALLEST_SPREAD) / PRIOR_SCALE
    columns = np.hstack([(embeddings - centre) / spread, (logarithms - prior_centre) / prior_spread])
    weights = np.zeros((columns.shape[1], n_classes))
    bias = np.full(n_classes, _ABSENT)
    present = np.unique(targets)
    if len(present) == 1:
        bias[present] = 0.0
    else:
        found = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=1000).fit(columns, targets)
        coefficients, intercept = found.coef_.T, found.intercept_
        if len(present) == 2:  # scikit-learn gives one column for two classes: that of the second.
            coefficients = np.hstack([-coefficients / 2, coefficients / 2])
            intercept = np.concatenate([-intercept / 2, intercept / 2])
        weights[:, present], bias[present] = coefficients, intercept
    from_embedding = weights[: embeddings.shape[1]] / spread[:, None]
    from_logarithms = weights[embeddings.shape[1] :] / prior_spread
    head = LinearHead(from_embedding, from_logarithms, bias - centre @ from_embedding - prior_centre @ from_logarithms)
    return head if known is None else _averaged(head, logarithms, targets, known)


def _averaged(head: LinearHead, logarithms: Floats, targets: Indices, known: Sequence[int]) -> LinearHead:
    """The mean of a new classifier and of the unadapted model, which is recentred on the same recordings."""
    counts = np.bincount(targets, minlength=len(known))
    weights = 1.0 / counts[targets]
    shift = np.zeros(len(known))
    present = np.flatnonzero(counts)
    columns = np.asarray(known)[present]
    shift[present] = balancing_shift(logarithms[:, columns], weights / weights.sum())
    selected = np.eye(logarithms.shape[1])[:, np.asarray(known)]
    return LinearHead(
        (1 - PRIOR_SHARE) * head.from_embedding,
        (1 - PRIOR_SHARE) * head.from_logarithms + PRIOR_SHARE * selected,
        (1 - PRIOR_SHARE) * head.bias + PRIOR_SHARE * shift,
    )


def _logarithms(probabilities: Floats) -> Floats:
    found: Floats = np.log(np.maximum(probabilities, FLOOR))
    return found
