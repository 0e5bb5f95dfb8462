"""Lee & Tashev (2015): a BLSTM over frame features whose frame labels are learnt, and an extreme learning machine.

Each frame says how likely each emotion is, or "none". Which frames of an utterance carry its emotion is not known; it
is learnt by expectation maximisation (`label_sequence`). Statistics of the frames' probabilities over the utterance go
into an extreme learning machine, fitted on the training speakers once the BLSTM is trained.

Conventions: frame features are (batch, 32, n_frames); the output's last class is "none" where labels are learnt.

References:
    Lee & Tashev (2015): High-level Feature Representation using Recurrent Neural Network for Speech Emotion
    Recognition, Interspeech. What is known of it second-hand or not at all is in the recipes' `choices`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from emotone.features.front_end import FeatureOptions, FrontEnd, Mfcc
from emotone.features.prosody import deltas, measure_prosody
from emotone.features.spectrogram import length_mask
from emotone.models.earlier.bidirectional import BidirectionalLstm
from emotone.models.earlier.extreme_learning import ExtremeLearningMachine, Kernel
from emotone.models.earlier.label_sequence import LabelChain, label_posteriors
from emotone.models.network import Criterion, EmotionNetwork

N_CEPSTRA = 12
N_FRAME_FEATURES = 2 * (N_CEPSTRA + 4)

VOICED = 0.45
"""Frames less periodic than this have no fundamental frequency: it is given as 0 (Boersma 1993, its threshold)."""


class LeeOptions(BaseModel):
    """Settings of the network; the recipe's table `[model]`. The MFCCs' are in `[features]`.

    Attributes:
        system: names this file.
        frame_labels: "learnt" by expectation maximisation over {emotion, none}; or "utterance": every frame bears its
            utterance's label, and there is no "none".
        decision: "elm", the extreme learning machine over the utterance's statistics; or "mean" of the frames.
        layers: of the BLSTM.
        cells: of each direction.
        dropout: between the layers.
        begin: chance that an utterance begins with its emotion.
        stay_none: chance that "none" follows "none".
        stay_emotion: chance that the emotion follows itself.
        share_above: the statistic "share of frames above" of each class.
        kernel: of the extreme learning machine.
        n_hidden: its units.
        ridge: its ridge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: Literal["lee2015"] = "lee2015"
    frame_labels: Literal["learnt", "utterance"] = "learnt"
    decision: Literal["elm", "mean"] = "elm"
    layers: int = Field(2, ge=1)
    cells: int = Field(64, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    begin: float = Field(0.5, gt=0, lt=1)
    stay_none: float = Field(0.5, gt=0, lt=1)
    stay_emotion: float = Field(0.95, gt=0, lt=1)
    share_above: float = Field(0.2, ge=0, le=1)
    kernel: Kernel = "hidden"
    n_hidden: int = Field(200, ge=1)
    ridge: float = Field(1.0, gt=0)


class FrameFeatures(FrontEnd):
    """12 MFCCs, log energy, F0 (0 where unvoiced), voicing, zero-crossing rate, and the first derivatives of all.

    Shape:
        waveform (batch, n_samples), lengths (batch,) -> features (batch, 32, n_frames), n_frames (batch,)
    """

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options
        self.mfcc = Mfcc(options)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features, zero past each utterance's end, and the number of valid frames."""
        options = self.options
        waveform = waveform * length_mask(lengths, waveform.shape[1])
        cepstra, counts = self.mfcc(waveform, lengths)
        voice = measure_prosody(
            waveform, sample_rate=options.sample_rate, win_length=options.win_length, hop_length=options.hop_length
        )
        f0 = voice.f0 * (voice.voicing >= VOICED)
        others = torch.stack([voice.log_energy, f0, voice.voicing, voice.zero_crossings], dim=1)
        static = torch.cat([cepstra[:, 1:], others], dim=1)
        features = torch.cat([static, deltas(static, counts)], dim=1)
        return features * length_mask(counts, features.shape[2])[:, None, :], counts


def utterance_statistics(probabilities: Tensor, counts: Tensor, share_above: float) -> Tensor:
    """Maximum, minimum, mean, and share of frames above a threshold, of each class.

    Args:
        probabilities: of the emotions in each frame, shape (batch, n_frames, n_classes).
        counts: valid frames, shape (batch,).
        share_above: the threshold.
    Returns:
        shape (batch, 4 * n_classes).
    """
    inside = length_mask(counts, probabilities.shape[1])[:, :, None]
    n_frames = counts[:, None].to(probabilities.dtype)
    return torch.cat(
        [
            torch.where(inside, probabilities, -torch.inf).amax(1),
            torch.where(inside, probabilities, torch.inf).amin(1),
            (probabilities * inside).sum(1) / n_frames,
            ((probabilities > share_above) & inside).sum(1) / n_frames,
        ],
        dim=1,
    )


class LeeNetwork(EmotionNetwork):
    """Frame features in; in training the frames' logits and counts, in evaluation the utterance's decision.

    Until `complete` has fitted the extreme learning machine, the decision is the mean of the frames: it chooses the
    epoch.

    Shape:
        features (batch, 32, n_frames), counts (batch,) -> logits (batch, n_classes), embedding (batch, 4 * n_classes)
    """

    def __init__(self, options: LeeOptions, *, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.options, self.n_classes, self.embedding_size = options, n_classes, 4 * n_classes
        self.learnt = options.frame_labels == "learnt"
        self.chain = LabelChain(options.begin, options.stay_none, options.stay_emotion)
        self.blstm = BidirectionalLstm(n_bands, options.cells, layers=options.layers, dropout=options.dropout)
        self.classify = nn.Linear(2 * options.cells, n_classes + (1 if self.learnt else 0))
        self.machine = ExtremeLearningMachine(
            4 * n_classes, n_classes, kernel=options.kernel, n_hidden=options.n_hidden, ridge=options.ridge
        )

    def forward(self, features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Frames' logits and counts in training; utterances' logits and statistics in evaluation."""
        frames = self.classify(self.blstm(features.transpose(1, 2), counts))
        if self.training:
            return frames, counts
        probabilities = torch.softmax(frames.float(), dim=2)[:, :, : self.n_classes]
        statistics = utterance_statistics(probabilities, counts, self.options.share_above)
        if self.options.decision == "elm" and bool(self.machine.fitted):
            return self.machine(statistics), statistics
        mean = statistics[:, 2 * self.n_classes : 3 * self.n_classes]
        return torch.log(mean + 1e-12), statistics

    def training_loss(self, output: tuple[Tensor, Tensor], targets: Tensor, criterion: Criterion) -> Tensor:
        """The maximisation step over learnt frame labels, or the recipe's loss of every frame.

        With learnt labels the loss is the negative expected log probability of the labels, averaged over the frames of
        each utterance and then over utterances; its gradient is that of the likelihood of all sequences. The recipe's
        own loss plays no part in it.
        """
        frames, counts = output
        log_p = torch.log_softmax(frames.float(), dim=2)
        if not self.learnt:
            inside = length_mask(counts, frames.shape[1])
            owner = torch.arange(len(counts), device=counts.device)[:, None].expand_as(inside)[inside]
            return criterion(frames[inside].float(), targets[owner])
        emotion = targets.argmax(1)[:, None, None].expand(-1, frames.shape[1], 1)
        emission = torch.cat([log_p[:, :, -1:], log_p.gather(2, emotion)], dim=2)
        with torch.no_grad():
            labels, _ = label_posteriors(emission, counts, self.chain)
        return -((labels * emission).sum((1, 2)) / counts).mean()

    def complete(self, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Fit the extreme learning machine on the training utterances' statistics."""
        if self.options.decision != "elm":
            return
        statistics, targets = [], []
        with torch.no_grad():
            for features, counts, classes in batches:
                statistics.append(self(features, counts)[1])
                targets.append(classes)
        self.machine.fit(torch.cat(statistics), torch.cat(targets))
