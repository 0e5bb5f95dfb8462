"""Features kept in memory where they cannot change from epoch to epoch.

With a front end of fixed size and no augmentation of waveforms, as in the paper's recipes, an utterance's features are
always the same; computing them once makes an epoch about twice as fast (EXPERIMENTS.md). Everywhere else features are
computed on the fly, because waveforms are augmented or cut anew.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from emotone.features.augmentation import AugmentationOptions
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.batches import Indices, LabelledWaveforms, scoring_batches

MAX_BYTES = 4 * 2**30
"""A cache that would be larger is not made."""


class FeatureCache:
    """Normalised features of some utterances, in memory.

    Args:
        network: its front end must have a fixed size, its normaliser must be fitted.
        data: the whole corpus.
        indices: which utterances, shape (n,).
    """

    def __init__(self, network: RecognitionNetwork, data: LabelledWaveforms, indices: Indices) -> None:
        device = next(network.parameters()).device
        self._row = np.full(len(data.targets), -1, dtype=np.int64)
        self._row[indices] = np.arange(len(indices))
        options = network.front_end.options
        self._features = torch.zeros(len(indices), options.n_bands, options.fixed_frames)
        with torch.no_grad():
            for members, waveform, lengths in scoring_batches(data, indices):
                features, _ = network.features(waveform.to(device), lengths.to(device))
                self._features[torch.from_numpy(members)] = features.cpu()

    @staticmethod
    def pays(network: RecognitionNetwork, augmentation: AugmentationOptions, crop_s: float, n_utterances: int) -> bool:
        """Whether every epoch would compute the same features, and they fit."""
        options = network.front_end.options
        constant = not (
            augmentation.speed
            or augmentation.shift_s
            or augmentation.telephone
            or augmentation.noise
            or augmentation.gain_db
            or augmentation.mixup
            or crop_s
        )
        n_bytes = 4 * n_utterances * options.n_bands * options.fixed_frames
        return bool(options.fixed_frames) and constant and n_bytes <= MAX_BYTES

    def __call__(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Features (batch, n_bands, n_frames) and frame counts (batch,) of utterances that are in the cache."""
        features = self._features[torch.from_numpy(self._row[indices])]
        return features, torch.full((len(indices),), features.shape[2])
