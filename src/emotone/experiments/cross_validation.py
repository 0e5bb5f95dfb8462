"""Cross-validation: train, choose the epoch and the temperature on validation speakers, score test speakers once.

Conventions: a run folder holds `run.json` (what was asked), `seed-S/fold-FF/` with predictions.csv, history.csv,
model.safetensors and fold.json, and `results.json`. A fold is done when its fold.json stands, which is written last; a
fold that is done is never done again.
"""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emotone.cores import available_cores
from emotone.corpora import Corpus, Split
from emotone.errors import TrainingError
from emotone.evaluation.calibration import fit_temperature
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.evaluation.summary import summarise
from emotone.experiments.fold_processes import EpochListener, run_in_processes
from emotone.experiments.plan import Listener, Plan, SilentListener, read_fold_info
from emotone.features.augmentation import derived_seed
from emotone.features.phonemes import PhonemeVocabulary
from emotone.files import write_text
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.batches import LabelledWaveforms
from emotone.training.checkpoint import write_weights
from emotone.training.device import make_accelerator
from emotone.training.job import Part, TrainingJob
from emotone.training.loop import train
from emotone.training.scoring import score
from emotone.training.waveform_store import WaveformStore


def cross_validate(plan: Plan, *, jobs: int = 1, listener: Listener | None = None) -> Results:
    """Run every fold of every seed that is not done yet, and sum up.

    Args:
        plan: what to run.
        jobs: folds at once, each in a process of its own; the scores do not depend on it where `threads` is set.
        listener: hears how it goes.
    Returns:
        the results, which also stand in results.json.
    Raises:
        TrainingError: the folder holds another run.
        EmotoneError: whatever a fold raises, or its process was killed; the folds that are done stay done.
    """
    listener = listener or SilentListener()
    _claim_folder(plan)
    todo = [(seed, fold) for seed in plan.seeds for fold in plan.fold_numbers if not _is_done(plan, seed, fold)]
    for seed in plan.seeds:
        for fold in plan.fold_numbers:
            if (seed, fold) not in todo:
                listener.fold_done(seed, fold, read_fold_info(plan.fold_folder(seed, fold)), False)
    if todo:
        WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(
            plan.corpus.utterances, workers=available_cores(), progress=listener.decoded
        )
        if jobs > 1:
            run_in_processes(run_fold, plan, todo, jobs, listener)
        else:
            for seed, fold in todo:
                run_fold(plan, seed, fold, listener.epoch)
                listener.fold_done(seed, fold, read_fold_info(plan.fold_folder(seed, fold)), True)
    return collect(plan)


def run_fold(plan: Plan, seed: int, fold: int, report: EpochListener | None = None) -> None:
    """Train and score one fold; its files stand in the plan's fold folder.

    Raises:
        TrainingError: see `emotone.training.loop.train`.
    """
    if plan.threads:
        torch.set_num_threads(plan.threads)
    folder, recipe, corpus = plan.fold_folder(seed, fold), plan.recipe, plan.corpus
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
    vocabulary = None
    if network.network.needs_phonemes:
        vocabulary, phonemes = _phonemes(corpus, split, limit=getattr(recipe.model, "max_phonemes", 0))
        data = replace(data, phonemes=phonemes)
    accelerator = make_accelerator(recipe.training, plan.device)
    trained = train(
        TrainingJob(
            network,
            data,
            Part(split.train, split.validation),
            options=recipe.training,
            loss=recipe.loss,
            augmentation=recipe.augmentation,
            seed=seed,
            fold=fold,
            run_key=plan.run_key(seed, fold),
            folder=folder,
        ),
        accelerator=accelerator,
        workers=plan.workers,
        progress=None if report is None else lambda record, n_epochs: report(seed, fold, record, n_epochs),
    )
    temperature = fit_temperature(score(network, data, split.validation), data.targets[split.validation])
    predictions = _predictions(plan, fold, split.test, score(network, data, split.test), temperature)
    if not accelerator.is_main_process:
        return
    predictions.write(folder / "predictions.csv")
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
    if vocabulary is not None:
        about["phonemes"] = list(vocabulary.symbols)
    write_weights(folder / "model.safetensors", trained.network, about)
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
    }
    write_text(folder / "fold.json", json.dumps(info, indent=2) + "\n")
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)


def collect(plan: Plan) -> Results:
    """Sum up the folds that are done into results.json.

    Raises:
        TrainingError: a fold of the plan is not done.
    """
    by_seed: dict[int, Predictions] = {}
    infos: list[dict[str, Any]] = []
    for seed in plan.seeds:
        missing = [fold for fold in plan.fold_numbers if not _is_done(plan, seed, fold)]
        if missing:
            raise TrainingError(f"folds {missing} of seed {seed} are not done in {plan.folder}; run them first")
        folders = [plan.fold_folder(seed, fold) for fold in plan.fold_numbers]
        by_seed[seed] = concatenate([Predictions.read(folder / "predictions.csv") for folder in folders])
        infos += [read_fold_info(folder) for folder in folders]
    n_folds = len(plan.folds.folds)
    whole = len(plan.fold_numbers) == n_folds
    numbers = ", ".join(map(str, plan.fold_numbers))
    results = summarise(
        by_seed,
        fold_info=infos,
        corpus=plan.corpus.name,
        protocol=plan.folds.protocol + ("" if whole or n_folds == 1 else f", fold {numbers} of {n_folds} alone"),
        fold_hash=plan.folds.hash,
        speaker_independent=plan.folds.speaker_independent,
        sentences_shared=plan.corpus.sentences_shared,
        recipe_name=plan.recipe.name,
        recipe=plan.recipe.model_dump(mode="json"),
        command=plan.command,
        device=infos[0].get("device", ""),
        tests_looked_at=plan.looks,
    )
    results.write(plan.folder / "results.json")
    return results


def device_name(device: torch.device) -> str:
    """The device in words, as it stands beside a score."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as a person would type it, without the machine's own paths to the program."""
    typed = list(sys.argv if arguments is None else arguments)
    return shlex.join([Path(typed[0]).name, *typed[1:]])


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


def _is_done(plan: Plan, seed: int, fold: int) -> bool:
    folder = plan.fold_folder(seed, fold)
    if not (folder / "fold.json").exists():
        return False
    found = read_fold_info(folder).get("run_key")
    if found != plan.run_key(seed, fold):
        raise TrainingError(
            f"{folder} holds another run (other recipe, folds, corpus or labels); choose another output folder"
        )
    return True


def _claim_folder(plan: Plan) -> None:
    """Write down what was asked; a folder of another recipe or other folds is refused before anything is done."""
    asked = {
        "corpus": plan.corpus.name,
        "classes": list(plan.corpus.classes),
        "labels of utterances": plan.corpus.digest,
        "protocol": plan.folds.protocol,
        "fold_hash": plan.folds.hash,
        "recipe": plan.recipe.model_dump(mode="json"),
    }
    path = plan.folder / "run.json"
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainingError(f"{path} is damaged ({error}); choose another output folder") from error
        differing = [key for key in asked if found.get(key) != json.loads(json.dumps(asked[key]))]
        if differing:
            raise TrainingError(
                f"{plan.folder} holds a run with other {', '.join(differing)}; choose another output folder"
            )
        return
    write_text(path, json.dumps(asked, indent=2) + "\n")
