"""Logits of whole utterances, whatever the batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import Indices, LabelledWaveforms, scoring_batches
from emotone.training.data.feature_cache import FeatureCache
from emotone.training.data.frame_cache import FrameCache

CACHED_BATCH = 64
"""Utterances scored at once where their features are at hand; like lengths are put together, so little is padding."""


def score(
    network: RecognitionNetwork,
    data: LabelledWaveforms,
    indices: Indices,
    cache: FeatureCache | FrameCache | None = None,
    baselines: Tensor | None = None,
) -> NDArray[np.float64]:
    """Logits of whole utterances, shape (len(indices), n_classes).

    Args:
        network: trained; it is put into evaluation mode.
        data: the whole corpus.
        indices: whom to score, shape (n,).
        cache: their features, where they were computed before.
        baselines: of their speakers, shape (n, d); only with a cache.
    """
    device = next(network.parameters()).device
    network.eval()
    logits = np.zeros((len(indices), data.n_classes))
    with torch.no_grad():
        if cache is not None:
            order = np.argsort(data.waveforms.lengths[indices], kind="stable")
            for start in range(0, len(order), CACHED_BATCH):
                rows = order[start : start + CACHED_BATCH]
                features, counts = cache(indices[rows])
                phonemes = on_device(device, data.phonemes_of(indices[rows]))
                usual = None if baselines is None else baselines[torch.from_numpy(rows)].to(device)
                out, _ = network(None, counts.to(device), None, features.to(device), phonemes, usual)
                logits[rows] = out.double().cpu().numpy()
            return logits
        for members, waveform, lengths in scoring_batches(data, indices):
            phonemes = on_device(device, data.phonemes_of(indices[members]))
            out, _ = network(waveform.to(device), lengths.to(device), phonemes=phonemes)
            logits[members] = out.double().cpu().numpy()
    return logits


def on_device(device: torch.device, tensor: Tensor | None) -> Tensor | None:
    """The tensor on that device; None where there is none."""
    return None if tensor is None else tensor.to(device)
