"""`emotone report`: a finished run as Markdown and as one HTML page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What is written."""

    all = "all"
    markdown = "markdown"
    html = "html"


def report(
    run: Annotated[Path, typer.Argument(help="The run folder that `emotone crossval` or `emotone evaluate` wrote.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write to. [default: the run folder]")
    ] = None,
    format: Annotated[Format, typer.Option(help="Which of the two reports to write.")] = Format.all,
    figures: Annotated[bool, typer.Option(help="Draw confusion matrix, curves and reliability.")] = True,
) -> None:
    """Report a finished run: scores with their intervals, folds, classes, groups, and how it was made.

    Writes report.md, with its figures in report-figures, and report.html, one page without other files.
    """
    from emotone.evaluation.reports.report import FORMATS, write_report
    from emotone.evaluation.results import Results
    from emotone.evaluation.run_folder import RunFolder

    formats = {Format.all: FORMATS, Format.markdown: FORMATS[:1], Format.html: FORMATS[1:]}[format]
    written = write_report(run, output, formats=formats, figures=figures)
    print(Results.read(RunFolder(run).results).headline())
    for path in written:
        if path.suffix != ".png":
            print(f"wrote {path}")
