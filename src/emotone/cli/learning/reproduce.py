"""`emotone reproduce`: the paper's tables, from one command."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotone.cli.learning.options import CorpusFolder, Device, Evaluations, Protocol, Store, Threads, Workers

if TYPE_CHECKING:
    from emotone.experiments.paper_tables.rows import Row
    from emotone.experiments.tuning import Tuning

WITH_PHONEMES = ("emodb", "iemocap")
"""Corpora whose readers know phonemes; every other corpus goes without."""

app = typer.Typer(
    name="reproduce",
    help="Reproduce what the paper printed.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Reproduce what the paper printed."""


@app.command("model")
def model(
    name: Annotated[str, typer.Argument(help="default, small or research.")],
    directory: Annotated[Path, typer.Argument(help="The folder that holds the corpora's folders.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    run: Annotated[
        Path | None, typer.Option("--run", help="Folder of the training run. [default: runs/model-NAME]")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", help="Run folder of the default model, which `small` learns from.")
    ] = None,
    store: Store = None,
    threads: Threads = 0,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores",
            help="A results.json of `emotone evaluate` with these weights, to write into the file. Repeatable.",
        ),
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Write a model card beside it, as Markdown.")] = False,
) -> None:
    """Train, calibrate and export one of the models that ship, from its corpora to its model file.

    It is trained once on all its corpora and, except for `small`, once more without each corpus of speech that is at
    most half of it, for the temperature and the reference of `unfamiliar`. A run that was stopped goes on where it
    was. Needs the encoder (see docs/training.md).
    """
    from rich.console import Console

    from emotone.cli.learning.display import RunDisplay
    from emotone.cli.learning.training_run import default_store
    from emotone.errors import RecipeError
    from emotone.evaluation.predictions import Predictions
    from emotone.evaluation.provenance import command_line
    from emotone.evaluation.results import Results
    from emotone.experiments.shipping.model_card import card as model_card
    from emotone.experiments.shipping.model_facts import score_of_fold
    from emotone.experiments.shipping.shipped_model import MODELS, build_model, plan_of
    from emotone.experiments.tracking import open_tracker
    from emotone.files import write_text
    from emotone.model_files.model_file import read_model_file

    if name not in MODELS:
        raise RecipeError(f"no model {name!r} ships; expected one of {', '.join(MODELS)}")
    folder = run or Path("runs") / f"model-{name}"
    plan = plan_of(
        name, directory, folder, store or default_store(), threads=threads, command=command_line(), teacher=teacher
    )
    found = [Results.read(path) for path in scores or []]
    with open_tracker(None, folder) as tracked, RunDisplay(Console(stderr=True), plan, tracked) as display:
        calibration = build_model(name, plan, directory, output, scores=found, listener=display)
    if card:
        fold = plan.fold(0, 0)
        own = score_of_fold(fold.path)
        text = model_card(read_model_file(output)[1], own, Predictions.read(fold.predictions))
        write_text(output.with_suffix(".md"), text)
    subsets = "".join(f", {one.temperature:.2f} for {len(one.labels)} classes" for one in calibration.class_sets)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB; temperature {calibration.temperature:.2f}{subsets}")


@app.command("tables")
def tables(
    directory: CorpusFolder,
    corpus: Annotated[str, typer.Option("--corpus", help="The corpus by name (see `emotone corpora list`).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The table's folder. [default: runs/tables-CORPUS-PROTOCOL]")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            show_default=False,
            help="Seeds 0 to N - 1; one of all rows before the next. [default: 1; with --next 3]",
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Run just this row. Repeatable.")] = None,
    workers: Workers = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="One fold, 2 epochs, 8 utterances a class and part; stamped QUICK.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="Add every fold to this folder when it is done, and report what the folder has. "
            "It takes folds of many runs and machines.",
        ),
    ] = None,
    next_: Annotated[
        bool,
        typer.Option(
            "--next",
            help="Run missing folds one after the other, in the order of the table, at low priority, until --hours "
            "are over. A fold that is stopped continues next time.",
        ),
    ] = False,
    hours: Annotated[float, typer.Option("--hours", min=0.0, help="Time for --next.")] = 1.0,
    tuned: Annotated[
        bool,
        typer.Option(
            "--tuned",
            help="The second table: search for each row's settings on validation speakers (8 trials), then run it.",
        ),
    ] = False,
    protocol: Protocol = None,
    store: Store = None,
    device: Device = None,
    threads: Threads = 0,
    evaluations: Evaluations = None,
) -> None:
    """Train and score the rows of the paper's Tables 1 and 2, further losses, baselines, and the leaky protocols.

    Writes tables.md, tables.tex and tables.html. Folds that are done are not run again: the command can be stopped at
    any time, and given again with more rows or seeds.
    """
    from rich.console import Console

    from emotone.cli.learning.display import TableDisplay
    from emotone.cli.learning.training_run import check_device, default_store
    from emotone.cores import available_cores
    from emotone.corpora import protocol_folds
    from emotone.evaluation.provenance import command_line
    from emotone.experiments.paper_tables.record import check_record, folds_in_record, read_record, write_record
    from emotone.experiments.paper_tables.report import write_tables
    from emotone.experiments.paper_tables.rows import ROWS
    from emotone.experiments.paper_tables.run import (
        TablePlan,
        gather,
        quick_task,
        run_table,
        table_facts,
    )
    from emotone.experiments.paper_tables.schedule import missing_folds, run_next
    from emotone.experiments.paper_tables.tuned import settings_of, tune_rows

    check_device(device)
    console = Console(stderr=True)
    task = _read(corpus, directory)
    folds = protocol_folds(task, protocol)
    name = f"tables-{task.name}-{folds.protocol}{'-quick' if quick else ''}"
    if quick:
        task, folds = quick_task(task, folds)
    n_seeds = seeds or (3 if next_ else 1)
    table = TablePlan(
        corpus=task,
        folds=folds,
        seeds=tuple(range(n_seeds)),
        folder=output or Path("runs") / name,
        store=store or default_store(),
        quick=quick,
        only=None if only is None else tuple(only),
        device=device,
        threads=threads or (max(1, available_cores() // workers) if workers > 1 else 0),
        command=command_line(),
        looks=evaluations,
    )
    console.print(
        f"{task.name}: {len(task.utterances)} utterances, {len(task.speakers)} speakers; {folds.protocol}, "
        f"folds {folds.hash}; {len(table.wanted)} rows, {n_seeds} seed{'s' if n_seeds > 1 else ''}; "
        f"into {table.folder}",
        highlight=False,
    )
    facts = table_facts(table)
    if record is not None:
        record = record / "tuned" if tuned else record
        check_record(record, facts)
    searches: dict[str, Tuning] | None = None
    began = time.monotonic()

    def commit(row: Row) -> None:
        if record is not None:
            write_record(record, facts, [gather(table, row)])

    with TableDisplay(console, commit) as display:
        if next_:
            _lower_priority()
        if tuned:
            searches = tune_rows(table, display, hours=hours if next_ else math.inf, record=record)
            table = replace(table, tuned=settings_of(searches))
        if next_:
            missing = missing_folds(table, *([] if record is None else [folds_in_record(record)]))
            console.print(f"{len(missing)} folds are missing", highlight=False)
            n_done = run_next(table, missing, display, hours=hours - (time.monotonic() - began) / 3600)
            console.print(f"ran {n_done} folds, {len(missing) - n_done} are left", highlight=False)
            outcomes = [gather(table, row) for row in ROWS]
        else:
            outcomes = run_table(table, display, jobs=workers)
    if record is not None:
        write_record(record, facts, outcomes)
        facts, outcomes = read_record(record)
    for path in write_tables(table.folder / "tuned" if tuned else table.folder, facts, outcomes, searches=searches):
        print(f"wrote {path}")
    stamp = " QUICK" if quick else ""
    for outcome in outcomes:
        found = outcome.results
        leaky = " LEAKY" if outcome.row.leak else ""
        if found is None:
            print(f"{outcome.row.key}: {outcome.extent}")
        else:
            print(
                f"{outcome.row.key}: UAR {100 * found.pooled.uar:.1f}{leaky}{stamp}, "
                f"accuracy {100 * found.pooled.accuracy:.1f}{leaky}{stamp} ({outcome.extent})"
            )


def _lower_priority() -> None:
    """Let other programs go first; Windows has no such call in the standard library."""
    if hasattr(os, "nice"):
        os.nice(10)


def _read(name: str, directory: Path) -> Any:
    """The corpus, with phonemes where its reader has them."""
    from emotone.corpora import read_corpus

    options: dict[str, Any] = {"phonemes": True} if name in WITH_PHONEMES else {}
    return read_corpus(name, directory, **options)
