"""Recognitions as text: a table for people, JSON and CSV for programs.

Conventions: one function a format, each taking the recognitions in the order they were asked for and giving the whole
text with a final line break. Text is always valid UTF-8, whatever bytes a file's name is made of.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from emotone.listening.recognition import Recognition


def as_table(recognitions: Sequence[Recognition], *, width: int | None = None, colour: bool = False) -> str:
    """A table for people: file, emotion, and the probability of each class.

    Args:
        recognitions: all of one model.
        width: of the terminal, in characters; None for as wide as the content is.
        colour: whether to colour it for a terminal.
    """
    # Imported here: JSON and CSV need none of it, and it is a tenth of the start.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("emotion")
    for label in _labels(recognitions):
        table.add_column(label, justify="right")
    for one in recognitions:
        verdict = Text(one.emotion or "no speech", style="bold")
        if one.unsure and one.emotion:
            verdict = Text(f"{one.emotion} (unsure)", style="yellow")
        shares = (
            Text(f"{share:.2f}", style="bold" if label == one.emotion else "dim")
            for label, share in one.probabilities.items()
        )
        table.add_row(Text(printable(one.source)), verdict, *shares)
    sheet = io.StringIO()
    # A terminal narrower than the table folds it; a file never does.
    console = Console(
        file=sheet, width=width or 10_000, force_terminal=colour, no_color=not colour, legacy_windows=False
    )
    console.print(table)
    lines = (line.rstrip() for line in sheet.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def as_json(recognitions: Sequence[Recognition]) -> str:
    """A JSON array with one object a recording: file, emotion, unsure, duration_s, probabilities."""
    rows: list[dict[str, Any]] = [
        {
            "file": one.source,
            "emotion": one.emotion,
            "unsure": one.unsure,
            "duration_s": round(one.duration_s, 6),
            "probabilities": {label: round(share, 6) for label, share in one.probabilities.items()},
        }
        for one in recognitions
    ]
    return _utf8(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n"


def as_csv(recognitions: Sequence[Recognition]) -> str:
    """CSV with a head: file, emotion, unsure (true or false), duration_s, then one column a class."""
    sheet = io.StringIO()
    # Names are quoted always: csv itself leaves a lone carriage return bare, and readers end the row there.
    writer = csv.writer(sheet, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["file", "emotion", "unsure", "duration_s", *_labels(recognitions)])
    for one in recognitions:
        shares = (round(share, 6) for share in one.probabilities.values())
        writer.writerow([one.source, one.emotion, str(one.unsure).lower(), round(one.duration_s, 6), *shares])
    return _utf8(sheet.getvalue())


FORMATS: dict[str, Callable[[Sequence[Recognition]], str]] = {"table": as_table, "json": as_json, "csv": as_csv}


def printable(name: str) -> str:
    r"""A name that is safe to show: line breaks, terminal codes and stray bytes are written as escapes.

    >>> printable("two\nlines.wav")
    'two\\nlines.wav'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in name
    )


def _labels(recognitions: Sequence[Recognition]) -> list[str]:
    return list(recognitions[0].probabilities) if recognitions else []


def _utf8(text: str) -> str:
    # File names are bytes; those that are no UTF-8 arrive as lone surrogates. Their escape is also what JSON wants.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
