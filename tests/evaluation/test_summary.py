"""From predictions to results: pooled, by fold, by seed, by group; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotone.errors import EvaluationError
from emotone.evaluation import calibration, metrics
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.results import Results
from emotone.evaluation.summary import summarise

MakePredictions = Callable[..., Predictions]
MakeFoldInfo = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def summary(
    make_predictions: MakePredictions, make_fold_info: MakeFoldInfo, metadata: dict[str, Any]
) -> Callable[..., Results]:
    def make(seeds: tuple[int, ...] = (0,), **changes: Any) -> Results:
        infos = [info for seed in seeds for info in make_fold_info(seed)]
        by_seed = {seed: make_predictions(seed) for seed in seeds}
        folds = changes.pop("folds", infos)
        return summarise(by_seed, folds, Provenance(**{**metadata, **changes}), n_resamples=200)

    return make


def test_pooled_scores_are_those_of_all_utterances(
    summary: Callable[..., Results], make_predictions: MakePredictions
) -> None:
    results, table = summary(), make_predictions()
    assert results.pooled.uar == metrics.unweighted_average_recall(table.truth, table.prediction, 3)
    assert results.pooled.accuracy == metrics.accuracy(table.truth, table.prediction, 3)
    assert results.pooled.n == results.n == 120
    assert results.n_speakers == 4
    interval = results.pooled.uar_interval
    assert interval is not None
    assert interval.low < results.pooled.uar < interval.high
    assert results.over_seeds.uar_sd is None


def test_each_fold_is_scored_alone_and_keeps_how_it_was_trained(
    summary: Callable[..., Results], make_predictions: MakePredictions
) -> None:
    results, table = summary(), make_predictions()
    rows = table.folds == 2
    fold = results.per_fold[2]
    assert fold.info.test_speakers == ["09"]
    assert fold.info.n_parameters == 912_345
    assert fold.scores.uar == metrics.unweighted_average_recall(table.truth[rows], table.prediction[rows], 3)
    uars = [one.scores.uar for one in results.per_fold]
    assert results.over_folds.uar == pytest.approx(np.mean(uars))
    assert results.over_folds.uar_sd == pytest.approx(np.std(uars, ddof=1))


def test_a_class_absent_from_a_fold_is_named_there(
    make_predictions: MakePredictions, make_fold_info: MakeFoldInfo, metadata: dict[str, Any]
) -> None:
    table = make_predictions()
    table = table.take((table.folds != 1) | (table.truth != 0))
    results = summarise({0: table}, make_fold_info(), Provenance(**metadata), n_resamples=200)
    assert results.per_fold[1].scores.absent_classes == ["anger"]
    assert results.per_speaker["08"].absent_classes == ["anger"]
    assert results.pooled.absent_classes == []


def test_several_seeds_give_their_mean_their_spread_and_one_interval(
    summary: Callable[..., Results], make_predictions: MakePredictions
) -> None:
    results = summary((0, 1, 2))
    uars = [
        metrics.unweighted_average_recall(table.truth, table.prediction, 3)
        for table in (make_predictions(seed) for seed in range(3))
    ]
    assert [one.scores.uar for one in results.per_seed] == pytest.approx(uars)
    assert results.pooled.uar == pytest.approx(np.mean(uars))
    assert results.over_seeds.uar_sd == pytest.approx(np.std(uars, ddof=1))
    assert results.pooled.n == 120
    assert np.sum(results.pooled.confusion_matrix) == 360
    assert sum(scores.support for scores in results.pooled.per_class.values()) == 120
    assert len(results.per_fold) == 12
    assert "mean of 3 seeds: UAR" in results.headline()
    assert " ± " in results.headline()


def test_the_order_of_utterances_does_not_matter(
    summary: Callable[..., Results],
    make_predictions: MakePredictions,
    make_fold_info: MakeFoldInfo,
    metadata: dict[str, Any],
) -> None:
    shuffled = make_predictions(1).take(np.random.default_rng(0).permutation(120))
    infos = [info for seed in (0, 1) for info in make_fold_info(seed)]
    found = summarise({1: shuffled, 0: make_predictions(0)}, infos, Provenance(**metadata), n_resamples=200)
    assert found == summary((0, 1))


def test_calibration_stands_before_and_after(
    summary: Callable[..., Results], make_predictions: MakePredictions
) -> None:
    found, table = summary().calibration, make_predictions()
    assert found.before.ece == calibration.expected_calibration_error(table.uncalibrated, table.truth)
    assert found.after.ece == calibration.expected_calibration_error(table.probabilities, table.truth)
    assert found.after.nll < found.before.nll


def test_groups_are_scored_apart(summary: Callable[..., Results], make_predictions: MakePredictions) -> None:
    results, table = summary(), make_predictions()
    female = np.array(table.sexes) == "female"
    assert results.per_sex["female"].uar == metrics.unweighted_average_recall(
        table.truth[female], table.prediction[female], 3
    )
    assert results.per_sex["male"].n_speakers == 2
    assert list(results.per_speaker) == ["03", "08", "09", "10"]


def test_unknown_sexes_make_no_group(
    make_predictions: MakePredictions, make_fold_info: MakeFoldInfo, metadata: dict[str, Any]
) -> None:
    table = replace(make_predictions(), sexes=("",) * 120)
    assert summarise({0: table}, make_fold_info(), Provenance(**metadata), n_resamples=200).per_sex == {}


def test_the_headline_never_gives_a_score_alone(summary: Callable[..., Results]) -> None:
    line = summary().headline()
    for part in ("EmoDB, leave one speaker out (folds 1a2b3c4d5e6f), SI, n = 120, 4 speakers: UAR ", "] ", "ECE"):
        assert part.strip() in line
    assert line.endswith("sentences shared, test evaluations so far: 1")


def test_a_speaker_dependent_score_says_so(summary: Callable[..., Results]) -> None:
    line = summary(speaker_independent=False, sentences_shared=False, tests_looked_at=None).headline()
    assert "SD (speakers shared by training and test)" in line
    assert ", SI," not in line
    assert line.endswith("sentences not shared")


def test_one_speaker_has_no_interval_and_the_headline_says_so(
    make_predictions: MakePredictions, make_fold_info: MakeFoldInfo, metadata: dict[str, Any]
) -> None:
    table = make_predictions()
    table = table.take(table.folds == 0)
    results = summarise({0: table}, make_fold_info()[:1], Provenance(**metadata))
    assert results.pooled.uar_interval is None
    assert "no interval: fewer than two speakers" in results.headline()


def test_results_read_back(summary: Callable[..., Results], tmp_path: Path) -> None:
    results = summary((0, 1))
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results


@pytest.mark.parametrize("content", ["", "[]", '{"schema_version": 2}', "\x00"])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(EvaluationError, match=r"results\.json holds no results of schema 1"):
        Results.read(tmp_path / "results.json")


def test_missing_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot read results"):
        Results.read(tmp_path / "results.json")


def test_seeds_that_scored_different_utterances_are_refused(
    summary: Callable[..., Results],
    make_predictions: MakePredictions,
    make_fold_info: MakeFoldInfo,
    metadata: dict[str, Any],
) -> None:
    infos = make_fold_info(0) + make_fold_info(1)
    short = make_predictions(1).take(range(100))
    with pytest.raises(EvaluationError, match=r"seeds 0 \(120 utterances\) and 1 \(100\)"):
        summarise({0: make_predictions(0), 1: short}, infos, Provenance(**metadata))
    with pytest.raises(EvaluationError, match="at least one seed"):
        summarise({}, infos, Provenance(**metadata))
    with pytest.raises(EvaluationError, match="seed 0 has no predictions"):
        summarise({0: make_predictions().take([])}, infos, Provenance(**metadata))


def test_a_fold_without_its_info_is_refused(summary: Callable[..., Results], make_fold_info: MakeFoldInfo) -> None:
    with pytest.raises(EvaluationError, match="expected one for each"):
        summary(folds=make_fold_info()[:-1])


def test_predictions_of_a_speaker_the_fold_does_not_test_are_refused(
    summary: Callable[..., Results], make_fold_info: MakeFoldInfo
) -> None:
    infos = make_fold_info()
    infos[0]["test_speakers"] = ["99"]
    with pytest.raises(EvaluationError, match=r"predictions of \['03'\], but its test speakers are \['99'\]"):
        summary(folds=infos)


def test_a_split_that_chooses_on_its_test_speakers_is_never_called_independent(
    summary: Callable[..., Results], make_fold_info: MakeFoldInfo
) -> None:
    infos = make_fold_info()
    infos[0]["validation_speakers"] = ["03"]
    with pytest.raises(EvaluationError, match="not speaker-independent"):
        summary(folds=infos)
    assert not summary(folds=infos, speaker_independent=False).speaker_independent


def test_facts_that_lack_a_fold_are_refused_by_their_name(
    summary: Callable[..., Results], make_fold_info: MakeFoldInfo
) -> None:
    infos = make_fold_info()
    del infos[2]["test_speakers"]
    with pytest.raises(EvaluationError, match="facts of fold 2: test_speakers: Field required"):
        summary(folds=infos)


def test_facts_that_were_not_measured_are_absent(
    summary: Callable[..., Results], make_fold_info: MakeFoldInfo, tmp_path: Path
) -> None:
    kept = ("fold", "seed", "test_speakers", "validation_speakers")
    results = summary(folds=[{key: info[key] for key in kept} for info in make_fold_info()])
    results.write(tmp_path / "results.json")
    info = Results.read(tmp_path / "results.json").per_fold[0].info
    assert (info.best_epoch, info.n_parameters, info.validation_uar, info.seconds) == (None,) * 4
