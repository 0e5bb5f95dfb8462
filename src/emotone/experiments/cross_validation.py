"""Cross-validation: train, choose the epoch and the temperature on validation speakers, score test speakers once.

Conventions: a run folder holds `run.json` (what was asked), `seed-S/fold-FF/` with predictions.csv, history.csv,
model.safetensors and fold.json, and `results.json`. A fold is done when its fold.json stands, which is written last; a
fold that is done is never done again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty
from typing import Any, Protocol

import numpy as np
import torch

from emotone.corpora import Corpus, Split
from emotone.errors import EmotoneError, TrainingError
from emotone.evaluation.calibration import fit_temperature
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.evaluation.summary import summarise
from emotone.experiments.recipe import Recipe
from emotone.features.augmentation import derived_seed
from emotone.features.phonemes import PhonemeVocabulary
from emotone.files import write_text
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.batches import LabelledWaveforms
from emotone.training.checkpoint import write_weights
from emotone.training.loop import EpochRecord, Part, make_accelerator, score, train
from emotone.training.waveform_store import WaveformStore


class Partition(Protocol):
    """One fold: who is in which part, and where their utterances stand."""

    @property
    def validation(self) -> tuple[str, ...]:
        """Speakers who choose the epoch and the temperature."""

    @property
    def test(self) -> tuple[str, ...]:
        """Speakers who are scored."""

    def indices(self, corpus: Corpus) -> Split:
        """Positions of each part's utterances."""


class Partitions(Protocol):
    """A protocol's folds: those of `corpora.folds`, or the leaky ones of `experiments.leakage`."""

    @property
    def protocol(self) -> str:
        """Its name."""

    @property
    def folds(self) -> Sequence[Partition]:
        """In order."""

    @property
    def hash(self) -> str:
        """Changes with who is where."""

    @property
    def speaker_independent(self) -> bool:
        """False where a speaker may stand on both sides."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        corpus: as a task: its classes are the model's outputs.
        folds: of a protocol.
        recipe: all settings.
        seeds: each seed runs every fold.
        folder: the run folder.
        store: the waveform store's folder.
        only_folds: run just these; None for all.
        device: "cpu", or None for what is there.
        workers: threads that prepare batches ahead.
        threads: of PyTorch in each process; 0 leaves PyTorch's own choice.
        command: how the run was started, as it stands in the results.
        looks: how many times these test folds have been looked at so far, where somebody counts.
    Raises:
        TrainingError: a fold number outside the protocol, or no seed.
    """

    corpus: Corpus
    folds: Partitions
    recipe: Recipe
    seeds: tuple[int, ...]
    folder: Path
    store: Path
    only_folds: tuple[int, ...] | None = None
    device: str | None = None
    workers: int = 0
    threads: int = 0
    command: str = ""
    looks: int | None = None

    def __post_init__(self) -> None:
        outside = [fold for fold in self.fold_numbers if not 0 <= fold < len(self.folds.folds)]
        if outside or not self.fold_numbers or not self.seeds:
            raise TrainingError(
                f"got folds {list(self.fold_numbers)} and seeds {list(self.seeds)}; "
                f"{self.folds.protocol} has folds 0 to {len(self.folds.folds) - 1}, and one seed is needed"
            )

    @property
    def fold_numbers(self) -> tuple[int, ...]:
        """The folds to run."""
        return tuple(range(len(self.folds.folds))) if self.only_folds is None else self.only_folds

    def fold_folder(self, seed: int, fold: int) -> Path:
        """Where a fold's files stand."""
        return self.folder / f"seed-{seed}" / f"fold-{fold:02d}"

    def run_key(self, seed: int, fold: int) -> str:
        """Changes with anything that changes a fold's result."""
        asked = [
            self.corpus.name,
            self.corpus.classes,
            self.folds.hash,
            self.recipe.model_dump(mode="json"),
            seed,
            fold,
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


class Listener(Protocol):
    """Hears how a run goes."""

    def decoded(self, done: int, total: int) -> None:
        """So many utterances are in the store."""

    def epoch(self, seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        """A fold has finished an epoch."""

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """A fold is done; `fresh` is False where it was found done."""


class SilentListener:
    """Hears and says nothing."""

    def decoded(self, done: int, total: int) -> None:
        """Ignored."""

    def epoch(self, seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        """Ignored."""

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """Ignored."""


EpochReport = Callable[[int, int, EpochRecord, int], None]


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
        EmotoneError: whatever a fold raises; the folds that are done stay done.
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
            plan.corpus.utterances, workers=os.cpu_count() or 1, progress=listener.decoded
        )
        if jobs > 1:
            _run_in_processes(plan, todo, jobs, listener)
        else:
            for seed, fold in todo:
                run_fold(plan, seed, fold, listener.epoch)
                listener.fold_done(seed, fold, read_fold_info(plan.fold_folder(seed, fold)), True)
    return collect(plan)


def run_fold(plan: Plan, seed: int, fold: int, report: EpochReport | None = None) -> None:
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
        "clips_per_second": round(float(np.median([record.clips_per_second for record in trained.history])), 1),
        "n_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "validation_uar": best.validation_uar,
        "device": device_name(accelerator.device),
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


def read_fold_info(folder: Path) -> dict[str, Any]:
    """A fold's fold.json.

    Raises:
        TrainingError: it is missing or damaged.
    """
    try:
        info: dict[str, Any] = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{folder / 'fold.json'} cannot be read ({error}); delete the folder to run it again"
        ) from error
    return info


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
        raise TrainingError(f"{folder} holds another run (other recipe, folds or corpus); choose another output folder")
    return True


def _claim_folder(plan: Plan) -> None:
    """Write down what was asked; a folder of another recipe or other folds is refused before anything is done."""
    asked = {
        "corpus": plan.corpus.name,
        "classes": list(plan.corpus.classes),
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
                f"{plan.folder} holds a run with another {', '.join(differing)}; choose another output folder"
            )
        return
    write_text(path, json.dumps(asked, indent=2) + "\n")


def _run_in_processes(plan: Plan, todo: list[tuple[int, int]], jobs: int, listener: Listener) -> None:
    # Spawned, not forked: a fork would copy the locks of this process's threads.
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(jobs, mp_context=context) as pool:
        reports = manager.Queue()
        running: dict[Future[None], tuple[int, int]] = {
            pool.submit(_run_in_child, plan, seed, fold, reports): (seed, fold) for seed, fold in todo
        }
        failure: EmotoneError | None = None
        while running:
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            _drain(reports, listener)
            for future in done:
                seed, fold = running.pop(future)
                try:
                    future.result()
                    listener.fold_done(seed, fold, read_fold_info(plan.fold_folder(seed, fold)), True)
                except EmotoneError as error:
                    failure = failure or error
                    for waiting in running:
                        waiting.cancel()
                    running = {f: key for f, key in running.items() if not f.cancelled()}
        if failure is not None:
            raise failure


def _run_in_child(plan: Plan, seed: int, fold: int, reports: Any) -> None:
    run_fold(plan, seed, fold, lambda *report: reports.put(report))


def _drain(reports: Any, listener: Listener) -> None:
    while True:
        try:
            listener.epoch(*reports.get_nowait())
        except Empty:
            return
