"""Batches of waveforms for training and for scoring.

Conventions: a batch pads its utterances with zeros to the longest; utterances of like length are put together, so that
little is padding. All that is random in one epoch follows from (seed, fold, epoch, utterance) or (seed, fold, epoch).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotone.features.augmentation import (
    AugmentationOptions,
    FeatureMasks,
    augment_waveform,
    derived_seed,
    mix,
    utterance_generator,
)
from emotone.training.data.silence_copies import SilenceCopies
from emotone.training.data.waveform_store import StoredWaveforms
from emotone.training.losses import soft_targets

Indices = NDArray[np.int64]

LENGTH_JITTER = 0.25
"""Lengths are sorted by logarithm plus uniform noise of this size: like lengths together, new company each epoch."""

SCORING_SAMPLES = 16_000 * 240
"""A scoring batch holds at most so many samples, padding included: bounded memory whatever the lengths."""


@dataclass(frozen=True, slots=True)
class LabelledWaveforms:
    """A part of a corpus, ready for training: waveforms, class indices, names.

    Attributes:
        waveforms: of the whole corpus.
        targets: class index of each utterance, shape (n,).
        names: id of each utterance; seeds hang on it.
        n_classes: emotions.
        phonemes: numbers of each utterance's phonemes, padded with 0, shape (n, longest); None where none are needed.
        soft: probabilities of a teacher that the network learns from instead of the targets, shape (n, n_classes);
            None where it learns from the targets.
        embeddings: of a teacher, which the network learns to give as well, standardised, shape (n, d); None for none.
        weights: of each utterance in the training loss, shape (n,); None where all weigh the same.
    """

    waveforms: StoredWaveforms
    targets: NDArray[np.int64]
    names: Sequence[str]
    n_classes: int
    phonemes: Tensor | None = None
    soft: NDArray[np.float32] | None = None
    embeddings: NDArray[np.float32] | None = None
    weights: NDArray[np.float32] | None = None

    def learnt_targets(self, indices: Indices) -> Tensor:
        """What a network learns for some utterances, as probabilities, shape (len(indices), n_classes)."""
        if self.soft is not None:
            return torch.from_numpy(self.soft[indices])
        return soft_targets(torch.from_numpy(self.targets[indices]), self.n_classes)

    def phonemes_of(self, indices: Indices) -> Tensor | None:
        """Phoneme numbers of some utterances, shape (len(indices), longest of them); None where there are none."""
        if self.phonemes is None:
            return None
        rows = self.phonemes[torch.from_numpy(indices)]
        return rows[:, : int((rows != 0).sum(1).max())]


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch.

    Attributes:
        members: index of each utterance in the corpus, shape (batch,).
        waveform: shape (batch, n_samples), float32, zero past each utterance's end; empty where not asked for.
        lengths: samples of each, shape (batch,).
        targets: soft labels, shape (batch, n_classes).
        masks: where SpecAugment hides each utterance.
        generators: of each utterance in this epoch, after all the above was drawn.
    """

    members: Indices
    waveform: Tensor
    lengths: Tensor
    targets: Tensor
    masks: FeatureMasks
    generators: Sequence[np.random.Generator] = ()


def pad(waveforms: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Waveforms of any lengths -> (batch, n_samples) padded with zeros, and lengths (batch,)."""
    lengths = [len(waveform) for waveform in waveforms]
    padded = np.zeros((len(waveforms), max(lengths)), dtype=np.float32)
    for row, waveform in zip(padded, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return torch.from_numpy(padded), torch.tensor(lengths)


def epoch_order(lengths: NDArray[np.int64], indices: Indices, batch_size: int, seed: int) -> list[Indices]:
    """The batches of one epoch, as arrays of indices: like lengths together, batches in random order.

    A last batch of one utterance is dropped, since batch normalisation cannot learn from it; it comes again next epoch
    in other company.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    key = np.log(lengths[indices]) + generator.uniform(-LENGTH_JITTER, LENGTH_JITTER, len(indices))
    ordered = indices[np.argsort(key, kind="stable")]
    batches = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    batches = [batch for batch in batches if len(batch) > 1]
    return [batches[position] for position in generator.permutation(len(batches))]


def training_batches(
    data: LabelledWaveforms,
    indices: Indices,
    *,
    batch_size: int,
    crop_s: float,
    augmentation: AugmentationOptions,
    seed: int,
    fold: int,
    epoch: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    with_waveforms: bool = True,
    silence: SilenceCopies | None = None,
) -> Iterator[Batch]:
    """The augmented batches of one epoch.

    Args:
        data: the whole corpus.
        indices: the training part.
        batch_size: utterances in a batch.
        crop_s: longest part taken of an utterance in seconds, at a random place; 0 for no limit.
        augmentation: what is changed.
        seed: of the run.
        fold: of the run.
        epoch: counted from 0.
        rank: which share of the batches to yield, of `world` (several processes).
        world: how many shares.
        workers: threads that prepare batches ahead; they change the speed, never the content.
        with_waveforms: False leaves the waveforms out, where features are cached.
        silence: draws copies with other silence, where there are some.
    """
    order_seed = derived_seed(seed, fold, epoch, "order")
    jobs = list(enumerate(epoch_order(data.waveforms.lengths, indices, batch_size, order_seed)))
    # Every process must take the same number of steps, else the last gradient exchange waits for ever.
    jobs = jobs[: len(jobs) - len(jobs) % world][rank::world] if len(jobs) >= world else jobs

    def prepare(job: tuple[int, Indices]) -> Batch:
        number, members = job
        generators = [utterance_generator(seed, fold, epoch, data.names[index]) for index in members]
        if not with_waveforms:
            targets = data.learnt_targets(members)
            masks = FeatureMasks.draw(augmentation, generators)
            return Batch(members, torch.empty(0), torch.empty(0), targets, masks, generators)
        cut = [_crop(data.waveforms, index, crop_s, g, silence) for index, g in zip(members, generators, strict=True)]
        rate = data.waveforms.sample_rate
        changed = [augment_waveform(w, augmentation, g, sample_rate=rate) for w, g in zip(cut, generators, strict=True)]
        waveform, lengths = pad(changed)
        targets = data.learnt_targets(members)
        if augmentation.mixup:
            generator = np.random.Generator(np.random.PCG64(derived_seed(seed, fold, epoch, "mixup", number)))
            share = float(generator.beta(augmentation.mixup, augmentation.mixup))
            order = torch.from_numpy(generator.permutation(len(members)))
            waveform, lengths, targets = mix(waveform, lengths, targets, share=share, order=order)
        return Batch(members, waveform, lengths, targets, FeatureMasks.draw(augmentation, generators))

    if not workers:
        yield from map(prepare, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(prepare, job) for job in jobs[: 2 * workers]]
        for position in range(len(jobs)):
            batch = waiting.pop(0).result()
            following = position + 2 * workers
            if following < len(jobs):
                waiting.append(pool.submit(prepare, jobs[following]))
            yield batch


def scoring_batches(data: LabelledWaveforms, indices: Indices) -> Iterator[tuple[Indices, Tensor, Tensor]]:
    """Whole utterances, unchanged, shortest first: (positions within `indices`, waveform, lengths)."""
    order = np.argsort(data.waveforms.lengths[indices], kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order):
            longest = int(data.waveforms.lengths[indices[order[stop]]])
            if (stop + 1 - start) * longest > SCORING_SAMPLES or stop - start >= 64:
                break
            stop += 1
        members = order[start:stop]
        waveform, lengths = pad([data.waveforms.read(int(indices[position])) for position in members])
        yield members, waveform, lengths
        start = stop


def _crop(
    waveforms: StoredWaveforms,
    index: int,
    crop_s: float,
    generator: np.random.Generator,
    silence: SilenceCopies | None,
) -> NDArray[np.float32]:
    limit = round(crop_s * waveforms.sample_rate)
    copy = None if silence is None else silence.draw(index, generator)
    spare = (int(waveforms.lengths[index]) if copy is None else len(copy)) - limit
    start = int(generator.integers(0, spare + 1)) if limit and spare > 0 else 0
    if copy is None:
        return waveforms.read(index, start, limit or None)
    return copy[start : start + limit] if limit else copy
