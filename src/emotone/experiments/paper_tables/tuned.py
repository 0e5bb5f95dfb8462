"""The second table: every row with the settings that a search on validation speakers chose.

The papers do not print most settings, so the first choice of this project may be unfair to a row. Here each row gets
the same small budget: `BUDGET` trials, on the validation speakers of the first fold, its loss searched for by itself.
Those speakers are test speakers of another fold, which must be said beside the figures.

Conventions: the table's folder holds the searches under `tuning/KEY` and the runs under `tuned/KEY`. The record of the
tuned rows is a record in the folder `tuned` of the record, and keeps the trials in `settings/KEY.json`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from emotone.evaluation.reports.content import Table
from emotone.evaluation.results import percent
from emotone.experiments.paper_tables.rows import ROWS, Row, in_order
from emotone.experiments.paper_tables.run import TableListener, TablePlan, obstacle, row_plan
from emotone.experiments.paper_tables.schedule import TimeIsUpError, Watch
from emotone.experiments.tuning import BUDGET, Tuning, default_space, read_tuning, tune
from emotone.files import write_text

FOLDS = (0,)
"""The folds whose validation speakers decide."""


def can_be_tuned(row: Row) -> bool:
    """Whether a row belongs in the second table: the networks of Tables 1 and 2."""
    return row.group in ("Table 1", "Table 2") and not row.feature_set


def tune_rows(
    table: TablePlan, listener: TableListener, *, hours: float, record: Path | None = None
) -> dict[str, Tuning]:
    """Search for the settings of every wanted row that has none yet, until the time is up.

    Args:
        table: what to run, with the settings that were chosen first.
        listener: of the progress.
        hours: stop before an epoch that would end later than this; the search continues next time.
        record: of the tuned rows; searches that are in it are not made again.
    Returns:
        the finished searches by row.
    """
    found = {} if record is None else read_settings(record)
    watch = Watch(listener, time.monotonic() + 3600 * hours)
    rows = [row for row in table.wanted if can_be_tuned(row) and obstacle(table, row) is None]
    for row, seed in in_order(rows, table.seeds[:1]):
        if row.key in found:
            continue
        if watch.is_late(row):
            break
        plan = row_plan(replace(table, tuned=None), row, (seed,))
        plan = replace(plan, folder=table.folder / "tuning" / row.key, only_folds=FOLDS)
        listener.row_begins(row, plan)
        watch.row = row
        try:
            found[row.key] = tune(plan, default_space(plan.recipe), listener=watch)
        except TimeIsUpError:
            break
        if record is not None:
            write_text(record / "settings" / f"{row.key}.json", found[row.key].model_dump_json(indent=1) + "\n")
    return found


def read_settings(record: Path) -> dict[str, Tuning]:
    """The finished searches of a record of tuned rows.

    Raises:
        TrainingError: a damaged file.
    """
    return {row.key: read_tuning(path) for row in ROWS if (path := record / "settings" / f"{row.key}.json").exists()}


def settings_of(searches: Mapping[str, Tuning]) -> dict[str, tuple[str, ...]]:
    """The best settings by row, as `TablePlan.tuned` takes them."""
    return {key: search.best.settings for key, search in searches.items()}


def settings_table(searches: Mapping[str, Tuning]) -> Table:
    """What each search chose, and what it gained on the validation speakers."""
    rows = [
        [
            row.title,
            ", ".join(searches[row.key].best.settings) or "as first chosen",
            percent(searches[row.key].trials[0].validation_uar),
            percent(searches[row.key].best.validation_uar),
        ]
        for row in ROWS
        if row.key in searches
    ]
    return Table(
        f"Settings with the highest UAR on the validation speakers of the first fold, of {BUDGET} trials per row. "
        "Those speakers are test speakers of another fold.",
        ["system", "settings", "validation UAR as first chosen", "validation UAR tuned"],
        rows,
        n_text=2,
    )
