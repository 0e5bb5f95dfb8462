"""The baseline: openSMILE's functionals and a linear support vector machine, on the same folds.

Features are standardised by the training speakers; C is chosen on the validation speakers by UAR; test speakers choose
nothing. The files of a fold are those of a trained fold.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.cores import available_cores
from emotone.errors import MissingExtraError, RecipeError
from emotone.evaluation.calibration import fit_temperature
from emotone.evaluation.metrics import unweighted_average_recall
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import FoldFolder, RunFolder
from emotone.evaluation.summary import summarise
from emotone.experiments.plan import Partition, Plan
from emotone.files import written_whole
from emotone.training.data.waveform_store import WaveformStore

FEATURE_SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}
"""Our name -> openSMILE's."""

CANDIDATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C to choose from."""

FoldDone = Callable[[int, int, dict[str, Any], bool], None]


def cross_validate_opensmile(plan: Plan, feature_set: str, fold_done: FoldDone) -> Results:
    """Fit and score every fold of the plan that is not done yet, and sum up.

    Nothing here is random, so one seed is enough.

    Args:
        plan: its recipe gives the sample rate alone; its first seed names the folders.
        feature_set: of `FEATURE_SETS`.
        fold_done: called with (seed, fold, fold.json, fresh).
    Raises:
        RecipeError: no such feature set.
        MissingExtraError: openSMILE or scikit-learn is not installed.
    """
    if feature_set not in FEATURE_SETS:
        raise RecipeError(f"unknown feature set {feature_set!r}; expected one of {', '.join(FEATURE_SETS)}")
    seed = plan.seeds[0]
    asked = [plan.corpus.name, plan.corpus.classes, plan.corpus.digest, plan.folds.hash, feature_set, CANDIDATES]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
    done = {fold: _found(plan.fold(seed, fold), key) for fold in plan.fold_numbers}
    features: NDArray[np.float64] | None = None
    for fold in plan.fold_numbers:
        if done[fold] is None:
            if features is None:
                features = functionals(plan, feature_set)
            _run_fold(plan, seed, fold, features, key)
        fold_done(seed, fold, plan.fold(seed, fold).read_info(), done[fold] is None)
    folders = [plan.fold(seed, fold) for fold in plan.fold_numbers]
    provenance = plan.provenance(
        kind="peer",
        recipe_name=f"openSMILE {FEATURE_SETS[feature_set]} + linear SVC",
        recipe={"feature_set": FEATURE_SETS[feature_set], "classifier": "linear SVC", "C": list(CANDIDATES)},
        device="cpu",
    )
    results = summarise(
        {seed: concatenate([Predictions.read(folder.predictions) for folder in folders])},
        [folder.read_info() for folder in folders],
        provenance,
    )
    results.write(RunFolder(plan.folder).results)
    return results


def functionals(plan: Plan, feature_set: str) -> NDArray[np.float64]:
    """The functionals that openSMILE gives of every utterance, shape (n, d), kept in the plan's folder.

    Raises:
        MissingExtraError: openSMILE is not installed.
    """
    try:
        import opensmile
    except ImportError as error:
        raise MissingExtraError(f"the {feature_set} baseline", "opensmile") from error

    stored = WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(
        plan.corpus.utterances, workers=available_cores()
    )
    names = hashlib.sha256("\n".join(path.name for path in stored.paths).encode()).hexdigest()[:16]
    kept = plan.folder / f"functionals-{names}.npy"
    if kept.is_file():
        features: NDArray[np.float64] = np.load(kept, allow_pickle=False)
        return features
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[FEATURE_SETS[feature_set]],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    rows = [smile.process_signal(stored.read(index), stored.sample_rate).to_numpy()[0] for index in range(len(stored))]
    # Silence makes some functionals undefined; they count as zero.
    features = np.nan_to_num(np.stack(rows).astype(np.float64), posinf=0.0, neginf=0.0)
    with written_whole(kept) as beside, Path(beside).open("wb") as handle:
        np.save(handle, features, allow_pickle=False)
    return features


def _run_fold(plan: Plan, seed: int, fold: int, features: NDArray[np.float64], key: str) -> None:
    try:
        from sklearn.svm import SVC
    except ImportError as error:
        raise MissingExtraError("the support vector machine", "train") from error

    began, spent, corpus = time.perf_counter(), time.process_time(), plan.corpus
    partition: Partition = plan.folds.folds[fold]
    split = partition.indices(corpus)
    targets = np.asarray(corpus.targets(), dtype=np.int64)
    mean = features[split.train].mean(0)
    deviation = np.maximum(features[split.train].std(0), 1e-9)
    standard = (features - mean) / deviation

    # The kernel between all utterances once, not again for each C: twenty times as fast over 6,373 functionals.
    learnt, validated, tested = (
        standard[part] @ standard[split.train].T for part in (split.train, split.validation, split.test)
    )
    best: tuple[float, float, Any] | None = None
    for c in CANDIDATES:
        machine = SVC(kernel="precomputed", C=c, decision_function_shape="ovr").fit(learnt, targets[split.train])
        chosen = _scores(machine, validated, len(corpus.classes)).argmax(1)
        uar = unweighted_average_recall(targets[split.validation], chosen, len(corpus.classes))
        # Of equal values the smallest C, which fits the training speakers least closely.
        if best is None or uar > best[0]:
            best = (uar, c, machine)
    assert best is not None  # noqa: S101 - CANDIDATES is not empty
    uar, c, machine = best
    temperature = fit_temperature(_scores(machine, validated, len(corpus.classes)), targets[split.validation])
    utterances = [corpus.utterances[index] for index in split.test]
    predictions = Predictions(
        labels=corpus.classes,
        utterances=tuple(utterance.id for utterance in utterances),
        speakers=tuple(utterance.speaker for utterance in utterances),
        sexes=tuple(utterance.sex or "" for utterance in utterances),
        folds=np.full(len(utterances), fold, dtype=np.int64),
        truth=targets[split.test],
        logits=_scores(machine, tested, len(corpus.classes)),
        temperatures=np.full(len(utterances), temperature),
    )
    info = {
        "fold": fold,
        "seed": seed,
        "run_key": key,
        "test_speakers": list(partition.test),
        "validation_speakers": list(partition.validation),
        "temperature": temperature,
        "seconds": round(time.perf_counter() - began, 1),
        "core_seconds": round(time.process_time() - spent, 1),
        "n_parameters": len(corpus.classes) * (features.shape[1] + 1),
        "validation_uar": uar,
        "device": "cpu",
        "cores": 1,
        "c": c,
    }
    plan.fold(seed, fold).finish(predictions, info)


def _scores(machine: Any, kernel: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """One score a class, from the kernel with the training utterances; a class that had none gets one below all."""
    decided = np.asarray(machine.decision_function(kernel), dtype=np.float64)
    if decided.ndim == 1:
        decided = np.stack([-decided, decided], axis=1)
    scores = np.full((len(kernel), n_classes), decided.min() - 1.0)
    scores[:, machine.classes_] = decided
    return scores


def _found(folder: FoldFolder, key: str) -> dict[str, Any] | None:
    if not folder.is_done:
        return None
    info = folder.read_info()
    return info if info.get("run_key") == key else None
