"""A residual convolutional network over spectrograms or MFCCs.

The system of Tripathi et al. (2019), and our small default network, are two settings of one class. Lengths are masked
at the input of every convolution and at the pooling, so that an utterance scores the same alone and padded in a batch.

Conventions: feature maps are (batch, channels, n_bands, n_frames); strides and kernels are (band, frame) pairs.

References:
    Tripathi, Kumar, Ramesh, Singh, Yenigalla (2019): Focal Loss based Residual Convolutional Neural Network for Speech
    Emotion Recognition, arXiv 1906.05682.
    He, Zhang, Ren, Sun (2016): Deep Residual Learning for Image Recognition, CVPR.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from emotone.features.spectrogram import length_mask
from emotone.models.network import EmotionNetwork

Pair = tuple[int, int]


class Stage(BaseModel):
    """Residual blocks of one width.

    Attributes:
        channels: feature maps.
        blocks: how many residual blocks.
        stride: of the first block's first convolution, (band, frame).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(ge=1)
    blocks: int = Field(1, ge=1)
    stride: Pair = (2, 2)


class ResidualOptions(BaseModel):
    """Settings of the network; the recipe's table `[model]`.

    Attributes:
        system: names this file.
        stem_channels: feature maps of the first convolution.
        stem_kernel: (band, frame).
        stem_stride: (band, frame).
        stages: the residual stages, in order.
        pooling: "statistics" takes mean and standard deviation over the valid frames, for every map and band;
            "average" takes the mean over bands and frames, as in He et al.
        embedding: size of the embedding.
        dropout: before the last layer, and on the pooled statistics.
        squeeze: squeeze-and-excitation over the valid frames in every block, its reduction; 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: Literal["residual"] = "residual"
    stem_channels: int = Field(16, ge=1)
    stem_kernel: Pair = (3, 3)
    stem_stride: Pair = (2, 2)
    stages: tuple[Stage, ...] = (
        Stage(channels=24, stride=(1, 1)),
        Stage(channels=48),
        Stage(channels=96),
        Stage(channels=128, stride=(2, 1)),
    )
    pooling: Literal["statistics", "average"] = "statistics"
    embedding: int = Field(128, ge=2)
    dropout: float = Field(0.3, ge=0, lt=1)
    squeeze: int = Field(0, ge=0)


class ConvolutionNorm(nn.Module):
    """Convolution and batch normalisation over a masked input; padding keeps ceil(size / stride) positions."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Normalised maps."""
        normalised: Tensor = self.norm(self.convolution(maps))
        return normalised


class SqueezeExcitation(nn.Module):
    """Weights each map by what the whole utterance holds (Hu et al. 2018); the mean is over valid frames only."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, max(4, channels // reduction))
        self.expand = nn.Linear(max(4, channels // reduction), channels)

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Weighted maps."""
        mean = (maps * mask).sum((2, 3)) / (mask.sum((2, 3)) * maps.shape[2])
        weights = torch.sigmoid(self.expand(torch.relu(self.reduce(mean))))
        return maps * weights[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, projected where the shape changes (He et al. 2016, option B)."""

    def __init__(self, in_channels: int, out_channels: int, stride: Pair, squeeze: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = ConvolutionNorm(in_channels, out_channels, (3, 3), stride)
        self.second = ConvolutionNorm(out_channels, out_channels, (3, 3), (1, 1))
        self.excitation = SqueezeExcitation(out_channels, squeeze) if squeeze else None
        self.projection: nn.Module | None = None
        if stride != (1, 1) or in_channels != out_channels:
            self.projection = ConvolutionNorm(in_channels, out_channels, (1, 1), stride)

    def forward(self, maps: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (already masked) and frame counts in, masked maps and frame counts out."""
        shortcut = maps if self.projection is None else self.projection(maps)
        inner = torch.relu(self.first(maps))
        counts = strided_counts(counts, self.stride[1])
        mask = frame_mask(counts, inner.shape[3])
        inner = self.second(inner * mask)
        if self.excitation is not None:
            inner = self.excitation(inner, mask)
        return torch.relu(inner + shortcut) * mask, counts


class ResidualNetwork(EmotionNetwork):
    """Features in, logits and an embedding out.

    Args:
        options: widths, depths, strides, pooling.
        n_bands: rows of the feature map.
        n_classes: emotions.
    Shape:
        features (batch, n_bands, n_frames), counts (batch,) -> logits (batch, n_classes), embedding (batch, d)
    """

    def __init__(self, options: ResidualOptions, *, n_bands: int, n_classes: int) -> None:
        super().__init__()
        self.options = options
        self.stem = ConvolutionNorm(1, options.stem_channels, options.stem_kernel, options.stem_stride)
        blocks: list[ResidualBlock] = []
        width, bands = options.stem_channels, -(-n_bands // options.stem_stride[0])
        for stage in options.stages:
            for position in range(stage.blocks):
                stride = stage.stride if position == 0 else (1, 1)
                blocks.append(ResidualBlock(width, stage.channels, stride, options.squeeze))
                width, bands = stage.channels, -(-bands // stride[0])
        self.blocks = nn.ModuleList(blocks)
        pooled = 2 * width * bands if options.pooling == "statistics" else width
        self.pooled_dropout = nn.Dropout(options.dropout)
        self.embed = nn.Sequential(nn.Linear(pooled, options.embedding), nn.BatchNorm1d(options.embedding), nn.ReLU())
        self.embedding_dropout = nn.Dropout(options.dropout)
        self.classify = nn.Linear(options.embedding, n_classes)
        self.embedding_size = options.embedding
        _initialise(self)

    def forward(self, features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and embedding; `features` are zero past each utterance's `counts` frames."""
        maps = torch.relu(self.stem(features[:, None]))
        counts = strided_counts(counts, self.options.stem_stride[1])
        maps = maps * frame_mask(counts, maps.shape[3])
        for block in self.blocks:
            maps, counts = block(maps, counts)
        mask = frame_mask(counts, maps.shape[3])
        if self.options.pooling == "statistics":
            pooled = pool_statistics(maps.flatten(1, 2), mask[:, :, 0])
        else:
            pooled = maps.sum((2, 3)) / (mask.sum((2, 3)) * maps.shape[2])
        embedding = self.embed(self.pooled_dropout(pooled))
        return self.classify(self.embedding_dropout(embedding)), embedding


def strided_counts(counts: Tensor, stride: int) -> Tensor:
    """Valid positions after a convolution of that stride: ceil(counts / stride)."""
    return counts if stride == 1 else torch.div(counts + (stride - 1), stride, rounding_mode="floor")


def frame_mask(counts: Tensor, n_frames: int) -> Tensor:
    """One where a frame is valid, shape (batch, 1, 1, n_frames)."""
    return length_mask(counts, n_frames)[:, None, None, :].float()


def pool_statistics(sequence: Tensor, mask: Tensor) -> Tensor:
    """Mean and standard deviation over the valid frames.

    Args:
        sequence: shape (batch, channels, n_frames), zero where masked.
        mask: shape (batch, 1, n_frames).
    Returns:
        shape (batch, 2 * channels).
    """
    count = mask.sum(2)
    mean = sequence.sum(2) / count
    variance = ((sequence - mean[:, :, None]) * mask).square().sum(2) / count
    # The floor keeps the root's gradient finite where a map is constant, as a dead one is.
    return torch.cat([mean, torch.sqrt(variance + 1e-5)], dim=1)


def _initialise(network: ResidualNetwork) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for block in network.blocks:
        # Each block starts as its shortcut (Goyal et al. 2017, section 5.1), which steadies the first epochs.
        nn.init.zeros_(block.second.norm.weight)  # type: ignore[union-attr,arg-type]
