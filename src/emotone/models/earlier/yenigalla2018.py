"""Yenigalla et al. (2018): four parallel convolutions over a spectrogram, over phoneme embeddings, or over both.

Conventions: spectrograms are (batch, n_bands, n_frames) of fixed size, their padding visible, as in the paper; phonemes
are numbers (batch, longest), 0 past each utterance's end (`features.phonemes`).

References:
    Yenigalla, Kumar, Tripathi, Singh, Kar, Vepa (2018): Speech Emotion Recognition Using Spectrogram & Phoneme
    Embedding, Interspeech. What is known of it second-hand or not at all is in the recipes' `choices`.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from emotone.features.front_end import FeatureOptions, FrontEnd
from emotone.features.phonemes import PADDING
from emotone.models.earlier.largest_answers import LargestAnswers
from emotone.models.earlier.word2vec import learn_embedding
from emotone.models.network import EmotionNetwork

KERNELS = ((12, 16), (18, 24), (24, 32), (30, 40))
"""(band, frame) of the parallel convolutions over the spectrogram."""

WIDTHS = (3, 9, 13, 17)
"""Phonemes under each of the parallel convolutions over the embedding."""


class YenigallaOptions(BaseModel):
    """Settings of the network; the recipe's table `[model]`.

    Attributes:
        system: names this file.
        inputs: "spectrogram", "phonemes", or "both".
        kernels: maps of each convolution over the spectrogram.
        dense: units of the two dense layers of the spectrogram network.
        dropout: after the first dense layer, and before the phoneme network's.
        max_phonemes: number of distinct phonemes at most, padding and unknown included.
        embedding: size of a phoneme's vector.
        window: word2vec's, in phonemes.
        word2vec_epochs: word2vec's passes.
        phoneme_kernels: maps of each convolution over phonemes.
        phoneme_dense: units of the phoneme network's dense layer.
        channel_dense: units of each channel's dense layer before the two are joined.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: Literal["yenigalla2018"] = "yenigalla2018"
    inputs: Literal["spectrogram", "phonemes", "both"] = "spectrogram"
    kernels: int = Field(200, ge=1)
    dense: tuple[int, int] = (400, 200)
    dropout: float = Field(0.5, ge=0, lt=1)
    max_phonemes: int = Field(128, ge=4)
    embedding: int = Field(100, ge=1)
    window: int = Field(4, ge=1)
    word2vec_epochs: int = Field(5, ge=0)
    phoneme_kernels: int = Field(100, ge=1)
    phoneme_dense: int = Field(200, ge=2)
    channel_dense: int = Field(200, ge=2)


class NoFeatures(FrontEnd):
    """The front end of a network that does not listen: one empty frame."""

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros of shape (batch, 1, 1), and one frame each."""
        return waveform.new_zeros(len(waveform), 1, 1), torch.ones_like(lengths)


class SpectrogramChannel(nn.Module):
    """Four parallel convolutions, each pooled to a quarter map: (batch, n_bands, n_frames) -> (batch, 16 * kernels)."""

    def __init__(self, kernels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                LargestAnswers(kernels, kernel),
                # After the pooling, where it costs a ten-thousandth of the memory.
                nn.BatchNorm2d(kernels),
                nn.ReLU(),
            )
            for kernel in KERNELS
        )
        self.size = 4 * kernels * len(KERNELS)

    def forward(self, features: Tensor) -> Tensor:
        """The four branches side by side."""
        return torch.cat([branch(features[:, None]).flatten(1) for branch in self.branches], dim=1)


class PhonemeChannel(nn.Module):
    """Embedding, four parallel convolutions, maximum over the utterance: (batch, longest) -> (batch, 4 * kernels)."""

    def __init__(self, options: YenigallaOptions) -> None:
        super().__init__()
        self.embedding = nn.Embedding(options.max_phonemes, options.embedding, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(options.embedding, options.phoneme_kernels, width, padding=width // 2) for width in WIDTHS
        )
        self.size = options.phoneme_kernels * len(WIDTHS)

    def forward(self, phonemes: Tensor) -> Tensor:
        """The largest answer of each kernel to the utterance's own phonemes."""
        inside = (phonemes != PADDING)[:, None, :]
        vectors = self.embedding(phonemes).transpose(1, 2) * inside
        maps = torch.cat([torch.relu(convolution(vectors)) for convolution in self.convolutions], dim=1)
        return (maps * inside).amax(2)


class YenigallaNetwork(EmotionNetwork):
    """Spectrogram, phonemes or both in; logits and the last hidden layer out.

    Shape:
        features (batch, n_bands, n_frames), counts (batch,), phonemes (batch, longest)
        -> logits (batch, n_classes), embedding (batch, d)
    """

    def __init__(self, options: YenigallaOptions, *, n_classes: int) -> None:
        super().__init__()
        self.options = options
        self.needs_phonemes = options.inputs != "spectrogram"
        self.spectrogram: SpectrogramChannel | None = None
        self.phonemes: PhonemeChannel | None = None
        if options.inputs != "phonemes":
            self.spectrogram = SpectrogramChannel(options.kernels)
        if options.inputs != "spectrogram":
            self.phonemes = PhonemeChannel(options)
        self.spectrogram_dense: nn.Module | None = None
        self.phoneme_dense: nn.Module | None = None
        if options.inputs == "spectrogram" and self.spectrogram is not None:
            first, second = options.dense
            self.spectrogram_dense = nn.Sequential(
                *_dense(self.spectrogram.size, first), nn.Dropout(options.dropout), *_dense(first, second)
            )
            width = second
        elif options.inputs == "phonemes" and self.phonemes is not None:
            self.phoneme_dense = nn.Sequential(
                nn.Dropout(options.dropout), *_dense(self.phonemes.size, options.phoneme_dense)
            )
            width = options.phoneme_dense
        elif self.spectrogram is not None and self.phonemes is not None:
            self.spectrogram_dense = _channel(self.spectrogram.size, options)
            self.phoneme_dense = _channel(self.phonemes.size, options)
            width = 2 * options.channel_dense
        self.join = nn.BatchNorm1d(width) if options.inputs == "both" else nn.Identity()
        self.classify = nn.Linear(width, n_classes)
        self.embedding_size = width

    def prepare(self, class_counts: Tensor, phonemes: Tensor | None, seed: int) -> None:
        """Learn the phonemes' vectors on the training speakers' sequences; training goes on from them."""
        if self.phonemes is None:
            return
        if phonemes is None:
            raise ValueError("got no phonemes; a network over phonemes needs those of the training speakers")
        options, weight = self.options, self.phonemes.embedding.weight
        vectors = learn_embedding(
            phonemes,
            n_symbols=options.max_phonemes,
            size=options.embedding,
            window=options.window,
            epochs=options.word2vec_epochs,
            seed=seed,
        )
        with torch.no_grad():
            weight.copy_(vectors)

    def forward(self, features: Tensor, counts: Tensor, phonemes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits and embedding; `phonemes` where the network needs them."""
        parts = []
        if self.spectrogram is not None and self.spectrogram_dense is not None:
            parts.append(self.spectrogram_dense(self.spectrogram(features)))
        if self.phonemes is not None and self.phoneme_dense is not None:
            if phonemes is None:
                raise ValueError("got no phonemes; this network needs them, shape (batch, longest)")
            parts.append(self.phoneme_dense(self.phonemes(phonemes)))
        embedding = self.join(torch.cat(parts, dim=1))
        return self.classify(embedding), embedding


def _dense(n_inputs: int, n_outputs: int) -> list[nn.Module]:
    return [nn.Linear(n_inputs, n_outputs, bias=False), nn.BatchNorm1d(n_outputs), nn.ReLU()]


def _channel(n_inputs: int, options: YenigallaOptions) -> nn.Module:
    dense = nn.Linear(n_inputs, options.channel_dense)
    return nn.Sequential(nn.Dropout(options.dropout), dense, nn.ReLU())
