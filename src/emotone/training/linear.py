"""A logistic regression on embeddings of an encoder's frames, which joins a network's heads.

It is convex, so it has one solution, and it takes seconds: the whole training part, with every augmented copy, once
without and once with a baseline.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.errors import MissingExtraError
from emotone.features.augmentation import derived_seed
from emotone.models.frames import FramesNetwork
from emotone.training.data.batches import Indices, LabelledWaveforms
from emotone.training.data.frame_cache import FrameCache

MAX_ITERATIONS = 80
"""Of L-BFGS; scores on validation speakers no longer change after about 40."""

_AT_ONCE = 64


def fit_linear(network: FramesNetwork, cache: FrameCache, data: LabelledWaveforms, indices: Indices, seed: int) -> None:
    """Fit the network's linear classifier on the training part.

    Args:
        network: with a linear classifier; its weights are set.
        cache: frames of the training part and its copies; its normaliser must be fitted.
        data: targets and weights.
        indices: of the training part.
        seed: of the choice of neutral utterances for baselines.
    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("a recipe with model.linear", "train") from error
    if network.linear is None:
        raise ValueError("the network has no linear classifier; expected model.linear above 0")
    inputs, targets, weights = [], [], []
    for copy in range(cache.n_copies):
        plain = _embeddings(network, cache, indices, copy)
        usual = _baselines(network, cache, data, indices, copy, seed) if network.takes_baseline else None
        for baseline in (None, usual) if usual is not None else (None,):
            inputs.append(_inputs(plain, baseline))
            targets.append(data.targets[indices])
            weights.append(np.ones(len(indices)) if data.weights is None else data.weights[indices])
    x, y, w = np.concatenate(inputs), np.concatenate(targets), np.concatenate(weights)
    n_embedding = network.embedding_size
    # Baselines are on the scale of the means they belong to; the flag is not scaled.
    mean, scale = x[:, :n_embedding].mean(0), x[:, :n_embedding].std(0) + 1e-6
    half = n_embedding // 2
    scales = np.concatenate([scale, scale[:half], np.ones(1)])
    means = np.concatenate([mean, mean[:half], np.zeros(1)])
    flagged = x[:, -1:] > 0
    scaled = (x - means) / scales
    scaled[:, n_embedding:-1] *= flagged
    penalty = network.options.linear_penalty
    with warnings.catch_warnings():
        # Stopping early is meant: scores on validation speakers no longer change.
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")
        model = LogisticRegression(C=1 / (penalty * w.sum()), max_iter=MAX_ITERATIONS)
        model.fit(scaled, y, sample_weight=w)
    # Folded: W (x - m) / s + b; where there is no baseline its inputs are 0 and its means must not be subtracted.
    coefficients = np.zeros((network.linear.out_features, x.shape[1]))
    intercept = np.full(network.linear.out_features, -1e3)
    found, offsets = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        found, offsets = np.concatenate([-found, found]) / 2, np.concatenate([-offsets, offsets]) / 2
    for row, offset, label in zip(found / scales, offsets, model.classes_, strict=True):
        coefficients[label] = row
        intercept[label] = offset - float(row[:n_embedding] @ mean)
        coefficients[label, -1] -= float(row[n_embedding:-1] @ mean[:half])
    network.linear.weight.copy_(torch.from_numpy(coefficients))
    network.linear.bias.copy_(torch.from_numpy(intercept))


def _embeddings(network: FramesNetwork, cache: FrameCache, indices: Indices, copy: int) -> NDArray[np.float32]:
    rows = []
    for start in range(0, len(indices), _AT_ONCE):
        features, counts = cache.of_copy(indices[start : start + _AT_ONCE], copy)
        rows.append(network.embed(features, counts).numpy())
    return np.concatenate(rows)


def _baselines(
    network: FramesNetwork, cache: FrameCache, data: LabelledWaveforms, indices: Indices, copy: int, seed: int
) -> NDArray[np.float32]:
    rows = []
    for index in indices.tolist():
        generator = np.random.Generator(np.random.PCG64(derived_seed(seed, copy, data.names[index])))
        n_clips = int(generator.integers(1, network.options.baseline_clips + 1))
        rows.append(cache.baselines(np.array([index]), n_clips, [generator], copy=copy)[0].numpy())
    return np.stack(rows)


def _inputs(embeddings: NDArray[np.float32], baselines: NDArray[np.float32] | None) -> NDArray[np.float64]:
    half = embeddings.shape[1] // 2
    usual = np.zeros((len(embeddings), half)) if baselines is None else baselines[:, :half]
    flag = (usual != 0).any(1, keepdims=True)
    return np.concatenate([embeddings, usual, flag], axis=1, dtype=np.float64)
