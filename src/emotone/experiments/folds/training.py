"""One fold: train, choose the epoch and the temperature on validation speakers, score test speakers once.

Conventions: the files of a fold are those of `emotone.evaluation.run_folder`.
"""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from emotone.corpora import Corpus, Split
from emotone.errors import TrainingError
from emotone.evaluation.calibration import fit_temperature
from emotone.evaluation.predictions import Predictions
from emotone.experiments.folds.processes import EpochListener
from emotone.experiments.folds.teaching import taught
from emotone.experiments.folds.warm_start import initial_facts, load_initial_weights
from emotone.experiments.plan import Plan
from emotone.features.augmentation import derived_seed
from emotone.features.encoder_frames import EncoderFrames
from emotone.features.phonemes import PhonemeVocabulary
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.checkpoint import write_weights
from emotone.training.data.batches import LabelledWaveforms
from emotone.training.data.frame_cache import FrameCache
from emotone.training.data.waveform_store import WaveformStore
from emotone.training.device import make_accelerator
from emotone.training.job import Part, TrainedNetwork, TrainingJob
from emotone.training.loop import train
from emotone.training.scoring import score


@dataclass(frozen=True)
class TrainedFold:
    """A fold that is trained and not scored on its test speakers."""

    trained: TrainedNetwork
    network: RecognitionNetwork
    data: LabelledWaveforms
    split: Split
    vocabulary: PhonemeVocabulary | None
    frames: FrameCache | None
    accelerator: Accelerator


def validation_uar(plan: Plan, seed: int, fold: int, report: EpochListener | None = None) -> float:
    """Train one fold and return the UAR of its best epoch on validation speakers. Test speakers are not scored.

    Raises:
        TrainingError: see `emotone.training.loop.train`.
    """
    trained = train_fold(plan, seed, fold, report).trained
    return trained.history[trained.best_epoch - 1].validation_uar


def run_fold(plan: Plan, seed: int, fold: int, report: EpochListener | None = None) -> None:
    """Train and score one fold, and write its files.

    Raises:
        TrainingError: see `emotone.training.loop.train`.
    """
    done = train_fold(plan, seed, fold, report)
    folder, recipe, corpus = plan.fold(seed, fold), plan.recipe, plan.corpus
    trained, network, data, split, accelerator = done.trained, done.network, done.data, done.split, done.accelerator
    frames = done.frames
    validation = score(network, data, split.validation, frames)
    temperature = fit_temperature(validation, data.targets[split.validation])
    predictions = _predictions(plan, fold, split.test, score(network, data, split.test, frames), temperature)
    if not accelerator.is_main_process:
        return
    about = {
        "recipe": recipe.model_dump(mode="json"),
        "labels": list(corpus.classes),
        "temperature": temperature,
        "corpus": corpus.name,
        "licence": corpus.licence,
        "protocol": plan.folds.protocol,
        "fold_hash": plan.folds.hash,
        "fold": fold,
        "seed": seed,
    }
    if plan.init is not None:
        about["initialised_from"] = initial_facts(plan.init)
    if done.vocabulary is not None:
        about["phonemes"] = list(done.vocabulary.symbols)
    write_weights(folder.weights, trained.network, about)
    best = trained.history[trained.best_epoch - 1]
    info = {
        "fold": fold,
        "seed": seed,
        "run_key": plan.run_key(seed, fold),
        "test_speakers": list(plan.folds.folds[fold].test),
        "validation_speakers": list(plan.folds.folds[fold].validation),
        "best_epoch": trained.best_epoch,
        "epochs_run": len(trained.history),
        "temperature": temperature,
        "seconds": round(trained.seconds, 1),
        # A GPU counts whole: what its host's processor does meanwhile is not what such a run costs.
        "core_seconds": round(trained.core_seconds if accelerator.device.type == "cpu" else trained.seconds, 1),
        "clips_per_second": round(float(np.median([record.clips_per_second for record in trained.history])), 1),
        "n_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "validation_uar": best.validation_uar,
        "device": device_name(accelerator.device),
        "precision": accelerator.mixed_precision,
        "cores": torch.get_num_threads(),
        "command": plan.command,
        "looks": plan.looks,
    }
    folder.finish(predictions, info)


def train_fold(plan: Plan, seed: int, fold: int, report: EpochListener | None) -> TrainedFold:
    """Train one fold without scoring it.

    Raises:
        TrainingError: see `emotone.training.loop.train`.
        CheckpointError: the initial weights do not fit.
    """
    if plan.threads:
        torch.set_num_threads(plan.threads)
    recipe, corpus = plan.recipe, plan.corpus
    split = plan.folds.folds[fold].indices(corpus)
    store = WaveformStore(plan.store, sample_rate=recipe.features.sample_rate)
    data = LabelledWaveforms(
        store.open(corpus.utterances),
        np.asarray(corpus.targets(), dtype=np.int64),
        [utterance.id for utterance in corpus.utterances],
        len(corpus.classes),
    )
    torch.manual_seed(derived_seed(seed, fold, "weights"))
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=len(corpus.classes))
    if plan.init is not None:
        load_initial_weights(network, plan.init, recipe, corpus.classes)
    vocabulary = None
    if network.network.needs_phonemes:
        vocabulary, phonemes = _phonemes(corpus, split, limit=getattr(recipe.model, "max_phonemes", 0))
        data = replace(data, phonemes=phonemes)
    weights = corpus_weights(corpus, split.train, recipe.training.corpus_exponent)
    if weights is not None:
        data = replace(data, weights=weights)
    if recipe.training.teacher_embedding and plan.teacher is None:
        raise TrainingError("the recipe has training.teacher_embedding, but there is no teacher: set it to 0")
    if plan.teacher is not None:
        data = taught(plan, data, split.train)
        if recipe.training.teacher_embedding and data.embeddings is not None:
            network.learn_embeddings(data.embeddings.shape[1])
    frames = None
    if isinstance(network.front_end, EncoderFrames) and not recipe.features.trainable:
        frames = FrameCache.open(
            network,
            data.waveforms,
            folder=plan.store / "frames",
            conditions=recipe.copies,
            copied=split.train,
            others=np.concatenate([split.validation, split.test]),
            neutral=other_neutral(corpus),
            silence=recipe.silence,
        )
    accelerator = make_accelerator(recipe.training, plan.device)
    trained = train(
        TrainingJob(
            network,
            data,
            Part(split.train, split.validation),
            options=recipe.training,
            loss=recipe.loss,
            augmentation=recipe.augmentation,
            silence=recipe.silence,
            seed=seed,
            fold=fold,
            run_key=plan.run_key(seed, fold),
            folder=plan.fold(seed, fold).path,
            frames=frames,
        ),
        accelerator=accelerator,
        workers=plan.workers,
        progress=None if report is None else lambda record, n_epochs: report(seed, fold, record, n_epochs),
    )
    network.teacher_map = None
    return TrainedFold(trained, network, data, split, vocabulary, frames, accelerator)


def corpus_weights(
    corpus: Corpus, train: np.ndarray[Any, Any], exponent: float
) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """Weights of utterances by the size of their corpus within a merged one, mean 1 over the training part.

    Args:
        corpus: merged or not.
        train: indices of the training part.
        exponent: weights are n ** -exponent, n the training utterances of the same corpus; 0 gives None.
    """
    if not exponent:
        return None
    names = np.array([utterance.id.partition("/")[0] for utterance in corpus.utterances])
    sizes = Counter(names[train].tolist())
    weights = np.array([max(1, sizes[name]) ** -exponent for name in names])
    scaled: np.ndarray[Any, np.dtype[np.float32]] = (weights / weights[train].mean()).astype(np.float32)
    return scaled


def other_neutral(corpus: Corpus) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """For each utterance, the other neutral utterances of its speaker."""
    neutral: dict[str, list[int]] = {}
    for index, utterance in enumerate(corpus.utterances):
        if utterance.emotion == "neutral":
            neutral.setdefault(utterance.speaker, []).append(index)
    return [
        np.array([other for other in neutral.get(utterance.speaker, ()) if other != index], dtype=np.int64)
        for index, utterance in enumerate(corpus.utterances)
    ]


def device_name(device: torch.device) -> str:
    """The device in words, to show with a score."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def _phonemes(corpus: Corpus, split: Split, *, limit: int) -> tuple[PhonemeVocabulary, torch.Tensor]:
    """The vocabulary of the training speakers, and every utterance's numbers in it."""
    sequences = [utterance.phonemes for utterance in corpus.utterances]
    if not any(sequences):
        raise TrainingError(
            f"the recipe needs phonemes, but no utterance of {corpus.name} has any; "
            "IEMOCAP's alignments and EmoDB's lablaut files have them (read with phonemes=True)"
        )
    vocabulary = PhonemeVocabulary.learn([sequences[index] or () for index in split.train], limit=limit)
    return vocabulary, vocabulary.encode(sequences)


def _predictions(
    plan: Plan, fold: int, indices: np.ndarray[Any, Any], logits: np.ndarray[Any, Any], temperature: float
) -> Predictions:
    utterances = [plan.corpus.utterances[index] for index in indices]
    targets = np.asarray(plan.corpus.targets(), dtype=np.int64)
    return Predictions(
        labels=plan.corpus.classes,
        utterances=tuple(utterance.id for utterance in utterances),
        speakers=tuple(utterance.speaker for utterance in utterances),
        sexes=tuple(utterance.sex or "" for utterance in utterances),
        folds=np.full(len(indices), fold, dtype=np.int64),
        truth=targets[indices],
        logits=logits,
        temperatures=np.full(len(indices), temperature),
    )
