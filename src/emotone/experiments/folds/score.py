"""The score of one trained fold on its own test speakers, out of a run of one or many folds."""

from __future__ import annotations

from pathlib import Path

from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import FoldInfo, Results
from emotone.evaluation.run_folder import FoldFolder
from emotone.evaluation.summary import summarise


def score_of_fold(folder: Path) -> Results | None:
    """The score of the weights in a fold's folder, and of no others.

    The results of a run are about all of its folds, or about the last that was trained there; a test speaker of
    another fold may be a training speaker of these weights.

    Args:
        folder: of the fold, in a run's folder.
    Returns:
        None where the run has no results or the fold no predictions.
    Raises:
        EvaluationError: a file is missing or damaged, or the predictions are not of the fold's test speakers.
    """
    fold = FoldFolder(folder)
    if not fold.run.results.is_file() or not fold.predictions.is_file():
        return None
    run = Results.read(fold.run.results)
    info = FoldInfo.model_validate(fold.read_info())
    if [(one.info.seed, one.info.fold) for one in run.per_fold] == [(info.seed, info.fold)]:
        return run
    protocol = f"{run.protocol.partition(', fold ')[0]}, fold {info.fold} alone"
    provenance = run.provenance().model_copy(update={"protocol": protocol})
    return summarise({info.seed: Predictions.read(fold.predictions)}, [info], provenance)
