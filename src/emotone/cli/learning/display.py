"""What commands that train show while they run: notes on a corpus, progress bars, a line per finished fold."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from emotone.corpora import Corpus

if TYPE_CHECKING:
    from emotone.experiments.paper_tables.rows import Row
    from emotone.experiments.plan import Plan
    from emotone.experiments.tracking import Tracker


def show_notes(console: Console, corpus: Corpus) -> None:
    """Print a corpus's notes, and how many recordings were left out for which reason."""
    for note in corpus.notes:
        console.print(f"note: {note}", style="dim", markup=False, highlight=False)
    for reason, count in corpus.dropped.items():
        console.print(f"left out: {count} ({reason})", style="dim", highlight=False)


def _progress(console: Console, *, speed_estimate_period: float = 30.0) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True, compact=True),
        TextColumn("{task.fields[state]}"),
        console=console,
        speed_estimate_period=speed_estimate_period,
    )


class RunDisplay:
    """A progress bar for the run: loss, UAR, recordings per second, time left; one line per finished fold."""

    def __init__(self, console: Console, plan: Plan, tracker: Tracker) -> None:
        self.console, self.plan, self.tracker = console, plan, tracker
        self.progress = _progress(console)
        self.decoding: TaskID | None = None
        self.n_epochs = {
            fold: plan.recipe.training.n_epochs(len(plan.folds.folds[fold].indices(plan.corpus).train))
            for fold in plan.fold_numbers
        }
        total = len(plan.seeds) * sum(self.n_epochs.values())
        self.training = self.progress.add_task("training", total=total, state="", start=False)

    def __enter__(self) -> RunDisplay:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def decoded(self, done: int, total: int) -> None:
        """A bar for the store."""
        if self.decoding is None:
            self.decoding = self.progress.add_task("decoding", total=total, state="")
        self.progress.update(self.decoding, completed=done)

    def epoch(self, seed: int, fold: int, record: Any, n_epochs: int) -> None:
        """One step on, with the last loss and UAR."""
        self.progress.start_task(self.training)
        state = (
            f"seed {seed} fold {fold} epoch {record.epoch}/{n_epochs}: loss {record.train_loss:.3f}, "
            f"validation UAR {100 * record.validation_uar:.1f}, {record.clips_per_second:.0f} clips/s"
        )
        self.progress.update(self.training, advance=1, state=state)
        self.tracker.log(seed, fold, record)
        if not self.console.is_terminal and (record.epoch % 10 == 0 or record.epoch == n_epochs):
            self.console.print(state, highlight=False)

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """A line for the fold; epochs that were not needed are taken off the bar."""
        epochs = self.n_epochs[fold]
        self.progress.update(self.training, advance=(epochs - info["epochs_run"]) if fresh else epochs)
        self.console.print(
            f"seed {seed} fold {fold} {'done' if fresh else 'was done before'}: epoch {info['best_epoch']} chosen, "
            f"validation UAR {100 * info['validation_uar']:.1f}, {info['seconds']:.0f} s",
            highlight=False,
        )


class TableDisplay:
    """One progress bar over the whole table, in multiply-adds, with the time left; one line per finished fold."""

    def __init__(self, console: Console, commit: Callable[[Row], None]) -> None:
        self.console, self.commit = console, commit
        # Rows differ a thousandfold in cost, so the speed of the last half minute says little.
        self.progress = _progress(console, speed_estimate_period=3600)
        self.bar = self.progress.add_task("table", total=1.0, state="")
        self.weights: dict[str, float] = {}
        self.row: Row | None = None
        self.passed: dict[tuple[str, int, int], float] = {}
        self.noted = time.monotonic()

    def __enter__(self) -> TableDisplay:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def planned(self, weights: dict[str, float], total: float) -> None:
        """Sets the length of the bar."""
        self.weights = weights
        self.progress.update(self.bar, total=total or 1.0)

    def row_begins(self, row: Row, plan: Plan) -> None:
        """Names the row."""
        self.row = row
        self.progress.update(self.bar, state=f"{row.key}, seed {plan.seeds[0]}")
        self.console.print(f"{row.key}: seed {plan.seeds[0]}", highlight=False)

    def row_skipped(self, row: Row, state: str) -> None:
        """Says why."""
        self.console.print(f"{row.key}: {state}", highlight=False)

    def decoded(self, done: int, total: int) -> None:
        """Decoding is short beside the table."""
        self.progress.update(self.bar, state=f"decoding {done} of {total}")

    def epoch(self, seed: int, fold: int, record: Any, n_epochs: int) -> None:
        """Moves the bar by an epoch of this row."""
        self._pass(seed, fold, record.epoch / n_epochs)
        name = self.row.key if self.row else ""
        state = f"{name} seed {seed} fold {fold} epoch {record.epoch}/{n_epochs}"
        self.progress.update(self.bar, state=state)
        if not self.console.is_terminal and time.monotonic() - self.noted > 60:
            self.noted = time.monotonic()
            remaining = self.progress.tasks[0].time_remaining
            left = f", about {remaining / 60:.0f} minutes left of the table" if remaining is not None else ""
            self.console.print(f"{state}, {self.progress.tasks[0].percentage:.1f} %{left}", highlight=False)

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """Prints a line for the fold, and adds it to the record."""
        self._pass(seed, fold, 1.0)
        self.console.print(
            f"  seed {seed} fold {fold} {'done' if fresh else 'was done before'}: "
            f"validation UAR {100 * info['validation_uar']:.1f}, {info['seconds']:.0f} s",
            highlight=False,
        )
        if fresh and self.row is not None:
            self.commit(self.row)

    def _pass(self, seed: int, fold: int, share: float) -> None:
        if self.row is None:
            return
        key = (self.row.key, seed, fold)
        step = (share - self.passed.get(key, 0.0)) * self.weights.get(self.row.key, 0.0)
        self.passed[key] = share
        self.progress.update(self.bar, advance=step)
