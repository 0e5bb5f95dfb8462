"""From predictions to results: every score of a run, pooled, per fold, per seed and per group.

Conventions: as in `emotone.evaluation.results`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from emotone.errors import EvaluationError
from emotone.evaluation import calibration, metrics, significance
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.results import (
    Calibration,
    CalibrationScores,
    ConfidenceInterval,
    FoldInfo,
    FoldScores,
    GroupScores,
    Results,
    Scores,
    SeedScores,
    Spread,
)

N_BINS = 15


def summarise(
    predictions: Mapping[int, Predictions],
    folds: Iterable[FoldInfo | Mapping[str, Any]],
    provenance: Provenance,
    *,
    n_resamples: int = significance.N_RESAMPLES,
) -> Results:
    """Compute every score of a run.

    Args:
        predictions: for each seed the test predictions of all folds together; the same utterances in each.
        folds: facts about each fold of each seed.
        provenance: what was run, on what, and how.
        n_resamples: of the bootstrap.
    Raises:
        EvaluationError: no predictions, seeds that scored different utterances, a fold without its facts or whose
            speakers are not those that its facts name, or a speaker on both sides of a speaker-independent split.
    """
    by_seed = _aligned(predictions)
    infos = [info if isinstance(info, FoldInfo) else _fold_info(info) for info in folds]
    per_fold = _per_fold(by_seed, infos, speaker_independent=provenance.speaker_independent)

    first = next(iter(by_seed.values()))
    everything = np.ones(len(first), dtype=np.bool_)
    per_seed = [
        SeedScores(seed=seed, scores=_scores({seed: table}, everything, n_resamples)) for seed, table in by_seed.items()
    ]
    pooled = _scores(by_seed, everything, n_resamples)
    sexes, speakers = np.array(first.sexes, dtype=str), np.array(first.speakers, dtype=str)
    return Results(
        **provenance.model_dump(include=set(Provenance.model_fields)),
        n=len(first),
        n_speakers=len(set(first.speakers)),
        labels=list(first.labels),
        seeds=list(by_seed),
        pooled=pooled,
        per_seed=per_seed,
        over_seeds=_spread([seed.scores for seed in per_seed]),
        per_fold=per_fold,
        over_folds=_spread([fold.scores for fold in per_fold]),
        calibration=_calibration(by_seed),
        per_sex={
            sex: _group(by_seed, sexes == sex, n_resamples, interval=True) for sex in sorted(set(first.sexes) - {""})
        },
        per_speaker={
            speaker: _group(by_seed, speakers == speaker, n_resamples, interval=False)
            for speaker in sorted(set(first.speakers))
        },
    )


def _fold_info(info: Mapping[str, Any]) -> FoldInfo:
    try:
        return FoldInfo.model_validate(dict(info))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EvaluationError(f"facts of fold {info.get('fold')}: {where}: {first['msg']}") from error


def _aligned(predictions_by_seed: Mapping[int, Predictions]) -> dict[int, Predictions]:
    """Each seed's table in the order of the utterances' ids, after checking that they are the same utterances."""
    if not predictions_by_seed:
        raise EvaluationError("no predictions to summarise; expected those of at least one seed")
    ordered: dict[int, Predictions] = {}
    for seed, table in sorted(predictions_by_seed.items()):
        if not len(table):
            raise EvaluationError(f"seed {seed} has no predictions; expected at least one utterance")
        ordered[seed] = table.take(np.argsort(np.array(table.utterances, dtype=str), kind="stable"))
    (first_seed, first), *others = ordered.items()
    for seed, table in others:
        if table.labels != first.labels:
            raise EvaluationError(f"seed {first_seed} has the labels {first.labels} but seed {seed} {table.labels}")
        same = table.utterances == first.utterances and table.speakers == first.speakers
        if not same or not np.array_equal(table.truth, first.truth) or not np.array_equal(table.folds, first.folds):
            raise EvaluationError(
                f"seeds {first_seed} ({len(first)} utterances) and {seed} ({len(table)}) did not score the same "
                "utterances in the same folds; put only seeds of one protocol together"
            )
    return ordered


def _per_fold(
    by_seed: Mapping[int, Predictions], infos: list[FoldInfo], *, speaker_independent: bool
) -> list[FoldScores]:
    known = {(info.seed, info.fold): info for info in infos}
    scored = {(seed, int(fold)) for seed, table in by_seed.items() for fold in np.unique(table.folds)}
    if len(known) != len(infos) or set(known) != scored:
        raise EvaluationError(
            f"predictions are of the (seed, fold) pairs {sorted(scored)} but the facts of "
            f"{sorted((info.seed, info.fold) for info in infos)}; expected one for each"
        )
    folds = []
    for seed, fold in sorted(scored):
        info, table = known[seed, fold], by_seed[seed]
        rows = table.folds == fold
        speakers = {speaker for speaker, here in zip(table.speakers, rows, strict=True) if here}
        if not speakers <= set(info.test_speakers):
            raise EvaluationError(
                f"fold {fold} of seed {seed} has predictions of {sorted(speakers - set(info.test_speakers))}, "
                f"but its test speakers are {sorted(info.test_speakers)}"
            )
        shared = set(info.test_speakers) & set(info.validation_speakers)
        if speaker_independent and shared:
            raise EvaluationError(
                f"fold {fold} of seed {seed} validates and tests on {sorted(shared)}; that is not speaker-independent"
            )
        folds.append(FoldScores(info=info, scores=_scores({seed: table}, rows, n_resamples=None)))
    return folds


def _scores(by_seed: Mapping[int, Predictions], rows: NDArray[np.bool_], n_resamples: int | None) -> Scores:
    """The scores of some rows; with several seeds their mean, which is that of the summed confusion matrices."""
    tables = list(by_seed.values())
    first, n_labels = tables[0], len(tables[0].labels)
    truth, chosen = first.truth[rows], np.stack([table.prediction[rows] for table in tables])
    confusion = sum(metrics.confusion_matrix(truth, run, n_labels) for run in chosen)
    found = metrics.describe(confusion, first.labels)
    # Every seed has the same truth, so support and n are counted once, whatever the number of seeds.
    found["n"] //= len(tables)
    for scores in found["per_class"].values():
        scores["support"] //= len(tables)
    speakers = [speaker for speaker, here in zip(first.speakers, rows, strict=True) if here]
    for name, statistic in (("accuracy", metrics.accuracy_of), ("uar", metrics.uar_of)):
        found[f"{name}_interval"] = None
        if n_resamples is not None and len(set(speakers)) > 1:
            interval = significance.bootstrap_over_speakers(
                truth, chosen, speakers, statistic, n_labels=n_labels, n=n_resamples
            )
            found[f"{name}_interval"] = ConfidenceInterval(**interval._asdict())
    return Scores.model_validate(found)


def _group(
    by_seed: Mapping[int, Predictions], rows: NDArray[np.bool_], n_resamples: int, *, interval: bool
) -> GroupScores:
    scores = _scores(by_seed, rows, n_resamples if interval else None)
    first = next(iter(by_seed.values()))
    return GroupScores(
        n=scores.n,
        n_speakers=len({speaker for speaker, here in zip(first.speakers, rows, strict=True) if here}),
        accuracy=scores.accuracy,
        uar=scores.uar,
        absent_classes=scores.absent_classes,
        uar_interval=scores.uar_interval,
    )


def _spread(scores: list[Scores]) -> Spread:
    accuracies, uars = [one.accuracy for one in scores], [one.uar for one in scores]
    several = len(scores) > 1
    return Spread(
        n=len(scores),
        accuracy=float(np.mean(accuracies)),
        uar=float(np.mean(uars)),
        accuracy_sd=float(np.std(accuracies, ddof=1)) if several else None,
        uar_sd=float(np.std(uars, ddof=1)) if several else None,
    )


def _calibration(by_seed: Mapping[int, Predictions]) -> Calibration:
    tables = list(by_seed.values())
    truth = np.concatenate([table.truth for table in tables])

    def scores(probabilities: NDArray[np.float64]) -> CalibrationScores:
        return CalibrationScores(
            ece=calibration.expected_calibration_error(probabilities, truth, N_BINS),
            nll=calibration.negative_log_likelihood(probabilities, truth),
            brier=calibration.brier_score(probabilities, truth),
        )

    return Calibration(
        before=scores(np.concatenate([table.uncalibrated for table in tables])),
        after=scores(np.concatenate([table.probabilities for table in tables])),
        n_bins=N_BINS,
    )
