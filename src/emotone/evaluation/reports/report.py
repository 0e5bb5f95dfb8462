"""The report of a run: Markdown for a repository, and one self-contained HTML page with the same content."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from emotone.evaluation.reports.content import Picture, sections
from emotone.evaluation.reports.markdown import FIGURES_FOLDER, as_markdown
from emotone.evaluation.reports.page import as_html
from emotone.evaluation.run_folder import read_run
from emotone.files import write_bytes, write_text

Format = Literal["markdown", "html"]
FORMATS: tuple[Format, ...] = ("markdown", "html")


def write_report(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    formats: Sequence[Format] = FORMATS,
    figures: bool = True,
) -> list[Path]:
    """Write report.md and report.html of a run folder.

    Args:
        run: the run folder.
        output: the folder to write to, None for the run folder itself.
        formats: which of the two.
        figures: whether to draw them; without them Matplotlib is not needed.
    Returns:
        the files written: first report.md, then report.html, then the figures of the Markdown.
    Raises:
        EvaluationError: the folder is not a finished run.
        MissingExtraError: figures are wanted and Matplotlib is not installed.
        OutputError: a file could not be written.
    """
    found = read_run(run)
    parts = sections(found, figures=figures)
    target = Path(run if output is None else output)
    reports: list[Path] = []
    pictures: list[Path] = []
    if "markdown" in formats:
        for picture in (part for section in parts for part in section.parts if isinstance(part, Picture)):
            from emotone.evaluation.reports.figures import as_png

            pictures.append(target / FIGURES_FOLDER / f"{picture.name}.png")
            write_bytes(pictures[-1], as_png(picture.figure))
        # After its figures: a reader who sees the report sees all of it.
        reports.append(target / "report.md")
        write_text(reports[-1], as_markdown(found.results, parts))
    if "html" in formats:
        reports.append(target / "report.html")
        write_text(reports[-1], as_html(found.results, parts))
    return reports + pictures
