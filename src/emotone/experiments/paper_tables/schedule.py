"""Run the missing folds of a table one after the other, in the stated order, until the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from emotone.errors import MissingExtraError
from emotone.experiments.cross_validation import run_one_fold
from emotone.experiments.opensmile_baseline import cross_validate_opensmile
from emotone.experiments.paper_tables.rows import Row, in_order
from emotone.experiments.paper_tables.run import TableListener, TablePlan, fold_weight, obstacle, row_plan
from emotone.experiments.recipe import Recipe
from emotone.training.job import EpochRecord


def missing_folds(
    table: TablePlan, recorded: Callable[[Row, Recipe], Collection[tuple[int, int]]] = lambda row, recipe: ()
) -> list[tuple[Row, int, int]]:
    """The folds that no run has done yet, as (row, seed, fold), in the order in which `run_next` runs them.

    Args:
        table: rows and seeds to run.
        recorded: the (seed, fold) pairs of a row with this recipe that a record already has.
    """
    missing = []
    for row, seed in in_order([row for row in table.wanted if obstacle(table, row) is None], table.seeds):
        plan = row_plan(table, row, (seed,))
        done = recorded(row, plan.recipe)
        missing += [
            (row, seed, fold)
            for fold in plan.fold_numbers
            if (seed, fold) not in done and not plan.fold(seed, fold).is_done
        ]
    return missing


def run_next(
    table: TablePlan,
    folds: Sequence[tuple[Row, int, int]],
    listener: TableListener,
    *,
    hours: float,
) -> int:
    """Run folds one after the other until the time is up.

    A fold that is stopped is continued from its last epoch by the next call.

    Args:
        table: what to run.
        folds: as `missing_folds` gives them.
        listener: of the progress.
        hours: stop before an epoch that would end later than this.
    Returns:
        how many folds were done.
    Raises:
        EmotoneError: whatever a fold raises; what is done stays done.
    """
    rows = {row.key: row for row, _, _ in folds}
    weights = {key: fold_weight(table, row) for key, row in rows.items()}
    listener.planned(weights, sum(weights[row.key] for row, _, _ in folds))
    watch = Watch(listener, time.monotonic() + 3600 * hours)
    n_done = 0
    for row, seed, fold in folds:
        if watch.is_late(row):
            break
        plan = replace(row_plan(table, row, (seed,)), only_folds=None if row.feature_set else (fold,))
        listener.row_begins(row, plan)
        watch.row = row
        try:
            if row.feature_set:
                cross_validate_opensmile(plan, row.feature_set, listener.fold_done)
            else:
                run_one_fold(plan, seed, fold, watch)
        except MissingExtraError:
            if not row.feature_set:
                raise
            listener.row_skipped(row, "needs the extra opensmile")
            continue
        except TimeIsUpError:
            break
        n_done += 1
    return n_done


class TimeIsUpError(Exception):
    """The next epoch would end too late."""


class Watch:
    """Passes progress on to a listener, and stops a fold whose next epoch would end after the deadline."""

    def __init__(self, listener: TableListener, deadline: float) -> None:
        self.listener, self.deadline = listener, deadline
        self.row: Row | None = None
        self.epoch_s: dict[str, float] = {}

    def is_late(self, row: Row) -> bool:
        """Whether an epoch of this row, as long as its last one, would end after the deadline."""
        return time.monotonic() + self.epoch_s.get(row.key, 0.0) > self.deadline

    def decoded(self, done: int, total: int) -> None:
        """Passed on."""
        self.listener.decoded(done, total)

    def epoch(self, seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        """Passed on; stops the fold where the next epoch would be late."""
        self.listener.epoch(seed, fold, record, n_epochs)
        if self.row is not None:
            self.epoch_s[self.row.key] = record.seconds
            if record.epoch < n_epochs and self.is_late(self.row):
                raise TimeIsUpError

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """Passed on."""
        self.listener.fold_done(seed, fold, info, fresh)
