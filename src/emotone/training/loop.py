"""The training loop: optimiser, one-cycle schedule, choice of the epoch on validation speakers, exact resumption.

Conventions: an epoch is one pass over the training part; UAR is on the validation part, from the averaged weights where
averaging is on. A run that is killed resumes from its last whole epoch and ends with the same bits, since every random
number follows from (seed, fold, epoch, utterance or step).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from emotone.errors import CheckpointError, TrainingError
from emotone.evaluation.metrics import accuracy, unweighted_average_recall
from emotone.evaluation.run_folder import FoldFolder
from emotone.features.augmentation import derived_seed
from emotone.models.network import Criterion
from emotone.training.checkpoint import BestEpoch, Checkpoint, WeightAverage, snapshot
from emotone.training.data.batches import Batch, scoring_batches, training_batches
from emotone.training.data.feature_cache import FeatureCache
from emotone.training.data.frame_cache import FrameCache
from emotone.training.data.silence_copies import SilenceCopies
from emotone.training.device import fastest_memory_format, make_accelerator
from emotone.training.job import EpochRecord, TrainedNetwork, TrainingJob, write_history
from emotone.training.linear import fit_linear
from emotone.training.losses import build_criterion, focal_loss
from emotone.training.optimiser import build_optimiser, optimiser_parts, restore_optimiser, set_rate
from emotone.training.options import learning_rate_at
from emotone.training.scoring import on_device, score

NORMALISATION_UTTERANCES = 1024
"""The normaliser's statistics settle long before so many utterances; more only cost time."""


Progress = Callable[[EpochRecord, int], None]


def train(
    job: TrainingJob,
    *,
    accelerator: Accelerator | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> TrainedNetwork:
    """Train one network on one split, resuming where an earlier attempt stopped.

    Args:
        job: what is to be trained.
        accelerator: device and precision; made from the job's options where None.
        workers: threads that prepare batches ahead.
        progress: called with each epoch's record and the number of epochs.
    Raises:
        TrainingError: a part is empty, or the loss is no longer finite.
        CheckpointError: the folder holds another run's checkpoint.
    """
    return _Run(job, accelerator or make_accelerator(job.options), workers, progress).to_the_end()


class _Run:
    """The state of one training run; made, run to the end, thrown away."""

    def __init__(self, job: TrainingJob, accelerator: Accelerator, workers: int, progress: Progress | None) -> None:
        if len(job.part.train) < 2 or len(job.part.validation) < 1:
            raise TrainingError(
                f"got {len(job.part.train)} training and {len(job.part.validation)} validation utterances; "
                "expected at least 2 and 1: use more speakers, or another protocol"
            )
        self.job, self.accelerator, self.workers, self.progress = job, accelerator, workers, progress
        self.data, self.part, self.options = job.data, job.part, job.options
        self.n_epochs = job.options.n_epochs(len(job.part.train))
        job.network.to(accelerator.device)
        layout = fastest_memory_format(job.network)
        self.plain = job.network.to(memory_format=layout)  # type: ignore[call-overload]  # absent from its stubs
        self.optimiser: Any = build_optimiser(self.plain, job.options)
        self.history: list[EpochRecord] = []
        self.best = BestEpoch()
        self.step, self.seconds, self.core_seconds = 0, 0.0, 0.0
        self.cache: FeatureCache | FrameCache | None = job.frames
        self.silence = SilenceCopies(job.data.waveforms, job.silence) if job.silence.copies else None
        self.average: WeightAverage | None = None
        targets = torch.from_numpy(job.data.targets[job.part.train])
        self.class_counts = torch.bincount(targets, minlength=job.data.n_classes)
        self.criterion = build_criterion(job.loss, self.class_counts, accelerator.device)

    @property
    def checkpoint_path(self) -> Path:
        return FoldFolder(self.job.folder).checkpoint

    def to_the_end(self) -> TrainedNetwork:
        if self.checkpoint_path.exists():
            self._resume()
        else:
            self._fit_normaliser()
            if self.job.frames is not None and getattr(self.plain.network, "linear", None) is not None:
                fit_linear(self.plain.network, self.job.frames, self.data, self.part.train, self._seed_of("linear"))
            phonemes = None if self.data.phonemes is None else self.data.phonemes[torch.from_numpy(self.part.train)]
            self.plain.network.prepare(self.class_counts, phonemes, self._seed_of("prepare"))
            self.average = WeightAverage(self.plain, self.options.average) if self.options.average else None
        everyone = np.concatenate([self.part.train, self.part.validation])
        if self.cache is None and FeatureCache.pays(self.job.augmentation, self.job.silence, self.options.crop_s):
            self.cache = FeatureCache.fill(self.plain, self.data, everyone)
        self.model, self.optimiser = self.accelerator.prepare(self.plain, self.optimiser)
        while len(self.history) < self.n_epochs and not self._out_of_patience():
            self._epoch()
        self.plain.load_state_dict(self.best.weights)
        self.plain.eval()
        began, spent = time.perf_counter(), time.process_time()
        self.plain.network.complete(self._training_features())
        self.seconds += time.perf_counter() - began
        self.core_seconds += time.process_time() - spent
        return TrainedNetwork(self.plain, tuple(self.history), self.best.epoch, self.seconds, self.core_seconds)

    def _seed_of(self, *what: str | int) -> int:
        return derived_seed(self.job.seed, self.job.fold, *what)

    def _training_features(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        device = self.accelerator.device
        for members, waveform, lengths in scoring_batches(self.data, self.part.train):
            features, counts = self.plain.features(waveform.to(device), lengths.to(device))
            targets = torch.from_numpy(self.data.targets[self.part.train[members]])
            yield features, counts, targets.to(device)

    def _fit_normaliser(self) -> None:
        if self.job.frames is not None:
            self.job.frames.fit_normaliser(self.part.train)
            return
        generator = np.random.Generator(np.random.PCG64(self._seed_of("normaliser")))
        chosen = generator.permutation(self.part.train)[:NORMALISATION_UTTERANCES]
        device = self.accelerator.device
        with torch.no_grad():
            self.plain.normaliser.fit(
                self.plain.front_end(waveform.to(device), lengths.to(device))
                for _, waveform, lengths in scoring_batches(self.data, chosen)
            )

    def _epoch(self) -> None:
        began, spent = time.perf_counter(), time.process_time()
        epoch, options, device = len(self.history), self.options, self.accelerator.device
        n_batches = math.ceil(len(self.part.train) / options.batch_size / self.accelerator.num_processes)
        n_steps = n_batches * self.n_epochs
        self.model.train()
        losses, clips, rate = torch.zeros((), device=device), 0, 0.0
        for position, batch in enumerate(
            training_batches(
                self.data,
                self.part.train,
                batch_size=options.batch_size,
                crop_s=options.crop_s,
                augmentation=self.job.augmentation,
                seed=self.job.seed,
                fold=self.job.fold,
                epoch=epoch,
                rank=self.accelerator.process_index,
                world=self.accelerator.num_processes,
                workers=self.workers,
                with_waveforms=self.cache is None,
                silence=self.silence,
            )
        ):
            rate = learning_rate_at(epoch * n_batches + position, n_steps, options)
            set_rate(self.optimiser, rate)
            # Dropout's numbers follow from the step alone, so that a resumed epoch draws the same ones.
            torch.manual_seed(self._seed_of(epoch, "dropout", position))
            with self.accelerator.autocast():
                output = self._output(batch)
            value = self.plain.network.training_loss(output, batch.targets.to(device), self._criterion_of(batch))
            value = value + self._error_of_embeddings(batch, output[1])
            self.optimiser.zero_grad(set_to_none=True)
            self.accelerator.backward(value)
            if options.clip_norm:
                self.accelerator.clip_grad_norm_(self.model.parameters(), options.clip_norm)
            self.optimiser.step()
            self.step += 1
            if self.average is not None:
                self.average.update(self.step)
            losses += value.detach() * len(batch.members)
            clips += len(batch.members)
        trained_s = time.perf_counter() - began
        mean_loss = float(losses) / max(1, clips)
        if not math.isfinite(mean_loss):
            raise TrainingError(
                f"the training loss is {mean_loss} in epoch {epoch + 1}; lower training.learning_rate or clip_norm"
            )
        self._validate(mean_loss, rate, clips / trained_s * self.accelerator.num_processes, began, spent)

    def _criterion_of(self, batch: Batch) -> Criterion:
        if self.data.weights is None:
            return self.criterion
        weights = torch.from_numpy(self.data.weights[batch.members]).to(self.accelerator.device)
        return partial(self.criterion, sample_weights=weights)

    def _error_of_embeddings(self, batch: Batch, embedding: Tensor) -> Tensor | float:
        """How far the network's embedding is from the teacher's, times its weight; 0 where it does not learn it."""
        if self.plain.teacher_map is None or self.data.embeddings is None:
            return 0.0
        wanted = torch.from_numpy(self.data.embeddings[batch.members]).to(embedding.device)
        return self.options.teacher_embedding * nn.functional.mse_loss(self.plain.teacher_map(embedding), wanted)

    def _output(self, batch: Batch) -> tuple[Tensor, Tensor]:
        device = self.accelerator.device
        phonemes = on_device(device, self.data.phonemes_of(batch.members))
        baseline = None
        if self.cache is None:
            output = self.model(batch.waveform.to(device), batch.lengths.to(device), batch.masks, phonemes=phonemes)
        else:
            if isinstance(self.cache, FrameCache):
                features, counts, baseline = self.cache.draw(batch.members, batch.generators)
                baseline = baseline.to(device)
            else:
                features, counts = self.cache(batch.members)
            output = self.model(None, counts.to(device), batch.masks, features.to(device), phonemes, baseline)
        logits, embedding = output
        return logits, embedding

    def _validate(self, train_loss: float, rate: float, clips_per_second: float, began: float, spent: float) -> None:
        own = snapshot(self.plain)
        if self.average is not None:
            self.plain.load_state_dict(self.average.weights)
        with self.accelerator.autocast():
            logits = score(self.plain, self.data, self.part.validation, self.cache)
        truth = self.data.targets[self.part.validation]
        prediction = logits.argmax(1)
        value = float(focal_loss(torch.from_numpy(logits), torch.from_numpy(truth), gamma=0.0))
        uar = unweighted_average_recall(truth, prediction, self.data.n_classes)
        if self.options.keep == "last":
            self.best = BestEpoch()
        self.best.offer(len(self.history) + 1, uar, value, self.plain)
        self.plain.load_state_dict(own)
        seconds = time.perf_counter() - began
        self.seconds += seconds
        self.core_seconds += time.process_time() - spent
        record = EpochRecord(
            epoch=len(self.history) + 1,
            train_loss=train_loss,
            validation_loss=value,
            validation_accuracy=accuracy(truth, prediction, self.data.n_classes),
            validation_uar=uar,
            learning_rate=rate,
            seconds=seconds,
            clips_per_second=clips_per_second,
        )
        self.history.append(record)
        if self.accelerator.is_main_process:
            self._save()
        self.accelerator.wait_for_everyone()
        if self.progress is not None:
            self.progress(record, self.n_epochs)

    def _out_of_patience(self) -> bool:
        return bool(self.options.patience) and len(self.history) - self.best.epoch >= self.options.patience

    def _save(self) -> None:
        moments, optimiser_step = optimiser_parts(self.plain, self.optimiser.optimizer)
        state = {
            "run_key": self.job.run_key,
            "history": [asdict(record) for record in self.history],
            "best": [self.best.uar, self.best.loss, self.best.epoch],
            "step": self.step,
            "optimiser_step": optimiser_step,
            "seconds": self.seconds,
            "core_seconds": self.core_seconds,
        }
        average = {} if self.average is None else self.average.weights
        parts = {"model": snapshot(self.plain), "average": average, "best": self.best.weights, **moments}
        Checkpoint(parts, state).write(self.checkpoint_path)
        write_history(FoldFolder(self.job.folder).history, self.history)

    def _resume(self) -> None:
        checkpoint = Checkpoint.read(self.checkpoint_path)
        state = checkpoint.state
        if state.get("run_key") != self.job.run_key:
            raise CheckpointError(
                f"{self.checkpoint_path} belongs to another run (other recipe, folds, seed or corpus); "
                "name another output folder"
            )
        try:
            self.plain.load_state_dict(checkpoint.parts["model"])
            device = self.accelerator.device
            if self.options.average:
                average = {name: t.to(device) for name, t in checkpoint.parts["average"].items()}
                self.average = WeightAverage(self.plain, self.options.average, average)
            uar, loss, epoch = state["best"]
            weights = {name: t.to(device) for name, t in checkpoint.parts["best"].items()}
            self.best = BestEpoch(uar, loss, epoch, weights)
            self.history = [EpochRecord(**record) for record in state["history"]]
            self.step, self.seconds, self.core_seconds = state["step"], state["seconds"], state["core_seconds"]
            restore_optimiser(self.plain, self.optimiser, checkpoint.parts, state["optimiser_step"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self.checkpoint_path} does not fit this network: {error}") from error
