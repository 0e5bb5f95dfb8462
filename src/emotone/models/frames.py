"""Networks on an encoder's frames: one-dimensional residual blocks with statistics pooling, and a linear baseline.

Conventions: frames are (batch, n_channels, n_frames), normalised by statistics of the training speakers and zero past
each utterance's `counts` frames. The embedding is the mean and the standard deviation of each channel over the valid
frames, (batch, 2 * n_channels). A speaker's baseline is the mean embedding of a few of his or her neutral utterances;
its first half is a further input of the heads. A row of zeros means that there is no baseline. Subtracting the
baseline from the frames instead was worse, most of all for speakers without one (EXPERIMENTS.md, 2026-11-26).

The residual blocks are those of He et al. (2016) in one dimension, as in the residual network over spectrograms. The
pooled statistics of the frames themselves join those of the blocks, so that what a linear classifier sees is not lost.

References:
    He, Zhang, Ren, Sun (2016): Deep Residual Learning for Image Recognition.
    Busso, Metallinou, Narayanan (2011): Iterative feature normalization for emotional speech detection.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from emotone.features.spectrogram import length_mask
from emotone.models.network import Criterion, EmotionNetwork
from emotone.models.residual import pool_statistics


class FramesOptions(BaseModel):
    """Settings of a network on an encoder's frames; the recipe's table `[model]`.

    Attributes:
        system: names this file.
        head: "residual", or "linear" on the embedding alone.
        channels: feature maps of the residual blocks.
        dilations: of the residual blocks, one block for each.
        pool_frames: whether the statistics of the frames themselves join those of the residual blocks.
        hidden: units of the last hidden layer.
        dropout: on the pooled statistics and before the last layer.
        channel_dropout: probability of hiding a channel of the frames from the residual blocks, in training.
        baseline: probability that a training utterance comes with its speaker's baseline; 0 for a network that takes
            none.
        baseline_clips: at most this many neutral utterances make a baseline in training.
        ensemble: networks with different starts, whose logits are averaged.
        linear: weight of the logits of a logistic regression on the embedding, which are added to those of the heads;
            0 for none. It is fitted before the heads learn (`emotone.training.linear`), and they learn without it.
        linear_penalty: of its squared weights, beside the mean loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: Literal["frames"] = "frames"
    head: Literal["residual", "linear"] = "residual"
    channels: int = Field(128, ge=4)
    dilations: tuple[int, ...] = (1, 2)
    pool_frames: bool = True
    hidden: int = Field(128, ge=2)
    dropout: float = Field(0.4, ge=0, lt=1)
    channel_dropout: float = Field(0.0, ge=0, lt=1)
    baseline: float = Field(0.0, ge=0, le=1)
    baseline_clips: int = Field(5, ge=1)
    ensemble: int = Field(1, ge=1)
    linear: float = Field(0.0, ge=0)
    linear_penalty: float = Field(0.05, gt=0)


class TimeBlock(nn.Module):
    """Two convolutions over time and a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.first_norm = nn.BatchNorm1d(channels)
        self.second = nn.Conv1d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm1d(channels)

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Maps (already masked) in, masked maps out; `mask` is (batch, 1, n_frames)."""
        inner = torch.relu(self.first_norm(self.first(maps))) * mask
        inner = self.second_norm(self.second(inner))
        return torch.relu(inner + maps) * mask


class ResidualHead(nn.Module):
    """Residual blocks over time, statistics pooling, one hidden layer, logits.

    Shape:
        frames (batch, n_channels, n_frames), mask (batch, 1, n_frames), pooled (batch, 2 * n_channels),
        usual (batch, n_channels), flag (batch, 1) -> logits (batch, n_classes)
    """

    def __init__(self, options: FramesOptions, n_channels: int, n_classes: int) -> None:
        super().__init__()
        self.channel_dropout = nn.Dropout1d(options.channel_dropout)
        self.reduce = nn.Conv1d(n_channels, options.channels, 1, bias=False)
        self.shift = nn.Linear(n_channels, options.channels, bias=False)
        self.reduce_norm = nn.BatchNorm1d(options.channels)
        self.blocks = nn.ModuleList(TimeBlock(options.channels, dilation) for dilation in options.dilations)
        self.pool_frames = options.pool_frames
        pooled = 2 * options.channels + (3 * n_channels if options.pool_frames else 0)
        # Means vary far less than frames do; on one scale, all statistics learn at one rate.
        self.pooled_norm = nn.BatchNorm1d(pooled, affine=False)
        self.pooled_dropout = nn.Dropout(options.dropout)
        self.embed = nn.Linear(pooled + 1, options.hidden)
        self.embed_norm = nn.BatchNorm1d(options.hidden)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(options.hidden, n_classes)
        for block in self.blocks:
            # Each block starts as its shortcut (Goyal et al. 2017, section 5.1).
            nn.init.zeros_(block.second_norm.weight)  # type: ignore[union-attr,arg-type]

    def forward(self, frames: Tensor, mask: Tensor, pooled: Tensor, usual: Tensor, flag: Tensor) -> Tensor:
        """Logits."""
        maps = self.reduce(self.channel_dropout(frames)) - self.shift(usual)[:, :, None]
        maps = torch.relu(self.reduce_norm(maps)) * mask
        for block in self.blocks:
            maps = block(maps, mask)
        both = pool_statistics(maps, mask)
        if self.pool_frames:
            both = torch.cat([both, pooled, usual], dim=1)
        statistics = self.pooled_dropout(self.pooled_norm(both))
        hidden = torch.relu(self.embed_norm(self.embed(torch.cat([statistics, flag], dim=1))))
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits


class LinearHead(nn.Module):
    """Logits from the pooled statistics alone; of the same shape as `ResidualHead`."""

    def __init__(self, options: FramesOptions, n_channels: int, n_classes: int) -> None:
        super().__init__()
        self.pooled_norm = nn.BatchNorm1d(3 * n_channels, affine=False)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(3 * n_channels + 1, n_classes)

    def forward(self, frames: Tensor, mask: Tensor, pooled: Tensor, usual: Tensor, flag: Tensor) -> Tensor:
        """Logits."""
        statistics = self.dropout(self.pooled_norm(torch.cat([pooled, usual], dim=1)))
        logits: Tensor = self.classifier(torch.cat([statistics, flag], dim=1))
        return logits


class FramesNetwork(EmotionNetwork):
    """Normalised frames (and a baseline) in; logits and the embedding out.

    Args:
        options: of the heads.
        n_bands: channels of the frames.
        n_classes: emotions.
    Shape:
        frames (batch, n_bands, n_frames), counts (batch,), baseline (batch, 2 * n_bands) or None
        -> logits (batch, n_classes), or (ensemble, batch, n_classes) in training; embedding (batch, 2 * n_bands)
    """

    def __init__(self, options: FramesOptions, *, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.options, self.n_bands = options, n_bands
        kind = ResidualHead if options.head == "residual" else LinearHead
        self.heads = nn.ModuleList(kind(options, n_bands, n_classes) for _ in range(options.ensemble))
        self.linear: nn.Linear | None = None
        if options.linear:
            self.linear = nn.Linear(3 * n_bands + 1, n_classes).requires_grad_(False)
        self.embedding_size = 2 * n_bands
        self.takes_baseline = options.baseline > 0

    def forward(self, frames: Tensor, counts: Tensor, baseline: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits, averaged over the heads unless training, and the embedding, which ignores the baseline."""
        mask = length_mask(counts, frames.shape[2])[:, None, :].to(frames.dtype)
        embedding = self.embed(frames, counts)
        usual = torch.zeros_like(embedding[:, : self.n_bands]) if baseline is None else baseline[:, : self.n_bands]
        flag = (usual != 0).any(1, keepdim=True).to(frames.dtype)
        logits = torch.stack([head(frames, mask, embedding, usual, flag) for head in self.heads])
        if self.training:
            return logits, embedding
        logits = logits.mean(0)
        if self.linear is not None:
            logits = logits + self.options.linear * self.linear(torch.cat([embedding, usual, flag], dim=1))
        return logits, embedding

    def embed(self, frames: Tensor, counts: Tensor) -> Tensor:
        """Mean and standard deviation of each channel over the valid frames, shape (batch, 2 * n_bands)."""
        return pool_statistics(frames, length_mask(counts, frames.shape[2])[:, None, :].to(frames.dtype))

    def training_loss(self, output: tuple[Tensor, Tensor], targets: Tensor, criterion: Criterion) -> Tensor:
        """The mean of the heads' losses, so that each learns as if it were alone."""
        return torch.stack([criterion(logits.float(), targets) for logits in output[0]]).mean()
