"""`emotone corpora`: list, check and describe corpora."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli.options import MapOption, OverwriteOption, label_rules
from emotone.cli.terminal import table_console

if TYPE_CHECKING:
    from rich.console import Console

    from emotone.corpora.check import CorpusReport
    from emotone.corpora.description import Description

app = typer.Typer(
    name="corpora",
    help="Corpora: list them, check that a folder is complete, describe what it holds.",
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

    from emotone.corpora import CORPUS_NAMES
    from emotone.corpora.check import RELEASES
    from emotone.corpora.origins import MERGED_FROM
    from emotone.corpora.readers import crema_d, iemocap

    # Names are typed by hand, so they are never cut.
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
    for name, parts in MERGED_FROM.items():
        licences = " AND ".join(dict.fromkeys(RELEASES[part].licence for part in parts))
        folders = f"the folders {', '.join(parts[:-1])} and {parts[-1]} side by side"
        table.add_row(name, "-", "-", "4" if name == "open-four" else "6", licences, folders)
    table.add_row("manifest", "-", "-", "-", "-", "a table of your own: CSV, TSV, JSONL or Parquet")
    table_console().print(table)


@app.command("check")
def check_corpus(
    name: Annotated[str, typer.Argument(help="A name from `emotone corpora list`.")],
    directory: Annotated[Path, typer.Argument(help="Its folder; for `manifest`, the manifest.")],
    quick: Annotated[bool, typer.Option("--quick", help="Check names and sizes only; decode nothing.")] = False,
    map_: MapOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Print every line, not the first {SHOWN} of each list.")
    ] = False,
) -> None:
    """List what is missing, extra, empty, silent or duplicated, compared with the official release.

    Exits with 0 if nothing was found but known faults of the release, with 1 if something was found, and with 4 if the
    folder does not hold the corpus.
    """
    from emotone.corpora.check import check

    with _decoding() as advance:
        report = check(name, directory, labels=label_rules(map_), quick=quick, progress=advance)
    _print_report(report, table_console(), None if everything else SHOWN)
    if not report.ok:
        raise typer.Exit(1)


@app.command("describe")
def describe_corpus(
    name: Annotated[str, typer.Argument(help="A name from `emotone corpora list`.")],
    directory: Annotated[Path, typer.Argument(help="Its folder; for `manifest`, the manifest.")],
    map_: MapOption = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write one self-contained HTML page with histograms.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Print every line, not the first {SHOWN} of each list.")
    ] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Show classes by speaker, sexes, durations, levels, and silent and clipped recordings."""
    from emotone.corpora import read_corpus
    from emotone.corpora.description import describe
    from emotone.corpora.description_page import page
    from emotone.files import check_replaceable, write_text

    if html is not None:
        check_replaceable(html, "an HTML page", lambda old: old.startswith(b"<!doctype html>"), overwrite=overwrite)
    corpus = read_corpus(name, directory, labels=label_rules(map_))
    with _decoding() as advance:
        found = describe(corpus, progress=advance)
    _print_description(found, table_console(), None if everything else SHOWN)
    if html is not None:
        write_text(html, page(found))
        print(f"{html}: the same as a page, with histograms")


@contextmanager
def _decoding() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; lines now and then where that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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

        yield advance


def _print_description(found: Description, console: Console, shown: int | None) -> None:
    from rich.table import Table

    from emotone.corpora.description import QUANTILES, quantiles
    from emotone.corpora.description_page import summary

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{found.name}: {summary(found)}")
    classes = Table("class", "utterances", "minutes", "median level, dB")
    for emotion, (number, seconds, level) in found.by_class.items():
        classes.add_row(emotion, str(number), f"{seconds / 60:.1f}", f"{level:.1f}")
    console.print(classes)
    speakers = Table("speaker", "sex", *found.classes, "all")
    names = sorted(found.counts)
    for speaker in names[:shown]:
        counts = found.counts[speaker]
        cells = [str(counts[emotion]) for emotion in found.classes]
        speakers.add_row(speaker, found.sexes[speaker] or "-", *cells, str(sum(counts.values())))
    console.print(speakers)
    if len(names[:shown]) < len(names):
        say(f"… and {len(names) - len(names[:shown])} more speakers (--all prints them)")
    spread = Table("quantile", *(f"{100 * share:g} %" for share in QUANTILES))
    for title, values in (("duration, s", found.durations_s), ("level, dB", found.levels_db)):
        spread.add_row(title, *(f"{value:.1f}" for value in quantiles(values)))
    console.print(spread)
    _print_list(say, "to look at", found.notes, shown)
    _print_list(say, "left out by the reader", [f"{count}: {what}" for what, count in found.dropped.items()], shown)
    _print_list(say, "silent", found.silent, shown)
    _print_list(say, "clipped", [f"{name}: {peaks} clipped peaks" for name, peaks in found.clipped], shown)
    _print_list(say, "unreadable", [f"{name}: {reason}" for name, reason in found.unreadable], shown)


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
