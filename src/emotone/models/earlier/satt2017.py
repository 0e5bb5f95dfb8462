"""Satt, Rozenberg & Hoory (2017): convolutions, and convolutions with a BLSTM, over segments of at most 3 s.

An utterance is cut into equal segments of at most 3 s without overlap; each is classified alone, padded to 3 s; the
utterance's decision is the mean of its segments' probabilities. Segments are cut within the network, after any split by
speaker, so no segment of an utterance can stray into another part.

Conventions: maps are (n_segments, channels, n_bands, n_frames); kernels are (band, frame).

References:
    Satt, Rozenberg, Hoory (2017): Efficient Emotion Recognition from Speech Using Deep Learning on Spectrograms,
    Interspeech. What is known of it second-hand or not at all is in the recipes' `choices`.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from emotone.models.earlier.bidirectional import BidirectionalLstm
from emotone.models.earlier.first_convolution import FirstConvolution
from emotone.models.earlier.fourier_convolution import FourierConvolution
from emotone.models.network import Criterion, EmotionNetwork

CONVOLUTIONS = ((16, (12, 16)), (24, (8, 12)), (32, (5, 7)))
"""Maps and kernel of each convolution."""

BY_FOURIER_TRANSFORM = (8, 12)
"""The one kernel for which it was measured to be faster: the first has a single map before it, the last is small."""


def _convolution(width: int, maps: int, kernel: tuple[int, int]) -> nn.Conv2d:
    """The layer, in the form that was measured to be the fastest on a CPU."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    if width == 1:
        return FirstConvolution(maps, kernel, padding=padding)
    kind = FourierConvolution if kernel == BY_FOURIER_TRANSFORM else nn.Conv2d
    return kind(width, maps, kernel, padding=padding)


class SattOptions(BaseModel):
    """Settings of the network and of its front end; the recipe's table `[model]`.

    Attributes:
        system: names this file.
        layers: "convolution" alone, or "convolution_blstm".
        decision: "one_step"; or "two_step", where what the first classifier calls neutral is classified again by a
            second one, whose loss weighs the classes evenly.
        neutral: position of the neutral class among the outputs, for "two_step".
        harmonic_filtering: weaken what lies between the harmonics of voiced frames.
        bin_hz: of the spectrogram.
        n_bins: from 0 Hz on.
        window_s: Hamming window.
        step_s: step of the frames.
        segment_frames: longest segment.
        blstm: cells of each direction.
        dense: units of the dense layer, the embedding.
        dropout: before the last layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: Literal["satt2017"] = "satt2017"
    layers: Literal["convolution", "convolution_blstm"] = "convolution_blstm"
    decision: Literal["one_step", "two_step"] = "one_step"
    neutral: int = Field(0, ge=0)
    harmonic_filtering: bool = False
    bin_hz: float = Field(20.0, gt=0)
    n_bins: int = Field(200, ge=32)
    window_s: float = Field(0.04, gt=0)
    step_s: float = Field(0.01, gt=0)
    segment_frames: int = Field(300, ge=32)
    blstm: int = Field(128, ge=1)
    dense: int = Field(64, ge=2)
    dropout: float = Field(0.2, ge=0, lt=1)


def cut_segments(features: Tensor, counts: Tensor, longest: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut each utterance into the fewest equal segments of at most `longest` frames.

    Args:
        features: shape (batch, n_bands, n_frames).
        counts: valid frames, shape (batch,).
        longest: frames.
    Returns:
        segments (n_segments, n_bands, longest), zero past their end; their frames (n_segments,); and whose they are
        (n_segments,), in order.
    """
    pieces = torch.div(counts + longest - 1, longest, rounding_mode="floor")
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), pieces)
    first = torch.cumsum(pieces, 0) - pieces
    position = torch.arange(len(owner), device=counts.device) - first[owner]
    begin = torch.div(position * counts[owner], pieces[owner], rounding_mode="floor")
    end = torch.div((position + 1) * counts[owner], pieces[owner], rounding_mode="floor")
    frames = begin[:, None] + torch.arange(longest, device=counts.device)[None, :]
    inside = frames < end[:, None]
    index = torch.clamp(frames, max=features.shape[2] - 1)
    segments = features[owner].gather(2, index[:, None, :].expand(-1, features.shape[1], -1))
    return segments * inside[:, None, :], end - begin, owner


def mean_over_segments(values: Tensor, owner: Tensor, n_utterances: int) -> Tensor:
    """The mean of each utterance's segments: (n_segments, d), (n_segments,) -> (n_utterances, d)."""
    sums = torch.zeros(n_utterances, values.shape[1], dtype=values.dtype, device=values.device)
    return sums.index_add(0, owner, values) / torch.bincount(owner, minlength=n_utterances)[:, None]


class SattNetwork(EmotionNetwork):
    """Features in; in evaluation the logarithm of the segments' mean probabilities and their mean embedding.

    In training it gives the segments' logits, first and second classifier side by side, and whose each segment is.

    Shape:
        features (batch, n_bins, n_frames), counts (batch,) -> logits (batch, n_classes), embedding (batch, dense)
    """

    class_weights: Tensor

    def __init__(self, options: SattOptions, *, n_bands: int, n_classes: int) -> None:
        super().__init__()
        if options.neutral >= n_classes:
            raise ValueError(f"neutral is class {options.neutral}, but there are {n_classes} classes, counted from 0")
        self.options, self.n_classes, self.embedding_size = options, n_classes, options.dense
        layers: list[nn.Module] = []
        width, bands, frames = 1, n_bands, options.segment_frames
        for maps, kernel in CONVOLUTIONS:
            # The largest of what ReLU leaves is what ReLU leaves of the largest; so it costs a quarter.
            layers += [_convolution(width, maps, kernel), nn.MaxPool2d(2), nn.ReLU()]
            # An even kernel so padded makes its map one larger, which the pooling takes away again from an even one.
            width = maps
            bands = (bands + 2 * (kernel[0] // 2) - kernel[0] + 1) // 2
            frames = (frames + 2 * (kernel[1] // 2) - kernel[1] + 1) // 2
        self.convolutions = nn.Sequential(*layers)
        self.reduction = 2 ** len(CONVOLUTIONS)
        self.blstm: BidirectionalLstm | None = None
        if options.layers == "convolution_blstm":
            self.blstm = BidirectionalLstm(width * bands, options.blstm)
        flat = 2 * options.blstm if self.blstm is not None else width * bands * frames
        self.embed = nn.Sequential(nn.Linear(flat, options.dense), nn.ReLU(), nn.Dropout(options.dropout))
        self.classify = nn.Linear(options.dense, n_classes)
        self.judge_again = nn.Linear(options.dense, n_classes) if options.decision == "two_step" else None
        self.register_buffer("class_weights", torch.ones(n_classes))

    def prepare(self, class_counts: Tensor, phonemes: Tensor | None, seed: int) -> None:
        """Remember the weights under which the second classifier counts all classes alike."""
        counts = class_counts.to(self.class_weights)
        weights = counts.sum() / (len(counts) * torch.clamp(counts, min=1))
        self.class_weights.copy_(torch.where(counts > 0, weights, torch.zeros_like(weights)))

    def forward(self, features: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Segments' logits and owners in training; utterances' logits and embedding in evaluation."""
        segments, frames, owner = cut_segments(features, counts, self.options.segment_frames)
        embedding = self.embed(self._describe(segments, frames))
        first = self.classify(embedding)
        second = self.judge_again(embedding) if self.judge_again is not None else None
        if self.training:
            return (first if second is None else torch.cat([first, second], dim=1)), owner
        return self._decide(first, second, owner, len(counts)), mean_over_segments(embedding, owner, len(counts))

    def training_loss(self, output: tuple[Tensor, Tensor], targets: Tensor, criterion: Criterion) -> Tensor:
        """The recipe's loss of each segment under its utterance's label; plus the second's, class-balanced."""
        logits, owner = output
        own = targets[owner]
        loss = criterion(logits[:, : self.n_classes].float(), own)
        if self.judge_again is not None:
            weighted = own * self.class_weights
            log_p = torch.log_softmax(logits[:, self.n_classes :].float(), dim=1)
            loss = loss - (weighted * log_p).sum() / weighted.sum()
        return loss

    def _describe(self, segments: Tensor, frames: Tensor) -> Tensor:
        maps: Tensor = self.convolutions(segments[:, None])
        if self.blstm is None:
            return maps.flatten(1)
        sequence = maps.flatten(1, 2).transpose(1, 2)
        # The backward direction must begin at the segment's end, not in its padding.
        steps = torch.clamp(torch.div(frames, self.reduction, rounding_mode="floor"), 1, sequence.shape[1])
        return self.blstm.ends(sequence, steps)

    def _decide(self, first: Tensor, second: Tensor | None, owner: Tensor, n_utterances: int) -> Tensor:
        logits = torch.log(mean_over_segments(torch.softmax(first.float(), dim=1), owner, n_utterances) + 1e-12)
        if second is None:
            return logits
        again = torch.log(mean_over_segments(torch.softmax(second.float(), dim=1), owner, n_utterances) + 1e-12)
        return torch.where((logits.argmax(1) == self.options.neutral)[:, None], again, logits)
