"""`emotone corpora`: what corpora there are, and whether a folder holds one whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli.options import MapOption, label_rules
from emotone.cli.terminal import table_console

if TYPE_CHECKING:
    from rich.console import Console

    from emotone.corpora.check import CorpusReport

app = typer.Typer(
    name="corpora",
    help="Corpora: what there is, and whether a folder holds one whole.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

SHOWN = 20

_LINE_EVERY_S = 30.0
"""Progress is written this often where standard error is not a terminal."""


@app.command("list")
def list_corpora() -> None:
    """List the corpora that can be read, with their size, licence and layout."""
    from rich.table import Column, Table

    from emotone.corpora import CORPUS_NAMES, crema_d, iemocap
    from emotone.corpora.check import RELEASES

    # A name is what one types: it is never cut to fit.
    name_column = Column("name", no_wrap=True, min_width=max(map(len, CORPUS_NAMES)))
    table = Table(name_column, "recordings", "speakers", "classes", "licence", "a file of it")
    rows = [
        (name, release.n_files, release.n_speakers, len(release.classes), release.licence, release.layout)
        for name, release in RELEASES.items()
    ]
    iemocap_row = ("iemocap", sum(iemocap.COUNTS.values()), iemocap.N_SPEAKERS, 4, iemocap.LICENCE, iemocap.LAYOUT)
    for row in sorted([*rows, iemocap_row]):
        table.add_row(*map(str, row))
    imbalanced = sum(crema_d.IMBALANCED_COUNTS.values())
    table.add_row(
        "crema-d-imbalanced", str(imbalanced), "91", "4", "ODbL-1.0", "cut from crema-d to IEMOCAP's proportions"
    )
    table.add_row("open-four", "5234", "101", "4", "ODbL-1.0 AND CC0-1.0", "the folders crema-d and emodb side by side")
    table.add_row("manifest", "-", "-", "-", "-", "a table of your own: CSV, TSV, JSONL or Parquet")
    table_console().print(table)


@app.command("check")
def check_corpus(
    name: Annotated[str, typer.Argument(help="The corpus, as `emotone corpora list` names it.")],
    directory: Annotated[Path, typer.Argument(help="Its folder; for `manifest`, the manifest.")],
    quick: Annotated[bool, typer.Option("--quick", help="Names and sizes alone; decode nothing.")] = False,
    map_: MapOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Print every line, not the first {SHOWN} of each list.")
    ] = False,
) -> None:
    """Say what of the official release is missing, extra, empty, silent or duplicated.

    Exits with 0 where all is in order but for the release's own known faults, with 1 where something was found, and
    with 4 where the folder does not hold the corpus at all.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from emotone.corpora.check import check

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("searching", total=None)
        printed = time.monotonic()

        def advance(done: int, total: int) -> None:
            nonlocal printed
            progress.update(task, description="decoding", completed=done, total=total)
            if not console.is_terminal and time.monotonic() - printed > _LINE_EVERY_S:
                printed = time.monotonic()
                print(f"decoding: {done} of {total}", file=sys.stderr)

        report = check(name, directory, labels=label_rules(map_), quick=quick, progress=advance)
    _print_report(report, table_console(), None if everything else SHOWN)
    if not report.ok:
        raise typer.Exit(1)


def _print_report(report: CorpusReport, console: Console, shown: int | None) -> None:
    from rich.table import Table

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    of = "" if report.n_official is None else f" of {report.n_official}"
    hours = "not measured (--quick)" if report.hours is None else f"{report.hours:.2f}"
    say(f"{report.name}: {report.n_files}{of} recordings, {len(report.speakers)} speakers, hours: {hours}")
    table = Table("class", "usable", *(["official"] if report.official else []))
    for emotion, count in report.classes.items():
        table.add_row(emotion, str(count), *([str(report.official.get(emotion, "-"))] if report.official else []))
    console.print(table)
    _print_list(say, "labels to look at", report.notes, shown)
    _print_list(say, "known faults of the official release", report.traps, shown)
    _print_list(say, "missing", report.missing, shown)
    _print_list(say, "extra", report.extra, shown)
    _print_list(say, "empty", report.empty, shown)
    _print_list(say, "silent", report.silent, shown)
    _print_list(say, "duplicated", [" = ".join(group) for group in report.duplicated], shown)
    _print_list(say, "unreadable", [f"{name}: {reason}" for name, reason in report.unreadable], shown)
    _print_list(say, "counts that differ", report.differences, shown)
    if not report.decoded:
        say("not checked (--quick): silent, duplicated, unreadable")
    say("in order" if report.ok else "NOT in order")


def _print_list(say: Callable[[str], None], title: str, lines: Sequence[str], shown: int | None) -> None:
    if not lines:
        return
    say(f"{title}: {len(lines)}")
    for line in lines[:shown]:
        say(f"  {line}")
    if shown is not None and len(lines) > shown:
        say(f"  … and {len(lines) - shown} more (--all prints them)")
