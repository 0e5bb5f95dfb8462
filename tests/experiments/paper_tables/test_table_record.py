"""The record of a table: rows of many runs side by side, rows of other folds refused, the same comparisons after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotone.errors import EvaluationError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.results import FoldInfo
from emotone.experiments.paper_tables.comparison import claim, compare
from emotone.experiments.paper_tables.outcome import FoldRun, Outcome, TableFacts, build_outcome
from emotone.experiments.paper_tables.record import folds_in_record, read_record, write_record
from emotone.experiments.paper_tables.report import write_tables
from emotone.experiments.paper_tables.rows import ROWS
from emotone.experiments.recipe import load_recipe

LABELS = ("neutral", "happiness", "sadness")
ROW = {row.key: row for row in ROWS}


def facts(**changes):
    kept = {
        "corpus": "made-up",
        "protocol": "made-up-2",
        "fold_hash": "0123456789ab",
        "n_folds": 2,
        "labels": LABELS,
        "class_counts": (30, 6, 12),
        "n_speakers": 6,
        "n_without_phonemes": 48,
        "sentences_shared": True,
    }
    return TableFacts(**(kept | changes))


def outcome(key, *, seeds=(0,), skill=2.0, core_seconds=30.0, folds=None, recipe=None):
    """A row with made-up logits, right the more often the more skill it has; two folds of three speakers each."""
    truth = np.repeat([0, 1, 2], [30, 6, 12])
    speakers = np.arange(48) % 6
    by_seed, infos = {}, []
    for seed in seeds:
        random = np.random.default_rng([seed, len(key), round(10 * skill)])
        logits = random.normal(size=(48, 3))
        logits[np.arange(48), truth] += skill
        by_seed[seed] = Predictions(
            labels=LABELS,
            utterances=tuple(f"u, {i:02d}" for i in range(48)),
            speakers=tuple(f"s{speaker}" for speaker in speakers),
            sexes=("",) * 48,
            folds=speakers // 3,
            truth=truth,
            logits=logits,
            temperatures=np.ones(48),
        )
        infos += [
            {
                "fold": fold,
                "seed": seed,
                "test_speakers": [f"s{3 * fold + i}" for i in range(3)],
                "validation_speakers": ["v"],
                "best_epoch": 1,
                "epochs_run": 2,
                "temperature": 1.0,
                "seconds": 20.0,
                "core_seconds": core_seconds,
                "n_parameters": 10,
                "validation_uar": 0.5,
            }
            for fold in (0, 1)
        ]
    runs = [
        FoldRun(FoldInfo.model_validate(info), table.take(table.folds == info["fold"]))
        for info in infos
        if (table := by_seed[info["seed"]]) and (folds is None or (info["seed"], info["fold"]) in folds)
    ]
    provenance = Provenance(
        corpus="made-up",
        protocol="made-up-2",
        fold_hash="0123456789ab",
        speaker_independent=True,
        sentences_shared=True,
        recipe_name=key,
        recipe=recipe or {},
        command=f"emotone reproduce tables --only {key}",
        device="cpu",
    )
    return build_outcome(ROW[key], 2, provenance, runs)


def test_a_record_gives_back_what_was_put_in(tmp_path):
    given = outcome("mfcc-focal", seeds=(0, 2))
    assert write_record(tmp_path, facts(), [given, Outcome(ROW["lee2015"], "not run")]) == ["mfcc-focal"]
    found, outcomes = read_record(tmp_path)
    assert found == facts()
    by_key = {one.row.key: one for one in outcomes}
    assert list(by_key) == list(ROW)
    back = by_key["mfcc-focal"]
    assert back.results == given.results
    assert back.answers.seeds == (0, 2)
    assert back.answers.utterances == given.answers.utterances
    assert back.answers.speakers == given.answers.speakers
    np.testing.assert_array_equal(back.answers.truth, given.answers.truth)
    np.testing.assert_array_equal(back.answers.predictions, given.answers.predictions)
    assert back.core_seconds == 120.0
    assert by_key["lee2015"].state == "not run"
    assert by_key["yenigalla2018-phonemes"].state == "needs phonemes"


def test_rows_of_another_run_stand_beside_those_that_are_there_and_a_row_run_again_in_its_place(tmp_path):
    write_record(tmp_path, facts(), [outcome("mfcc-softmax"), outcome("mfcc-focal")])
    better = outcome("mfcc-focal", skill=5.0)
    write_record(tmp_path, facts(looks=2), [better])
    found, outcomes = read_record(tmp_path)
    by_key = {one.row.key: one for one in outcomes}
    assert found.looks == 2
    assert by_key["mfcc-softmax"].state == "done"
    np.testing.assert_array_equal(by_key["mfcc-focal"].answers.predictions, better.answers.predictions)
    write_record(tmp_path, facts(looks=1), [outcome("gamma-1")])
    assert read_record(tmp_path)[0].looks == 2


def test_folds_of_two_runs_make_a_row(tmp_path):
    first = outcome("mfcc-focal", folds=[(0, 0)])
    assert (first.state, first.extent) == ("partial", "1 of 2 folds")
    write_record(tmp_path, facts(), [first])
    by_key = {one.row.key: one for one in read_record(tmp_path)[1]}
    assert by_key["mfcc-focal"].extent == "1 of 2 folds"
    assert by_key["mfcc-focal"].results.n == 24
    assert by_key["mfcc-focal"].results.protocol == "made-up-2, folds 0 of 2 alone"
    assert compare(by_key["mfcc-focal"], outcome("mfcc-softmax")) is None
    assert folds_in_record(tmp_path)(ROW["mfcc-focal"], load_recipe("default")) == frozenset()

    write_record(tmp_path, facts(), [outcome("mfcc-focal", folds=[(0, 1)])])
    merged = {one.row.key: one for one in read_record(tmp_path)[1]}["mfcc-focal"]
    whole = outcome("mfcc-focal")
    assert (merged.state, merged.extent) == ("done", "1 seed")
    assert merged.results.protocol == "made-up-2"
    assert merged.results.pooled == whole.results.pooled
    assert merged.results.calibration is None
    np.testing.assert_array_equal(merged.answers.predictions, whole.answers.predictions)


def test_a_seed_counts_when_all_its_folds_are_there(tmp_path):
    write_record(tmp_path, facts(), [outcome("mfcc-focal")])
    write_record(tmp_path, facts(), [outcome("mfcc-focal", seeds=(1,), folds=[(1, 1)])])
    found = {one.row.key: one for one in read_record(tmp_path)[1]}["mfcc-focal"]
    assert found.extent == "1 seed, 1 of 2 folds of seed 1"
    assert found.results == outcome("mfcc-focal").results
    write_record(tmp_path, facts(), [outcome("mfcc-focal", seeds=(1,), folds=[(1, 0)])])
    found = {one.row.key: one for one in read_record(tmp_path)[1]}["mfcc-focal"]
    assert (found.extent, found.results.seeds) == ("2 seeds", [0, 1])
    assert not list((tmp_path / "pending").iterdir())
    assert found.results.pooled == outcome("mfcc-focal", seeds=(0, 1)).results.pooled


def test_folds_of_another_recipe_do_not_mix_and_do_not_replace_a_complete_row(tmp_path):
    write_record(tmp_path, facts(), [outcome("mfcc-focal")])
    assert write_record(tmp_path, facts(), [outcome("mfcc-focal", folds=[(0, 1)], recipe={"gamma": 1})]) == []
    other = outcome("mfcc-focal", skill=4.0, recipe={"gamma": 1})
    assert write_record(tmp_path, facts(), [other]) == ["mfcc-focal"]
    assert {one.row.key: one for one in read_record(tmp_path)[1]}["mfcc-focal"].results == other.results


@pytest.mark.parametrize("changed", [{"fold_hash": "ba9876543210"}, {"corpus": "other"}, {"quick": True}])
def test_rows_of_other_folds_are_refused_and_change_nothing(tmp_path, changed):
    write_record(tmp_path, facts(), [outcome("mfcc-focal")])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(EvaluationError, match="Choose another folder"):
        write_record(tmp_path, facts(**changed), [outcome("mfcc-softmax")])
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_rows_scored_on_other_labels_are_refused_and_change_nothing(tmp_path):
    write_record(tmp_path, facts(), [outcome("mfcc-focal")])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    row = outcome("mfcc-softmax")
    corrected = tuple(
        replace(run, predictions=replace(run.predictions, truth=np.roll(run.predictions.truth, 1))) for run in row.runs
    )
    with pytest.raises(EvaluationError, match="other labels"):
        write_record(tmp_path, facts(), [replace(row, runs=corrected)])
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["table.json", "answers.csv", "rows/mfcc-focal.json"])
def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path, name):
    write_record(tmp_path, facts(), [outcome("mfcc-focal")])
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8").replace("neutral", "neutrum"), encoding="utf-8")
    if name == "table.json":
        path.write_text("{", encoding="utf-8")
    if name == "rows/mfcc-focal.json":
        path.write_text("[]", encoding="utf-8")
    with pytest.raises(EvaluationError, match=name.rpartition("/")[2]):
        read_record(tmp_path)


def test_two_rows_of_a_record_compare_as_they_did_before(tmp_path):
    focal, softmax = outcome("mfcc-focal", skill=3.0, seeds=(0, 1)), outcome("mfcc-softmax", skill=1.0)
    write_record(tmp_path, facts(), [focal, softmax])
    by_key = {one.row.key: one for one in read_record(tmp_path)[1]}
    assert compare(by_key["mfcc-focal"], by_key["mfcc-softmax"]) == compare(focal, softmax)
    assert compare(focal, softmax).uar.effect > 0
    assert compare(by_key["mfcc-focal"], by_key["lee2015"]) is None


def test_two_rows_compare_over_the_seeds_that_both_have():
    focal, softmax = outcome("mfcc-focal", seeds=(0, 1, 2)), outcome("mfcc-softmax", seeds=(2, 0))
    found = compare(focal, softmax)
    assert found.seeds == (0, 2)
    alone = compare(outcome("mfcc-focal", seeds=(0, 2)), outcome("mfcc-softmax", seeds=(0, 2)))
    assert (found.uar, found.accuracy, found.mcnemar) == (alone.uar, alone.accuracy, alone.mcnemar)
    assert "mean of 2 seeds" in claim(found)
    assert compare(focal, outcome("mfcc-softmax", seeds=(3,))) is None


def test_the_report_of_a_record_says_what_was_not_run_and_whose_cost_was_not_counted(tmp_path):
    write_record(tmp_path, facts(), [outcome("mfcc-focal", core_seconds=None), outcome("egemaps-svc")])
    markdown = write_tables(tmp_path, *read_record(tmp_path))[0].read_text(encoding="utf-8")
    assert "not run" in markdown
    assert "needs phonemes" in markdown
    assert r"1 of them were not counted" in markdown
    assert "emotone reproduce tables --only mfcc-focal" in markdown.replace("\\", "")
