"""Frames of a frozen encoder in memory, with augmented copies and speakers' baselines, for training heads.

Conventions: frames are kept as float16 and normalised when a batch is made, except those of an encoder that is
fine-tuned, which the network finishes (`RecognitionNetwork.finish`); a batch's frames are
(batch, n_channels, n_frames), zero past each utterance's end. A baseline is an embedding (batch, 2 * n_channels): the
mean over neutral utterances of the speaker of each utterance's channel means, after normalisation, and zeros behind it.
A row of zeros means that there is none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotone.features.conditions import ConditionOptions
from emotone.features.encoder_frames import EncoderFrames
from emotone.features.silence import SilenceOptions
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.frame_store import FrameStore
from emotone.training.data.waveform_store import StoredWaveforms

Indices = NDArray[np.int64]
Frames = NDArray[np.float16]


FINISHED_UTTERANCES = 1024
"""The normaliser's statistics settle long before so many utterances, and blocks that learn take time."""


class FrameCache:
    """Frames of some utterances of a corpus, and of their augmented copies.

    Args:
        network: whose front end made the frames; its normaliser is applied to them.
        frames: for each copy, beginning with the recordings themselves, the frames (n_frames, n_channels) of each
            utterance of the corpus; empty arrays for utterances that are not in the cache.
        neutral: for each utterance, the other neutral utterances of its speaker.
        shares: for each copy, the recordings among them, the probability that it is drawn for training.
    """

    def __init__(
        self,
        network: RecognitionNetwork,
        frames: Sequence[Sequence[Frames]],
        neutral: Sequence[Indices],
        shares: Sequence[float],
    ) -> None:
        self._network, self._frames, self._neutral = network, frames, neutral
        self._bounds = np.cumsum(shares[1:])
        self._means: dict[tuple[int, int], NDArray[np.float32]] = {}

    @classmethod
    def open(
        cls,
        network: RecognitionNetwork,
        waveforms: StoredWaveforms,
        *,
        folder: str | os.PathLike[str],
        conditions: ConditionOptions,
        copied: Indices,
        others: Indices,
        neutral: Sequence[Indices],
        silence: SilenceOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> FrameCache:
        """Read the frames of a corpus from the store, computing those that are missing.

        Args:
            network: with an `EncoderFrames` as its front end.
            waveforms: of the corpus.
            folder: of the store.
            conditions: how copies under other conditions are made, and how many.
            copied: utterances that are needed with all copies.
            others: utterances of which only the recordings themselves are needed.
            neutral: for each utterance, the other neutral utterances of its speaker.
            silence: how copies with other silence are made, and how many; none by default.
            progress: called with (done, all) while frames are computed.
        Raises:
            StoreError: the store cannot be read or written.
        """
        front_end = network.front_end
        if not isinstance(front_end, EncoderFrames):
            raise TypeError(f"got a front end of type {type(front_end).__name__}; expected EncoderFrames")
        silence = silence or SilenceOptions()
        store = FrameStore(folder, front_end, conditions, silence)
        everyone = sorted({*copied.tolist(), *others.tolist()})
        store.fill(waveforms, everyone, [0], progress)
        copies = [*range(1, conditions.copies + 1), *range(-1, -silence.copies - 1, -1)]
        if copies:
            store.fill(waveforms, copied.tolist(), copies, progress)
        nothing = np.zeros((0, front_end.n_channels), dtype=np.float16)
        frames = []
        for copy, members in [(0, set(everyone)), *((copy, set(copied.tolist())) for copy in copies)]:
            frames.append(
                [store.read(path, copy) if index in members else nothing for index, path in enumerate(waveforms.paths)]
            )
        shares = [
            *[conditions.share / max(conditions.copies, 1)] * conditions.copies,
            *[silence.share / max(silence.copies, 1)] * silence.copies,
        ]
        return cls(network, frames, neutral, [1 - sum(shares), *shares])

    @property
    def n_copies(self) -> int:
        """Versions of each training utterance, the recording itself among them."""
        return len(self._frames)

    def fit_normaliser(self, indices: Indices) -> None:
        """Measure mean and scale of each channel on these utterances; all frames weigh the same.

        Of an encoder that is fine-tuned they are measured before it learns, on every so many of the utterances.
        """
        front_end: Any = self._network.front_end
        chosen = indices
        if front_end.options.fine_tuned:
            chosen = indices[:: max(1, len(indices) // FINISHED_UTTERANCES)]
        with torch.no_grad():
            self._network.normaliser.fit(
                self._finished(
                    torch.from_numpy(self._frames[0][index].T.astype(np.float32))[None],
                    torch.tensor([len(self._frames[0][index])]),
                )
                for index in chosen.tolist()
            )

    def _finished(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        front_end: Any = self._network.front_end
        if not front_end.options.fine_tuned:
            return frames, counts
        device = self._network.normaliser.mean.device
        features, counts = front_end.finish(frames.to(device), counts.to(device))
        return features.cpu(), counts.cpu()

    def __call__(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """Frames of the recordings themselves, and frame counts (batch,)."""
        return self.of_copy(indices, 0)

    def of_copy(self, indices: Indices, copy: int) -> tuple[Tensor, Tensor]:
        """Frames of one copy of each utterance, and frame counts (batch,)."""
        return self._batch([self._frames[copy][index] for index in indices.tolist()])

    def draw(self, indices: Indices, generators: Sequence[np.random.Generator]) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of a random copy of each utterance, frame counts, and baselines for training.

        Args:
            indices: utterances that were opened with copies, shape (batch,).
            generators: of each utterance; what is drawn depends on nothing else.
        """
        options: Any = self._network.network.options
        copies = [self._draw_copy(generator) for generator in generators]
        features, counts = self._batch(
            [self._frames[copy][index] for index, copy in zip(indices.tolist(), copies, strict=True)]
        )
        baseline = torch.zeros(len(indices), 2 * features.shape[1])
        for row, index, copy, generator in zip(baseline, indices.tolist(), copies, generators, strict=True):
            wanted = generator.random() < options.baseline
            number = int(generator.integers(1, options.baseline_clips + 1))
            if wanted and len(self._neutral[index]):
                chosen = generator.permutation(self._neutral[index])[:number]
                row.copy_(self._baseline(chosen, copy))
        return features, counts, baseline

    def _draw_copy(self, generator: np.random.Generator) -> int:
        if self.n_copies == 1:
            return 0
        place = int(np.searchsorted(self._bounds, generator.random(), side="right"))
        return place + 1 if place < len(self._bounds) else 0

    def baselines(
        self, indices: Indices, n_clips: int, generators: Sequence[np.random.Generator], copy: int = 0
    ) -> Tensor:
        """Baselines of utterances; zeros where a speaker has no other neutral utterance.

        Args:
            indices: utterances, shape (batch,).
            n_clips: neutral utterances in each baseline.
            generators: of each utterance.
            copy: of the neutral utterances; 0 for the recordings themselves.
        """
        rows = []
        for index, generator in zip(indices.tolist(), generators, strict=True):
            chosen = generator.permutation(self._neutral[index])[:n_clips]
            rows.append(self._baseline(chosen, copy))
        return torch.stack(rows)

    def _baseline(self, chosen: Indices, copy: int) -> Tensor:
        n_channels = self._network.normaliser.mean.shape[0]
        if not len(chosen):
            return torch.zeros(2 * n_channels)
        mean = torch.from_numpy(np.mean([self._mean(index, copy) for index in chosen.tolist()], axis=0))
        normaliser = self._network.normaliser
        usual = (mean - normaliser.mean.cpu()) * normaliser.scale.cpu()
        return torch.cat([usual, torch.zeros_like(usual)])

    def _mean(self, index: int, copy: int) -> NDArray[np.float32]:
        if (index, copy) not in self._means:
            frames = self._frames[copy][index]
            if not len(frames):
                frames = self._frames[0][index]
            self._means[index, copy] = frames.astype(np.float32).mean(0)
        return self._means[index, copy]

    def _batch(self, chosen: Sequence[Frames]) -> tuple[Tensor, Tensor]:
        counts = torch.tensor([len(one) for one in chosen])
        padded = np.zeros((len(chosen), int(counts.max()), chosen[0].shape[1]), dtype=np.float32)
        for row, one in zip(padded, chosen, strict=True):
            row[: len(one)] = one
        features = torch.from_numpy(padded).transpose(1, 2).contiguous()
        if self._network.front_end.options.fine_tuned:
            return features, counts
        with torch.no_grad():
            device = self._network.normaliser.mean.device
            return self._network.normaliser(features.to(device), counts.to(device)).cpu(), counts
