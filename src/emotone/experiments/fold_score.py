"""What one trained fold scored on its own test speakers, out of a run of one or many."""

from __future__ import annotations

from pathlib import Path

from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import FoldInfo, Results
from emotone.evaluation.summary import summarise
from emotone.experiments.plan import read_fold_info


def score_of_fold(folder: Path) -> Results | None:
    """The score of the weights in a fold's folder, and of no others.

    A run's results.json is about all of its folds, or about the last that was trained there: a test speaker of another
    fold may be one that these weights were trained on.

    Args:
        folder: of the fold, in a run's folder.
    Returns:
        None where the run has no results or the fold no predictions.
    Raises:
        TrainingError: the fold's fold.json is missing or damaged.
        EvaluationError: its predictions are damaged, or not of the speakers that its fold.json names.
    """
    whole, table = folder.parent.parent / "results.json", folder / "predictions.csv"
    if not whole.is_file() or not table.is_file():
        return None
    run = Results.read(whole)
    info = FoldInfo.model_validate(read_fold_info(folder))
    if [(one.info.seed, one.info.fold) for one in run.per_fold] == [(info.seed, info.fold)]:
        return run
    protocol = run.protocol.partition(", fold ")[0]
    return summarise(
        {info.seed: Predictions.read(table)},
        fold_info=[info],
        corpus=run.corpus,
        protocol=f"{protocol}, fold {info.fold} alone",
        fold_hash=run.fold_hash,
        speaker_independent=run.speaker_independent,
        sentences_shared=run.sentences_shared,
        recipe_name=run.recipe_name,
        recipe=run.recipe,
        command=run.command,
        device=run.device,
        versions=run.versions,
        created=run.created,
        tests_looked_at=run.tests_looked_at,
    )
