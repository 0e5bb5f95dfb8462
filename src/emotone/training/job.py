"""A training job, the record of its epochs, and its result."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

from emotone.features.augmentation import AugmentationOptions
from emotone.features.silence import SilenceOptions
from emotone.files import write_text
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import Indices, LabelledWaveforms
from emotone.training.data.frame_cache import FrameCache
from emotone.training.losses import LossOptions
from emotone.training.options import TrainingOptions


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: a row of history.csv."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    validation_uar: float
    learning_rate: float
    seconds: float
    clips_per_second: float


@dataclass(frozen=True, slots=True)
class Part:
    """Who learns and who chooses the epoch, as indices into the corpus."""

    train: Indices
    validation: Indices


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is to be trained, and how.

    Attributes:
        network: freshly initialised; training changes it.
        data: the whole corpus.
        part: who learns and who chooses the epoch.
        options: optimiser and stopping.
        loss: focal loss and class weights.
        augmentation: what is changed.
        silence: copies with other silence, of waveforms; those of `frames` are made with them.
        seed: of the run.
        fold: of the run.
        run_key: identifies recipe, folds and seed; a checkpoint with another key is refused.
        folder: of the fold, for its checkpoint and history.
        frames: of a frozen encoder, for the training and the validation part; None for other front ends.
    """

    network: RecognitionNetwork
    data: LabelledWaveforms
    part: Part
    options: TrainingOptions
    loss: LossOptions
    augmentation: AugmentationOptions
    silence: SilenceOptions
    seed: int
    fold: int
    run_key: str
    folder: Path
    frames: FrameCache | None = None


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


def write_history(path: Path, history: list[EpochRecord]) -> None:
    """Write the history as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(EpochRecord.__slots__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in history)
    write_text(path, text.getvalue())
