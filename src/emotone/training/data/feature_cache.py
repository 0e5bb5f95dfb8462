"""Features kept in memory where they cannot change from epoch to epoch.

Where waveforms are neither augmented nor cut again, as in the recipes of the papers, an utterance's features are always
the same; computing them once makes an epoch about twice as fast (EXPERIMENTS.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

from emotone.features.augmentation import AugmentationOptions
from emotone.features.silence import SilenceOptions
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import Indices, LabelledWaveforms, scoring_batches

MAX_BYTES = 4 * 2**30
"""A cache that would be larger is not made."""


class FeatureCache:
    """Normalised features of some utterances, in memory, each of its own length; made by `fill`.

    Attributes:
        counts: valid frames of each utterance of the corpus, shape (n,); 0 for those that are not in it.
    """

    def __init__(self, features: dict[int, Tensor], n_utterances: int) -> None:
        self._features = features
        self.counts = torch.zeros(n_utterances, dtype=torch.int64)
        for index, one in features.items():
            self.counts[index] = one.shape[1]

    @classmethod
    def fill(cls, network: RecognitionNetwork, data: LabelledWaveforms, indices: Indices) -> FeatureCache | None:
        """The features of some utterances; None where they would not fit.

        Args:
            network: its normaliser must be fitted.
            data: the whole corpus.
            indices: which utterances, shape (n,).
        """
        device = next(network.parameters()).device
        kept: dict[int, Tensor] = {}
        n_bytes = 0
        for members, waveform, lengths in scoring_batches(data, indices):
            features, counts = network.features(waveform.to(device), lengths.to(device))
            for one, count, index in zip(features.cpu(), counts.tolist(), indices[members].tolist(), strict=True):
                kept[index] = one[:, :count].clone()
                n_bytes += kept[index].nbytes
            if n_bytes > MAX_BYTES:
                return None
        return cls(kept, len(data.targets))

    @staticmethod
    def pays(augmentation: AugmentationOptions, silence: SilenceOptions, crop_s: float) -> bool:
        """Whether every epoch would compute the same features."""
        return not (
            augmentation.speed
            or augmentation.shift_s
            or augmentation.telephone
            or augmentation.noise
            or augmentation.gain_db
            or augmentation.mixup
            or silence.copies
            or crop_s
        )

    def __call__(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Features (batch, n_bands, n_frames), zero past each utterance's end, and frame counts (batch,)."""
        counts = self.counts[torch.from_numpy(indices)]
        chosen = [self._features[index] for index in indices.tolist()]
        features = torch.zeros(len(chosen), chosen[0].shape[0], int(counts.max()))
        for row, one in zip(features, chosen, strict=True):
            row[:, : one.shape[1]] = one
        return features, counts
