"""Cross-validation: train, choose the epoch and the temperature on validation speakers, score test speakers once.

Conventions: the files of a run are those of `emotone.evaluation.run_folder`. A fold that is done is never run again.
"""

from __future__ import annotations

from typing import Any

from emotone.cores import available_cores
from emotone.errors import TrainingError
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import RunFolder
from emotone.evaluation.summary import summarise
from emotone.experiments.folds.processes import run_in_processes
from emotone.experiments.folds.training import run_fold
from emotone.experiments.plan import Listener, Plan, SilentListener
from emotone.training.data.waveform_store import WaveformStore


def cross_validate(plan: Plan, *, jobs: int = 1, listener: Listener | None = None) -> Results:
    """Run every fold of every seed that is not done yet, and sum up.

    Args:
        plan: what to run.
        jobs: folds at once, each in a process of its own; the scores do not depend on it where `threads` is set.
        listener: of the progress.
    Returns:
        the results, which are also written to the run folder.
    Raises:
        TrainingError: the folder holds another run.
        EmotoneError: whatever a fold raises, or its process was killed; the folds that are done stay done.
    """
    listener = listener or SilentListener()
    _claim_folder(plan)
    todo = [(seed, fold) for seed in plan.seeds for fold in plan.fold_numbers if not plan.is_done(seed, fold)]
    for seed in plan.seeds:
        for fold in plan.fold_numbers:
            if (seed, fold) not in todo:
                listener.fold_done(seed, fold, plan.fold(seed, fold).read_info(), False)
    if todo:
        WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(
            plan.corpus.utterances, workers=available_cores(), progress=listener.decoded
        )
        if jobs > 1:
            run_in_processes(run_fold, plan, todo, jobs, listener)
        else:
            for seed, fold in todo:
                run_fold(plan, seed, fold, listener.epoch)
                listener.fold_done(seed, fold, plan.fold(seed, fold).read_info(), True)
    return collect(plan)


def run_one_fold(plan: Plan, seed: int, fold: int, listener: Listener) -> None:
    """Run one fold of a plan if it is not done yet, without summing up.

    Raises:
        TrainingError: the folder holds another run.
        EmotoneError: whatever the fold raises.
    """
    _claim_folder(plan)
    fresh = not plan.is_done(seed, fold)
    if fresh:
        WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(
            plan.corpus.utterances, workers=available_cores(), progress=listener.decoded
        )
        run_fold(plan, seed, fold, listener.epoch)
    listener.fold_done(seed, fold, plan.fold(seed, fold).read_info(), fresh)


def collect(plan: Plan) -> Results:
    """Sum up the folds that are done, and write the results.

    Raises:
        TrainingError: a fold of the plan is not done.
    """
    by_seed: dict[int, Predictions] = {}
    infos: list[dict[str, Any]] = []
    for seed in plan.seeds:
        missing = [fold for fold in plan.fold_numbers if not plan.is_done(seed, fold)]
        if missing:
            raise TrainingError(f"folds {missing} of seed {seed} are not done in {plan.folder}; run them first")
        folders = [plan.fold(seed, fold) for fold in plan.fold_numbers]
        by_seed[seed] = concatenate([Predictions.read(folder.predictions) for folder in folders])
        infos += [folder.read_info() for folder in folders]
    n_folds = len(plan.folds.folds)
    whole = len(plan.fold_numbers) == n_folds
    numbers = ", ".join(map(str, plan.fold_numbers))
    protocol = plan.folds.protocol + ("" if whole or n_folds == 1 else f", fold {numbers} of {n_folds} alone")
    results = summarise(by_seed, infos, plan.provenance(protocol=protocol, device=infos[0].get("device", "")))
    results.write(RunFolder(plan.folder).results)
    return results


def _claim_folder(plan: Plan) -> None:
    """Write down the settings; a folder of another recipe or other folds is refused before anything is trained."""
    RunFolder(plan.folder).claim(
        {
            "corpus": plan.corpus.name,
            "classes": list(plan.corpus.classes),
            "labels of utterances": plan.corpus.digest,
            "protocol": plan.folds.protocol,
            "fold_hash": plan.folds.hash,
            "recipe": plan.recipe.model_dump(mode="json"),
        }
    )
