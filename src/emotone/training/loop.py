"""The training loop: optimiser, one-cycle schedule, choice of the epoch on validation speakers, exact resumption.

Conventions: an epoch is one pass over the training part; UAR is on the validation part, from the averaged weights where
averaging is on. A run that is killed resumes from its last whole epoch and ends with the same bits, since every random
number follows from (seed, fold, epoch, utterance or step).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from emotone.errors import CheckpointError, TrainingError
from emotone.evaluation.metrics import accuracy, unweighted_average_recall
from emotone.features.augmentation import AugmentationOptions, derived_seed
from emotone.models.largest_answers import has_bfloat16_units
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.batches import Indices, LabelledWaveforms, scoring_batches, training_batches
from emotone.training.checkpoint import Checkpoint, optimiser_parts, restore_optimiser, snapshot
from emotone.training.feature_cache import FeatureCache
from emotone.training.history import EpochRecord, write_history
from emotone.training.losses import LossOptions, build_criterion, focal_loss
from emotone.training.memory_format import fastest_memory_format
from emotone.training.options import TrainingOptions, learning_rate_at
from emotone.training.scoring import on_device, score

NORMALISATION_UTTERANCES = 1024
"""The normaliser's statistics settle long before so many utterances; more only cost time."""


@dataclass(frozen=True, slots=True)
class Part:
    """Who learns and who chooses the epoch, as indices into the corpus."""

    train: Indices
    validation: Indices


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """What training gave.

    Attributes:
        network: with the weights of the best epoch, in evaluation mode.
        history: one record an epoch.
        best_epoch: counted from 1.
        seconds: of training, over all resumptions.
        core_seconds: of this process on all its cores; other work on the machine does not count.
    """

    network: RecognitionNetwork
    history: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float
    core_seconds: float


Progress = Callable[[EpochRecord, int], None]

_OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adadelta": torch.optim.Adadelta,
}


def train(
    network: RecognitionNetwork,
    data: LabelledWaveforms,
    part: Part,
    *,
    options: TrainingOptions,
    loss: LossOptions,
    augmentation: AugmentationOptions,
    seed: int,
    fold: int,
    run_key: str,
    folder: Path,
    accelerator: Accelerator | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> TrainedNetwork:
    """Train one network on one split, resuming where an earlier attempt stopped.

    Args:
        network: freshly initialised; it is changed.
        data: the whole corpus.
        part: who learns and who chooses the epoch.
        options: optimiser and stopping.
        loss: focal loss and class weights.
        augmentation: what is changed.
        seed: of the run.
        fold: of the run.
        run_key: identifies recipe, folds and seed; a checkpoint with another key is refused.
        folder: for checkpoint.safetensors and history.csv.
        accelerator: device and precision; made from `options` where None.
        workers: threads that prepare batches ahead.
        progress: called with each epoch's record and the number of epochs.
    Raises:
        TrainingError: a part is empty, or the loss is no longer finite.
        CheckpointError: the folder holds another run's checkpoint.
    """
    return _Run(
        network, data, part, options, loss, augmentation, seed, fold, run_key, folder, accelerator, workers, progress
    ).to_the_end()


class _Run:
    """The state of one training run; made, run to the end, thrown away."""

    def __init__(
        self,
        network: RecognitionNetwork,
        data: LabelledWaveforms,
        part: Part,
        options: TrainingOptions,
        loss: LossOptions,
        augmentation: AugmentationOptions,
        seed: int,
        fold: int,
        run_key: str,
        folder: Path,
        accelerator: Accelerator | None,
        workers: int,
        progress: Progress | None,
    ) -> None:
        if len(part.train) < 2 or len(part.validation) < 1:
            raise TrainingError(
                f"got {len(part.train)} training and {len(part.validation)} validation utterances; "
                "expected at least 2 and 1: use more speakers, or another protocol"
            )
        self.data, self.part, self.options, self.loss = data, part, options, loss
        self.n_epochs = options.n_epochs(len(part.train))
        self.augmentation, self.seed, self.fold, self.run_key = augmentation, seed, fold, run_key
        self.folder, self.workers, self.progress = folder, workers, progress
        self.accelerator = accelerator or make_accelerator(options)
        network.to(self.accelerator.device)
        layout = fastest_memory_format(network)
        self.plain = network.to(memory_format=layout)  # type: ignore[call-overload]  # absent from its stubs
        self.optimiser: Any = _OPTIMISERS[options.optimiser](
            _decayed_groups(self.plain, options), lr=options.learning_rate
        )
        self.history: list[EpochRecord] = []
        self.best_uar, self.best_loss, self.best_epoch = -1.0, math.inf, 0
        self.step, self.seconds, self.core_seconds = 0, 0.0, 0.0
        self.cache: FeatureCache | None = None
        self.average: dict[str, Tensor] = {}
        self.best: dict[str, Tensor] = {}
        self.class_counts = torch.bincount(torch.from_numpy(data.targets[part.train]), minlength=data.n_classes)
        self.criterion = build_criterion(loss, self.class_counts, self.accelerator.device)

    @property
    def checkpoint_path(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def to_the_end(self) -> TrainedNetwork:
        if self.checkpoint_path.exists():
            self._resume()
        else:
            self._fit_normaliser()
            phonemes = None if self.data.phonemes is None else self.data.phonemes[torch.from_numpy(self.part.train)]
            self.plain.network.prepare(self.class_counts, phonemes, derived_seed(self.seed, self.fold, "prepare"))
            self.average = snapshot(self.plain) if self.options.average else {}
        everyone = np.concatenate([self.part.train, self.part.validation])
        if FeatureCache.pays(self.augmentation, self.options.crop_s):
            self.cache = FeatureCache.fill(self.plain, self.data, everyone)
        self.model, self.optimiser = self.accelerator.prepare(self.plain, self.optimiser)
        while len(self.history) < self.n_epochs and not self._out_of_patience():
            self._epoch()
        self.plain.load_state_dict(self.best)
        self.plain.eval()
        began, spent = time.perf_counter(), time.process_time()
        self.plain.network.complete(self._training_features())
        self.seconds += time.perf_counter() - began
        self.core_seconds += time.process_time() - spent
        return TrainedNetwork(self.plain, tuple(self.history), self.best_epoch, self.seconds, self.core_seconds)

    def _training_features(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        device = self.accelerator.device
        for members, waveform, lengths in scoring_batches(self.data, self.part.train):
            features, counts = self.plain.features(waveform.to(device), lengths.to(device))
            targets = torch.from_numpy(self.data.targets[self.part.train[members]])
            yield features, counts, targets.to(device)

    def _fit_normaliser(self) -> None:
        generator = np.random.Generator(np.random.PCG64(derived_seed(self.seed, self.fold, "normaliser")))
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
                augmentation=self.augmentation,
                seed=self.seed,
                fold=self.fold,
                epoch=epoch,
                rank=self.accelerator.process_index,
                world=self.accelerator.num_processes,
                workers=self.workers,
                with_waveforms=self.cache is None,
            )
        ):
            rate = learning_rate_at(epoch * n_batches + position, n_steps, options)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            # Dropout's numbers follow from the step alone, so that a resumed epoch draws the same ones.
            torch.manual_seed(derived_seed(self.seed, self.fold, epoch, "dropout", position))
            phonemes = on_device(device, self.data.phonemes_of(batch.members))
            with self.accelerator.autocast():
                if self.cache is None:
                    output = self.model(
                        batch.waveform.to(device), batch.lengths.to(device), batch.masks, phonemes=phonemes
                    )
                else:
                    features, counts = self.cache(batch.members)
                    output = self.model(None, counts.to(device), batch.masks, features.to(device), phonemes)
            value = self.plain.network.training_loss(output, batch.targets.to(device), self.criterion)
            self.optimiser.zero_grad(set_to_none=True)
            self.accelerator.backward(value)
            if options.clip_norm:
                self.accelerator.clip_grad_norm_(self.model.parameters(), options.clip_norm)
            self.optimiser.step()
            self.step += 1
            self._average_weights()
            losses += value.detach() * len(batch.members)
            clips += len(batch.members)
        trained_s = time.perf_counter() - began
        mean_loss = float(losses) / max(1, clips)
        if not math.isfinite(mean_loss):
            raise TrainingError(
                f"the training loss is {mean_loss} in epoch {epoch + 1}; lower training.learning_rate or clip_norm"
            )
        self._validate(mean_loss, rate, clips / trained_s * self.accelerator.num_processes, began, spent)

    def _average_weights(self) -> None:
        if not self.average:
            return
        # Early averages would remember the random start; the decay grows until it reaches the recipe's.
        decay = min(self.options.average, (1 + self.step) / (10 + self.step))
        weights = self.plain.state_dict()
        floating = [name for name, tensor in self.average.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.average[n] for n in floating], [weights[n] for n in floating], 1 - decay)
        for name, tensor in self.average.items():
            if not tensor.is_floating_point():
                tensor.copy_(weights[name])

    def _validate(self, train_loss: float, rate: float, clips_per_second: float, began: float, spent: float) -> None:
        own = snapshot(self.plain)
        if self.average:
            self.plain.load_state_dict(self.average)
        with self.accelerator.autocast():
            logits = score(self.plain, self.data, self.part.validation, self.cache)
        truth = self.data.targets[self.part.validation]
        prediction = logits.argmax(1)
        value = float(focal_loss(torch.from_numpy(logits), torch.from_numpy(truth), gamma=0.0))
        uar = unweighted_average_recall(truth, prediction, self.data.n_classes)
        # Equal UARs are common on few speakers; the lower loss decides between them.
        if (uar, -value) > (self.best_uar, -self.best_loss):
            self.best_uar, self.best_loss, self.best_epoch = uar, value, len(self.history) + 1
            self.best = snapshot(self.plain)
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
        return bool(self.options.patience) and len(self.history) - self.best_epoch >= self.options.patience

    def _save(self) -> None:
        moments, optimiser_step = optimiser_parts(self.plain, self.optimiser.optimizer)
        state = {
            "run_key": self.run_key,
            "history": [asdict(record) for record in self.history],
            "best": [self.best_uar, self.best_loss, self.best_epoch],
            "step": self.step,
            "optimiser_step": optimiser_step,
            "seconds": self.seconds,
            "core_seconds": self.core_seconds,
        }
        parts = {"model": snapshot(self.plain), "average": self.average, "best": self.best, **moments}
        Checkpoint(parts, state).write(self.checkpoint_path)
        write_history(self.folder / "history.csv", self.history)

    def _resume(self) -> None:
        checkpoint = Checkpoint.read(self.checkpoint_path)
        state = checkpoint.state
        if state.get("run_key") != self.run_key:
            raise CheckpointError(
                f"{self.checkpoint_path} belongs to another run (other recipe, folds, seed or corpus); "
                "choose another output folder, or delete it to start again"
            )
        try:
            self.plain.load_state_dict(checkpoint.parts["model"])
            device = self.accelerator.device
            self.average = {name: t.to(device) for name, t in checkpoint.parts.get("average", {}).items()}
            self.best = {name: t.to(device) for name, t in checkpoint.parts["best"].items()}
            self.history = [EpochRecord(**record) for record in state["history"]]
            self.best_uar, self.best_loss, self.best_epoch = state["best"]
            self.step, self.seconds, self.core_seconds = state["step"], state["seconds"], state["core_seconds"]
            restore_optimiser(self.plain, self.optimiser, checkpoint.parts, state["optimiser_step"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self.checkpoint_path} does not fit this network: {error}") from error


def make_accelerator(options: TrainingOptions, device: str | None = None) -> Accelerator:
    """Accelerate's view of device and precision; a CPU without matrix units for bfloat16 computes in float32.

    Args:
        options: for the precision.
        device: "cpu" keeps off the GPU, "cuda" insists on it; None takes what is there.
    Raises:
        TrainingError: a GPU was insisted on, and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("got device cuda, but PyTorch sees no GPU; leave --device out to use what is there")
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    able = not on_cpu or (options.precision == "bf16" and has_bfloat16_units())
    return Accelerator(cpu=device == "cpu", mixed_precision=options.precision if able else "no")


def _decayed_groups(network: RecognitionNetwork, options: TrainingOptions) -> list[dict[str, Any]]:
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [
        {"params": weights, "weight_decay": options.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
