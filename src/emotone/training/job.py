"""What is to be trained, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emotone.features.augmentation import AugmentationOptions
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.batches import Indices, LabelledWaveforms
from emotone.training.history import EpochRecord
from emotone.training.losses import LossOptions
from emotone.training.options import TrainingOptions


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
        seed: of the run.
        fold: of the run.
        run_key: identifies recipe, folds and seed; a checkpoint with another key is refused.
        folder: for checkpoint.safetensors and history.csv.
    """

    network: RecognitionNetwork
    data: LabelledWaveforms
    part: Part
    options: TrainingOptions
    loss: LossOptions
    augmentation: AugmentationOptions
    seed: int
    fold: int
    run_key: str
    folder: Path


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
