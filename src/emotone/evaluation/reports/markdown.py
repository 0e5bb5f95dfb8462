"""A report as Markdown, with its figures as PNG files in a folder beside it.

Conventions: every text is escaped, so that nothing in a name or a recipe is taken for Markdown or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from emotone.evaluation.reports.content import Code, Paragraph, Part, Picture, Section, title
from emotone.evaluation.results import Results

FIGURES_FOLDER = "report-figures"


def as_markdown(results: Results, parts: Sequence[Section]) -> str:
    """The report as Markdown; its figures are PNG files in the folder `FIGURES_FOLDER` beside it."""
    return f"# {_plain(title(results))}\n\n**{_plain(results.headline())}**\n\n{body(parts)}"


def document(title: str, lead: Sequence[str], parts: Sequence[Section]) -> str:
    """Any report as Markdown.

    Args:
        title: of the whole.
        lead: paragraphs under it.
        parts: its sections.
    """
    lines = [f"# {_plain(title)}", ""]
    for paragraph in lead:
        lines += [_plain(paragraph), ""]
    return "\n".join(lines) + "\n" + body(parts)


def body(parts: Sequence[Section], *, level: int = 2) -> str:
    """Sections alone, for inclusion in another document.

    Args:
        parts: the sections.
        level: of their headings.
    """
    lines: list[str] = []
    for section in parts:
        lines += [f"{'#' * level} {_plain(section.title)}", ""]
        for part in section.parts:
            lines += [*_markdown_part(part), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _markdown_part(part: Part) -> list[str]:
    if isinstance(part, Paragraph):
        return [_plain(part.text)]
    if isinstance(part, Picture):
        return [f"![{_plain(part.description)}]({FIGURES_FOLDER}/{part.name}.png)"]
    if isinstance(part, Code):
        # A fence longer than any within, so that no text can end it.
        longest = max((len(ticks) for ticks in re.findall("`+", part.text)), default=0)
        fence = "`" * max(3, longest + 1)
        return [fence, part.text.rstrip("\n"), fence]
    aligned = [" :-- " if index < part.n_text else " --: " for index in range(len(part.columns))]
    rows = [_row(part.columns), "|" + "|".join(aligned) + "|", *map(_row, part.rows)]
    return [_plain(part.caption), "", *rows]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """Text in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>#|!&~$])", r"\\\1", " ".join(text.split()))
