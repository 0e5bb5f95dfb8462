"""The tables: every row's recipe, the quick task, the report, and a quick run on a made-up tree in IEMOCAP's layout."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from corpora.iemocap_tree import build_iemocap
from emotone.corpora import protocol_folds, read_corpus
from emotone.errors import RecipeError, TrainingError
from emotone.evaluation.reports.latex import document as latex_document
from emotone.evaluation.significance import Comparison, Interval, McNemar
from emotone.experiments.cross_validation import cross_validate
from emotone.experiments.folds.training import run_fold
from emotone.experiments.paper_tables import run as tables
from emotone.experiments.paper_tables import schedule
from emotone.experiments.paper_tables.comparison import RowComparison, claim
from emotone.experiments.paper_tables.report import write_tables
from emotone.experiments.paper_tables.rows import FIRST, PAIRS, ROWS, in_order
from emotone.experiments.paper_tables.run import (
    TablePlan,
    gather,
    has_recipe,
    quick_task,
    row_plan,
    row_recipe,
    run_table,
    table_facts,
)
from emotone.experiments.paper_tables.schedule import missing_folds, run_next
from emotone.experiments.plan import Plan

FEW = 3


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.begun, self.skipped, self.fresh = [], {}, 0

    def planned(self, weights, total):
        self.weights, self.total = weights, total

    def row_begins(self, row, plan):
        self.begun.append((row.key, plan.seeds))

    def row_skipped(self, row, state):
        self.skipped[row.key] = state

    def decoded(self, done, total):
        pass

    def epoch(self, seed, fold, record, n_epochs):
        pass

    def fold_done(self, seed, fold, info, fresh):
        self.fresh += fresh


@pytest.fixture(scope="session")
def iemocap(tmp_path_factory):
    root = tmp_path_factory.mktemp("iemocap")
    build_iemocap(root)
    return read_corpus("iemocap", root, phonemes=True)


@pytest.fixture(scope="session")
def light_rows():
    """All rows, the heavy convolutions with two kernels instead of 200, Satt's segments of 1 s."""
    lighter = {"yenigalla2018": ("model.kernels=2",), "satt2017": ("model.segment_frames=64",)}
    return tuple(replace(row, settings=row.settings + lighter.get(row.recipe.partition("-")[0], ())) for row in ROWS)


@pytest.fixture
def table(iemocap, tmp_path, light_rows, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", light_rows)
    monkeypatch.setattr(tables, "QUICK_PER_CLASS", FEW)
    torch.set_num_threads(1)
    task, folds = quick_task(iemocap, protocol_folds(iemocap))
    return TablePlan(task, folds, (0,), tmp_path / "table", tmp_path / "store", quick=True, device="cpu")


def test_every_row_has_a_recipe_of_its_own_and_a_key_of_its_own():
    assert len({row.key for row in ROWS}) == len(ROWS)
    own = [row for row in ROWS if not row.feature_set and row.leak is None and has_recipe(row)]
    assert len({row_recipe(row, quick=False).model_dump_json() for row in own}) == len(own)
    assert {row.feature_set or "" for row in ROWS} == {"", "egemaps", "compare"}


def test_softmax_and_focal_differ_in_gamma_alone():
    by_key = {row.key: row for row in ROWS}
    for focal, softmax, _ in (pair for pair in PAIRS if has_recipe(by_key[pair[0]])):
        one, other = (row_recipe(by_key[key], quick=False).model_dump() for key in (focal, softmax))
        assert (one["loss"].pop("gamma"), other["loss"].pop("gamma")) == (2.0, 0.0)
        for told in ("name", "summary", "choices"):
            one.pop(told, None), other.pop(told, None)
        assert one == other


def test_the_printed_figures_are_those_of_the_paper():
    printed = {row.key: row.printed for row in ROWS if row.printed and row.printed.source == "printed"}
    assert {key: (figure.accuracy, figure.uar) for key, figure in printed.items()} == {
        "lee2015": (62.8, 63.9),
        "satt2017-conv-blstm": (68.8, 59.4),
        "yenigalla2018-spectrogram": (71.2, 61.9),
        "spectrogram-softmax": (70.2, 55.8),
        "spectrogram-focal": (74.2, 64.3),
        "mfcc-softmax": (70.7, 56.9),
        "mfcc-focal": (74.6, 66.7),
    }


def test_every_recipe_of_a_row_says_what_the_project_chose():
    assert all(row_recipe(row, quick=False).choices for row in ROWS if row.recipe and has_recipe(row))


def test_a_quick_task_keeps_the_speakers_apart_and_a_few_utterances_of_each_class_and_part(iemocap):
    task, folds = quick_task(iemocap, protocol_folds(iemocap))
    assert folds.protocol == "QUICK iemocap-5"
    split = folds.folds[0].indices(task)
    targets = np.asarray(task.targets())
    for part in (split.train, split.validation, split.test):
        assert 0 < np.bincount(targets[part]).max() <= 8


def test_a_row_that_does_not_exist_is_refused(table):
    with pytest.raises(RecipeError, match="no row lee2016"):
        replace(table, only=("lee2016",))


def test_without_phonemes_two_rows_say_so_and_a_recipe_that_needs_them_is_refused(table):
    mute = replace(table.corpus, utterances=tuple(replace(u, phonemes=None) for u in table.corpus.utterances))
    heard = Heard()
    bare = replace(table, corpus=mute, only=("yenigalla2018-phonemes", "yenigalla2018-combined"))
    outcomes = {outcome.row.key: outcome.state for outcome in run_table(bare, heard)}
    assert heard.skipped == {"yenigalla2018-phonemes": "needs phonemes", "yenigalla2018-combined": "needs phonemes"}
    assert outcomes["yenigalla2018-phonemes"] == outcomes["yenigalla2018-combined"] == "needs phonemes"
    assert outcomes["lee2015"] == "not run"
    assert not heard.begun
    recipe = row_recipe(next(row for row in ROWS if row.key == "yenigalla2018-phonemes"), quick=True)
    with pytest.raises(TrainingError, match="needs phonemes"):
        cross_validate(Plan(mute, table.folds, recipe, (0,), table.folder / "mute", table.store, device="cpu"))


def test_a_quick_run_of_some_rows_reports_them_stamped_and_is_not_done_twice(table):
    only = ("yenigalla2018-phonemes", "mfcc-softmax", "mfcc-focal")
    some = replace(table, only=only, command="first", looks=1)
    heard = Heard()
    outcomes = run_table(some, heard)
    assert [key for key, _ in heard.begun] == ["yenigalla2018-phonemes", "mfcc-softmax", "mfcc-focal"]
    assert heard.fresh == 3
    paths = write_tables(some.folder, table_facts(some), outcomes)
    assert [path.name for path in paths] == ["tables.md", "tables.tex", "tables.html"]
    markdown, latex, page = (path.read_text(encoding="utf-8") for path in paths)
    assert "not run" in markdown
    assert re.search(
        r"Focal loss (raises|does not raise) UAR here: it changes UAR by \\?[+-]\d+\.\d QUICK points", markdown
    )
    assert "74.6" in markdown
    assert "<script" not in page
    assert latex.count("\\begin{tabular}") == latex.count("\\end{tabular}") > 5
    scores = markdown.split("## Tables 1 and 2")[1].split("## Does")[0]
    done = next(line for line in scores.splitlines() if line.startswith("| proposed, MFCC, focal "))
    assert done.count("QUICK") == 4

    again = Heard()
    run_table(replace(some, only=("mfcc-focal",)), again)
    assert again.fresh == 0
    later = replace(some, only=("mfcc-focal",), command="later", looks=2)
    kept = {outcome.row.key: outcome for outcome in run_table(later, Heard())}
    assert kept["mfcc-softmax"].state == kept["yenigalla2018-phonemes"].state == "done"
    assert (kept["mfcc-focal"].results.command, kept["mfcc-focal"].results.tests_looked_at) == ("later", 2)
    assert (kept["mfcc-softmax"].results.command, kept["mfcc-softmax"].results.tests_looked_at) == ("first", 1)


def test_a_run_of_fewer_seeds_takes_none_from_the_rows_that_have_more(table):
    run_table(replace(table, only=("mfcc-softmax",), seeds=(0, 1)), Heard())
    outcomes = {outcome.row.key: outcome for outcome in run_table(replace(table, only=("gamma-1",)), Heard())}
    assert outcomes["mfcc-softmax"].answers.seeds == (0, 1)
    assert outcomes["mfcc-softmax"].results.seeds == [0, 1]
    assert outcomes["gamma-1"].answers.seeds == (0,)


def test_missing_folds_come_in_the_stated_order(table):
    assert set(FIRST) <= {row.key for row in ROWS}
    order = [(row.key, seed) for row, seed in in_order(ROWS, (0, 1, 2))]
    assert [key for key, seed in order[: len(FIRST)]] == list(FIRST)
    assert {seed for _, seed in order[: len(FIRST)]} == {0}
    assert order.index(("lee2015", 0)) < order.index(("satt2017-conv-blstm", 1)) < order.index(("gamma-1", 0))
    assert ("compare-svc", 1) not in order
    some = replace(table, only=("mfcc-softmax", "mfcc-focal"), seeds=(0, 1))
    recorded = missing_folds(some, lambda row, recipe: {(0, 0)} if row.key == "mfcc-softmax" else ())
    assert [(row.key, seed) for row, seed, _ in recorded] == [("mfcc-focal", 0), ("mfcc-softmax", 1), ("mfcc-focal", 1)]


def test_the_next_folds_are_run_until_the_time_is_up_and_continued_later(table):
    some = replace(table, only=("mfcc-softmax",))
    row = some.wanted[0]
    hurried = Heard()
    assert run_next(some, missing_folds(some), hurried, hours=1e-9) == 0
    assert not hurried.begun
    clock = iter([0.0, 0.0, 4000.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        assert run_next(some, missing_folds(some), Heard(), hours=1) == 0
    assert row_plan(some, row, (0,)).fold(0, 0).checkpoint.exists()
    assert gather(some, row).state == "not run"
    late = Heard()
    late.epochs = []
    late.epoch = lambda seed, fold, record, n_epochs: late.epochs.append(record.epoch)
    assert run_next(some, missing_folds(some), late, hours=1) == 1
    assert late.epochs == [2]
    assert missing_folds(some) == []
    assert gather(some, row).extent == "1 seed"


class StoppedError(Exception):
    """Stands for whatever ends a run in the middle."""


@pytest.mark.parametrize("key", ["yenigalla2018-phonemes", "lee2015"])
def test_a_row_that_is_stopped_goes_on_to_the_same_bits(table, key):
    row = next(row for row in tables.ROWS if row.key == key)
    plan = row_plan(table, row, (0,))

    def stop(seed, fold, record, n_epochs):
        raise StoppedError

    with pytest.raises(StoppedError):
        run_fold(replace(plan, folder=table.folder / "stopped", threads=1), 0, 0, stop)
    found = []
    for name in ("stopped", "whole"):
        own = replace(plan, folder=table.folder / name, threads=1)
        run_fold(own, 0, 0)
        found.append((own.fold_folder(0, 0) / "predictions.csv").read_bytes())
    assert found[0] == found[1]


def test_the_yardstick_outside_runs_on_the_same_folds(table):
    pytest.importorskip("opensmile")
    outcomes = run_table(replace(table, only=("egemaps-svc",)), Heard())
    found = next(outcome for outcome in outcomes if outcome.row.key == "egemaps-svc")
    assert found.state == "done"
    assert found.results.fold_hash == table.folds.hash
    assert found.results.recipe["feature_set"] == "eGeMAPSv02"


def with_encoder():
    """Whether the pretrained encoder of the encoder's rows is here; no test fetches it."""
    return "EMOTONE_ENCODERS" in os.environ


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_rows_run_on_a_tree_in_the_layout_of_iemocap(table):
    only = tuple(
        row.key for row in ROWS if not row.feature_set and (with_encoder() or not row.key.startswith("encoder"))
    )
    outcomes = run_table(replace(table, only=only), Heard())
    states = {outcome.row.key: outcome.state for outcome in outcomes if outcome.row.key in only}
    assert states == dict.fromkeys(only, "done")
    markdown = write_tables(table.folder, table_facts(table), outcomes)[0].read_text(encoding="utf-8")
    leaky = markdown.split("## How much is protocol")[1].split("## What it costs")[0]
    rows = [line for line in leaky.splitlines() if line.startswith("| proposed")]
    assert len(rows) == 4
    assert all(row.count("LEAKY QUICK") == 4 for row in rows)


def comparison(effect, low, high, p):
    test = Comparison(effect, Interval(low, high, 0.95), p, True, 10)
    return RowComparison("focal", "softmax", (0,), test, test, McNemar(3, 1, 0.6))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            comparison(0.05, 0.02, 0.08, 0.002),
            "Focal loss raises UAR here: it changes UAR by +5.0 points (95 % interval +2.0",
        ),
        (comparison(0.01, -0.02, 0.04, 0.4), "Focal loss does not raise UAR here: it changes UAR by +1.0 points"),
        (comparison(-0.03, -0.05, -0.01, 0.01), "Focal loss does not raise UAR here: it changes UAR by -3.0 points"),
    ],
)
def test_the_sentence_says_whether_the_claim_holds(found, expected):
    assert claim(found).startswith(expected)
    assert "QUICK" not in claim(found)
    assert "QUICK" in claim(found, stamp="QUICK")


def test_rare_classes_have_less_than_an_even_share(table):
    assert table_facts(table).rare == ()
    task = table.corpus.where(lambda u: u.emotion != "anger" or u.session == "Session1", reason="made rare")
    assert table_facts(replace(table, corpus=task)).rare == ("anger",)


def test_latex_escapes_what_means_something_to_it():
    text = latex_document("50 % & more_less", ["a {b} $5 #1"], [])
    assert r"50 \% \& more\_less" in text
    assert r"a \{b\} \$5 \#1" in text
