"""The whole learnt system: waveform -> features -> normalisation -> network -> logits.

One module holds all that is learnt or measured on training speakers, so that what is trained is what is exported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from emotone.features.encoder_frames import EncoderFrames
from emotone.features.front_end import FeatureOptions
from emotone.features.spectrogram import length_mask
from emotone.models.systems import ModelOptions, build_parts

LOUD_DB = 30.0
"""Frames at most so far below the loudest, in dB averaged over the bands, are loud."""

FeatureAugmentation = Callable[[Tensor, Tensor], Tensor]
"""Changes normalised features (batch, n_bands, n_frames), given the valid frames (batch,)."""


class NormalisationOptions(BaseModel):
    """How features are normalised; the recipe's table `[normalisation]`.

    Attributes:
        centre: what is subtracted from each utterance first, measured on that utterance alone: "none"; its "level" (one
            mean over bands and frames, so that loudness tells nothing); its "bands" (a mean for each band, so that the
            microphone tells nothing); or "loud", a mean for each band over the frames at most `LOUD_DB` below the
            loudest, so that the silence beside the speech tells nothing either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    centre: Literal["none", "level", "bands", "loud"] = "level"


class Normaliser(nn.Module):
    """Centres each utterance by itself, then scales each band by statistics of the training speakers.

    Shape:
        features (batch, n_bands, n_frames), counts (batch,) -> the same, zero past each utterance's end
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, options: NormalisationOptions, n_bands: int) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("mean", torch.zeros(n_bands))
        self.register_buffer("scale", torch.ones(n_bands))

    def centred(self, features: Tensor, counts: Tensor) -> Tensor:
        """Features without the utterance's own level, zero past its end."""
        mask = length_mask(counts, features.shape[2])[:, None, :].to(features.dtype)
        if self.options.centre == "none":
            return features * mask
        measured = mask
        if self.options.centre == "loud":
            level = features.mean(1, keepdim=True)
            loudest = torch.where(mask > 0, level, -math.inf).amax(2, keepdim=True)
            measured = mask * (level >= loudest - LOUD_DB)
        own = (features * measured).sum(2, keepdim=True) / measured.sum(2, keepdim=True)
        if self.options.centre == "level":
            own = own.mean(1, keepdim=True)
        return (features - own) * mask

    def forward(self, features: Tensor, counts: Tensor) -> Tensor:
        """Normalised features."""
        mask = length_mask(counts, features.shape[2])[:, None, :].to(features.dtype)
        return (self.centred(features, counts) - self.mean[:, None]) * self.scale[:, None] * mask

    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Measure mean and standard deviation of each band over all valid frames of the training utterances.

        Args:
            batches: pairs of features (batch, n_bands, n_frames) and counts (batch,), before normalisation.
        """
        total = torch.zeros(self.mean.shape[0], dtype=torch.float64)
        square, n_frames = total.clone(), 0
        for features, counts in batches:
            centred = self.centred(features, counts).double()
            total += centred.sum((0, 2)).cpu()
            square += centred.square().sum((0, 2)).cpu()
            n_frames += int(counts.sum())
        mean = total / n_frames
        deviation = torch.sqrt(torch.clamp(square / n_frames - mean.square(), min=1e-6))
        self.mean.copy_(mean)
        self.scale.copy_(1.0 / deviation)


class RecognitionNetwork(nn.Module):
    """Waveform in, logits and an embedding out.

    Args:
        features: the front end's settings.
        normalisation: the normaliser's settings.
        model: the settings of one of the systems.
        n_classes: emotions.
    Raises:
        ValueError: the settings do not fit one another.
    Shape:
        waveform (batch, n_samples), lengths (batch,) -> logits (batch, n_classes), embedding (batch, d)
    """

    def __init__(
        self,
        features: FeatureOptions,
        normalisation: NormalisationOptions,
        model: ModelOptions,
        *,
        n_classes: int,
    ) -> None:
        super().__init__()
        self.front_end, n_bands, network = build_parts(features, model, n_classes)
        self.normaliser = Normaliser(normalisation, n_bands)
        self.network = network
        self.teacher_map: nn.Linear | None = None

    def learn_embeddings(self, size: int) -> None:
        """Add a linear map from the network's embedding to a teacher's of that size; without it once it is trained."""
        self.teacher_map = nn.Linear(self.network.embedding_size, size)

    def features(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features (batch, n_bands, n_frames) and frame counts (batch,); only an encoder may learn here."""
        # Single precision under mixed precision too: a spectrogram's sums overflow or drown in anything shorter.
        learns = torch.is_grad_enabled() and self.front_end.options.learns
        with torch.set_grad_enabled(learns), torch.autocast(waveform.device.type, enabled=False):
            features, counts = self.front_end(waveform, lengths)
            return self.normaliser(features, counts), counts

    def finish(self, features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features and their counts, from those that were computed before; see `forward`."""
        if not isinstance(self.front_end, EncoderFrames) or not self.front_end.options.fine_tuned:
            return features, counts
        features, counts = self.front_end.finish(features, counts)
        return self.normaliser(features, counts), counts

    def classify(
        self, features: Tensor, counts: Tensor, phonemes: Tensor | None = None, baseline: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits and embedding of normalised features, with phonemes or a baseline where the network takes them."""
        inputs: tuple[Tensor | None, ...] = (features, counts)
        if self.network.needs_phonemes:
            inputs = (features, counts, phonemes)
        elif self.network.takes_baseline:
            inputs = (features, counts, baseline)
        logits, embedding = self.network(*inputs)
        return logits, embedding

    def forward(
        self,
        waveform: Tensor | None,
        lengths: Tensor,
        augment: FeatureAugmentation | None = None,
        features: Tensor | None = None,
        phonemes: Tensor | None = None,
        baseline: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Logits and embedding; in training, what the network's own `training_loss` takes.

        Args:
            waveform: shape (batch, n_samples), zero past each utterance's end; or None where `features` are given.
            lengths: samples of each, or frames of each where `features` are given.
            augment: changes the normalised features during training.
            features: computed before, shape (batch, n_bands, n_frames): normalised, or of an encoder that is fine-tuned
                the frames before the blocks that learn.
            phonemes: their numbers, shape (batch, longest), for a network that needs them.
            baseline: of the speakers, shape (batch, d), zeros where there is none, for a network that takes them.
        """
        if features is None:
            if waveform is None:
                raise ValueError("got neither waveform nor features; expected one of them")
            features, counts = self.features(waveform, lengths)
        else:
            features, counts = self.finish(features, lengths)
        if augment is not None:
            features = augment(features, counts)
        return self.classify(features, counts, phonemes, baseline)
