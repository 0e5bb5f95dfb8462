"""`emotone predict` for a folder, a list or a pattern: a batch on all cores, or on a Ray cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from emotone.cli import exit_status

if TYPE_CHECKING:
    from emotone.batch.local import BatchReport, Progress
    from emotone.batch.locations import LeftOut
    from emotone.listening.options import TimelineOptions
    from emotone.listening.speakers import SpeakerSettings


def table_of_batch(
    files: Sequence[str], output: str | None, *, format: str, workers: int | None, ray: str | None
) -> str | None:
    """The table to write, if the command line asks for a batch: many recordings and a table for them.

    Raises:
        typer.BadParameter: workers or a cluster without an output.
    """
    from emotone.batch.locations import is_many
    from emotone.output.formats import TABLES

    if workers is not None or ray is not None:
        if output is None:
            raise typer.BadParameter("missing; name the table to write", param_hint="--output")
        table = TABLES.get(Path(output).suffix.lower())
        if format != "table" and (ray is not None or table is None or format != table.name):
            raise typer.BadParameter(
                "cannot be chosen for a batch: --output says it by its suffix, and a cluster writes Parquet",
                param_hint="--format",
            )
        return output
    if output is None or not any(map(is_many, files)):
        return None
    table = TABLES.get(Path(output).suffix.lower())
    return output if table is not None and format in ("table", table.name) else None


def found_in(files: Sequence[str], left_out: LeftOut) -> list[str]:
    """The recordings that the arguments name.

    Args:
        files: the words.
        left_out: where to count what is passed over in folders.
    Raises:
        AudioError: the only argument names none; one of several is kept and listed with the failures.
    """
    from emotone.batch.locations import find_recordings, is_many
    from emotone.errors import AudioError

    found: list[str] = []
    for word in files:
        try:
            found += find_recordings([word], left_out) if is_many(word) else [word]
        except AudioError:
            if len(files) == 1:
                raise
            found.append(word)
    return found


def predict_many(
    sources: Sequence[str],
    output: str,
    *,
    model: Path | None = None,
    threshold: float | None = None,
    channels: Literal["mix", "split"] = "mix",
    options: TimelineOptions | None = None,
    speakers: SpeakerSettings | None = None,
    workers: int | None = None,
    fail_fast: bool = False,
    overwrite: bool = False,
    ray: str | None = None,
) -> None:
    """Recognise many recordings into one table, with a progress bar.

    Raises:
        typer.BadParameter: an option that does not go with a cluster.
        typer.Exit: some recordings could not be used; they were listed.
        EmotoneError: as `recognise_many` and `recognise_with_ray`.
    """
    if ray is not None and fail_fast:
        raise typer.BadParameter(
            "cannot be combined with --ray: a cluster works on many recordings at once", param_hint="--fail-fast"
        )
    if ray is not None and overwrite:
        raise typer.BadParameter(
            "cannot be combined with --ray, which writes to a new folder only; name another output",
            param_hint="--overwrite",
        )
    if ray is not None and speakers is not None and (speakers.baseline or speakers.turns):
        raise typer.BadParameter(
            "a cluster's machines cannot read files of this one; leave --baseline and --turns out", param_hint="--ray"
        )
    rules: dict[str, Any] = {
        "model": model, "workers": workers, "unsure_threshold": threshold, "channels": channels, "options": options,
        "speakers": speakers,
    }  # fmt: skip
    if ray is not None:
        from emotone.batch.cluster import recognise_with_ray

        report = recognise_with_ray(sources, output, address=ray, **rules)
    else:
        report = _on_this_machine(sources, output, rules | {"fail_fast": fail_fast, "overwrite": overwrite})
    if report.n_failed == report.n_files and ray is None:
        print(f"none of {report.n_files} recordings could be used; {output} was not written", file=sys.stderr)
    else:
        print(f"{report.n_recognised} of {report.n_files} recordings are in {output}", file=sys.stderr)
    if report.n_failed:
        _list_failures(report)
    list_left_out(report.left_out)
    if report.n_failed:
        raise typer.Exit(exit_status.status_of(report.failures[0].error))
    check_left_out(report.left_out)


def list_left_out(left_out: LeftOut) -> None:
    """Print what was passed over in folders, to standard error."""
    from emotone.output.names import printable

    for line in left_out.lines:
        print(printable(line), file=sys.stderr)


def check_left_out(left_out: LeftOut) -> None:
    """End with the status of an unreadable recording if a folder could not be read.

    Raises:
        typer.Exit: a folder could not be read.
    """
    from emotone.batch.locations import UNREADABLE
    from emotone.errors import AudioError

    if left_out.counts[UNREADABLE]:
        raise typer.Exit(exit_status.status_of(AudioError(UNREADABLE)))


def _on_this_machine(sources: Sequence[str], output: str, rules: dict[str, Any]) -> BatchReport:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    from emotone.batch.local import recognise_many

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[failed]}", style="yellow"),
    )
    # Rich keeps the bar below warnings that are printed to standard error.
    with ProgressBar(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        shown = bar.add_task("searching", total=None, rate="", failed="")

        def show(now: Progress) -> None:
            task = bar.tasks[0]
            n_new = now.n_done - now.n_resumed
            rate = f"{n_new / task.elapsed:.1f} files/s" if task.elapsed and n_new else ""
            bar.update(
                shown,
                description="recognising",
                total=now.n_files,
                completed=now.n_done,
                rate=rate,
                failed=f"{now.n_failed} failed" if now.n_failed else "",
            )

        try:
            return recognise_many(sources, output, on_progress=show, **rules)
        except KeyboardInterrupt:
            bar.stop()
            task = bar.tasks[0]
            print(f"stopped at {task.completed:.0f} of {task.total or 0:.0f} recordings; ", end="", file=sys.stderr)
            print("run the same command again to continue", file=sys.stderr)
            raise


def _list_failures(report: BatchReport) -> None:
    from emotone.output.names import printable

    print(f"{report.n_failed} of {report.n_files} recordings could not be used:", file=sys.stderr)
    for failure in report.failures:
        print(f"  {printable(failure.file)}: {printable(failure.reason)}", file=sys.stderr)
    if report.n_failed > len(report.failures):
        print(f"  … and {report.n_failed - len(report.failures)} more", file=sys.stderr)
    if report.failures_file is not None:
        print(f"all failures, as JSON Lines: {report.failures_file}", file=sys.stderr)
