"""What a model file says of its training corpora and scores, taken from the runs that made it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotone.corpora.merged import PART_LICENCES
from emotone.corpora.origins import CUT_FROM, MERGED_FROM
from emotone.errors import EvaluationError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import FoldInfo, Results
from emotone.evaluation.run_folder import FoldFolder
from emotone.evaluation.summary import summarise
from emotone.model_files.metadata import Score, TrainingCorpus

DEVELOPMENT_CORPUS = "nemo"
"""Unseen in training by the openly licensed models; it chose every recipe, and calibrates models with a teacher."""


def training_corpora(about: dict[str, Any], test_speakers: Sequence[str]) -> tuple[TrainingCorpus, ...]:
    """The corpora that a run's weights have seen, with their licences and the speakers that were held out.

    Those that the initial weights were trained on come last; none of their speakers counts as held out.

    Args:
        about: what the weights say of themselves.
        test_speakers: of the run's fold; in a merged corpus they are prefixed with the part's name.
    """
    earlier = about.get("initialised_from", {}).get("corpora", {})
    initial = tuple(
        TrainingCorpus(part, known, "training of the initial weights")
        for name, known in earlier.items()
        for part in MERGED_FROM.get(name, (CUT_FROM.get(name, name),))
        if part != about["corpus"]
    )
    return _own_corpora(about, test_speakers) + initial


def _own_corpora(about: dict[str, Any], test_speakers: Sequence[str]) -> tuple[TrainingCorpus, ...]:
    corpus, licence = about["corpus"], about.get("licence", "unstated")
    if corpus in CUT_FROM:
        # Named by where its recordings come from, so that none of their speakers counts as unseen.
        return (TrainingCorpus(CUT_FROM[corpus], licence, f"training, cut to {corpus}", tuple(test_speakers)),)
    if corpus not in MERGED_FROM:
        return (TrainingCorpus(corpus, licence, "training", tuple(test_speakers)),)
    return tuple(
        TrainingCorpus(
            name,
            PART_LICENCES[name],
            "training",
            tuple(speaker.removeprefix(f"{name}/") for speaker in test_speakers if speaker.startswith(f"{name}/")),
        )
        for name in MERGED_FROM[corpus]
    )


def unseen_note(results: Results) -> str:
    """What must be shown with a score of `emotone evaluate`."""
    if not results.speaker_independent:
        return "not known whether the model was trained on these speakers"
    if results.corpus == DEVELOPMENT_CORPUS:
        return "chose the recipe; no utterance of it was trained on"
    return "no utterance of it was trained on, nor chose anything"


def score_of(results: Results, *, note: str = "") -> Score | None:
    """A result as a model file stores it; None where a single speaker was tested, so that there is no interval."""
    interval = results.pooled.uar_interval
    if interval is None:
        return None
    return Score(
        corpus=results.corpus,
        protocol=results.protocol,
        n=results.n,
        uar=results.pooled.uar,
        uar_low=interval.low,
        uar_high=interval.high,
        accuracy=results.pooled.accuracy,
        fold_hash=results.fold_hash,
        speaker_independent=results.speaker_independent,
        note=note,
    )


def scores_of(
    results: Sequence[tuple[Results, str]], weights_sha: str, precision: str
) -> tuple[list[Score], list[Score]]:
    """Scores for a model file that is being made, and those of them that were measured on such a file.

    Args:
        results: each with a note.
        weights_sha: of the weights that the file will hold.
        precision: in which it will hold them.
    Returns:
        scores of the weights before they are stored in that precision, or not known to be of such a file; and scores
        of a file with these weights in this precision. Results without an interval are left out.
    Raises:
        EvaluationError: a result is of other weights, or of an adapted model.
    """
    before: list[Score] = []
    after: list[Score] = []
    for one, note in results:
        if "adaptation" in one.recipe:
            raise EvaluationError(
                f"the score on {one.corpus} ({one.protocol}) is of a model that was adapted; "
                "run `emotone evaluate` with the model that it was adapted from"
            )
        if one.weights_sha and one.weights_sha != weights_sha:
            raise EvaluationError(
                f"the score on {one.corpus} ({one.protocol}) is of a model with the weights {one.weights_sha[:12]}…, "
                f"and these are {weights_sha[:12]}…; run `emotone evaluate` with a file of these weights"
            )
        score = score_of(one, note=note)
        if score is not None:
            (after if one.weights_sha and one.precision == precision else before).append(score)
    return before, after


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
