"""The output `unfamiliar` of a model file: how far an utterance lies from what the model was trained on.

Conventions: embeddings are (n, d). The distance is Mahalanobis's in the space of the first principal components of the
training embeddings. `unfamiliar` is the fraction of reference utterances, of speech left out of training, whose own
distance is smaller: 0.95 means farther away than 95 % of unseen speech usually is.

References:
    Lee, Lee, Lee, Shin (2018): A simple unified framework for detecting out-of-distribution samples.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from emotone.adaptation.graph import Floats, with_unfamiliarity
from emotone.errors import OptionError
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import with_metadata

N_COMPONENTS = 64
"""Principal components that distances are measured in; further ones of a thousand are mostly noise of estimation."""

N_QUANTILES = 200
"""Reference distances that a model file keeps."""

UNSURE_ABOVE = 0.98
"""A prediction is unsure where it is farther from the training data than 98 % of speech that was not trained on."""

Embeddings = NDArray[np.float32]


def give_unfamiliarity(
    content: bytes,
    metadata: ModelMetadata,
    training: Embeddings,
    references: Floats,
    unsure_above: float = UNSURE_ABOVE,
) -> tuple[bytes, ModelMetadata]:
    """A model file that says how unfamiliar speech is, from one that does not.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        training: embeddings of what the model was trained on, shape (n, embedding_dim).
        references: `distances` of speech that it was not trained on, shape (m,).
        unsure_above: a prediction is unsure where `unfamiliar` is above this.
    Returns:
        the bytes of the new file and its metadata.
    Raises:
        OptionError: there are no references.
        ModelFileError: the model has the output already.
        MissingExtraError: the extra `adapt` is not installed.
    """
    if not len(references):
        raise OptionError("no speech that the model was not trained on; `unfamiliar` is compared with its distances")
    kept = np.quantile(references, (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
    changed = dataclasses.replace(metadata, unsure_unfamiliar=unsure_above)
    return with_metadata(with_unfamiliarity(content, *whitening(training), kept), changed), changed


def whitening(training: Embeddings) -> tuple[Floats, Floats]:
    """Mean (d,) and whitening projection (d, k) onto the first principal components of embeddings (n, d)."""
    centre = training.mean(0, dtype=np.float64)
    covariance = np.cov(training.T.astype(np.float64))
    values, vectors = np.linalg.eigh(covariance)
    n_components = min(N_COMPONENTS, len(training) - 1, training.shape[1])
    order = np.argsort(values)[::-1][:n_components]
    return centre, vectors[:, order] / np.sqrt(np.maximum(values[order], 1e-9))


def distances(embeddings: Embeddings, centre: Floats, projection: Floats) -> Floats:
    """Distances of embeddings (n, d) from the training data, shape (n,): root mean square whitened component."""
    found: Floats = np.sqrt(np.square((embeddings - centre) @ projection).mean(1))
    return found
