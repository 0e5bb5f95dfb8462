"""Recognitions as text: a table for people; JSON, JSON Lines and CSV for programs.

Conventions: each function takes the recognitions in the order they were asked for and gives the whole text with a
final line break. Text is always valid UTF-8, whatever bytes a file's name is made of.
"""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment
from emotone.output.names import as_utf8, printable, spreadsheet_safe
from emotone.output.objects import SEGMENT_COLUMNS, recording_object, segment_object

if TYPE_CHECKING:
    from rich.table import Table


_NOTE = "\ue000"
"""Marks the row of a note; of a private use area, so that no name holds it: `printable` escapes it."""


def as_table(recognitions: Sequence[Recognition], *, width: int | None = None, colour: bool = False) -> str:
    """A table for people: file, emotion, and the probability of each class; under a long recording, its segments.

    Where the terminal is too narrow for a column per class, one column names the two most probable classes.

    Args:
        recognitions: all of one model.
        width: of the terminal, in characters; None for as wide as the content is.
        colour: whether to colour it for a terminal.
    """
    # Imported here: JSON and CSV need none of it, and it is a tenth of the start.
    from rich.console import Console
    from rich.measure import Measurement

    sheet = io.StringIO()
    # A terminal narrower than the table folds it; a file never does.
    console = Console(
        file=sheet, width=width or 10_000, force_terminal=colour, no_color=not colour, legacy_windows=False
    )
    wide = console.options.update(width=10_000)
    table, notes = _table(recognitions, narrow=False)
    if width is not None and Measurement.get(console, wide, table).maximum > width:
        table, notes = _table(recognitions, narrow=True)
    console.print(table)
    lines: list[str] = []
    for line in sheet.getvalue().splitlines():
        if _NOTE in line:
            wrapped = textwrap.wrap(notes.popleft(), max(20, (width or 10_000) - 4))
            lines += (f"\x1b[2m   {part}\x1b[0m" if colour else f"   {part}" for part in wrapped)
        else:
            lines.append(line.rstrip())
    return "".join(f"{line}\n" for line in lines if line)


def _table(recognitions: Sequence[Recognition], *, narrow: bool) -> tuple[Table, deque[str]]:
    """The table, with a row `_NOTE` for each note, and the notes: they span all columns, which Rich cannot do."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("emotion", overflow="fold")
    labels = _labels(recognitions)
    if narrow:
        table.add_column("probabilities", overflow="fold")
    else:
        for label in labels:
            table.add_column(label, justify="right")

    has_unfamiliar = any(one.unfamiliar is not None for one in recognitions) and not narrow
    has_text = any(segment.text for one in recognitions for segment in one.segments)
    if has_unfamiliar:
        table.add_column("unfamiliar", justify="right")
    if has_text:
        table.add_column("text", overflow="fold")

    def probabilities(one: Recognition | Segment) -> list[Text]:
        values = one.probabilities
        if narrow:
            best = sorted(values, key=lambda label: -values[label])[:2] if values else []
            return [Text("\n".join(f"{values[label]:.2f} {label}" for label in best), style="dim")]
        if not values:
            return [Text("") for _ in labels]
        return [Text(f"{values[label]:.2f}", style="bold" if label == one.emotion else "dim") for label in labels]

    def add(name: str, one: Recognition | Segment, whole: bool) -> None:
        style = "yellow" if one.unsure else "bold" if whole else ""
        answer = one.emotion or one.reason or "no speech"
        if one.unsure and one.emotion:
            answer += f" (unsure: {one.reason})" if one.reason else " (unsure)"
        distance = f"{one.unfamiliar:.2f}" if one.unfamiliar is not None else ""
        rest = [Text(distance, style="dim")] if has_unfamiliar else []
        if has_text:
            rest.append(Text(printable(getattr(one, "text", None) or "")))
        table.add_row(Text(name), Text(answer, style=style if one.emotion else "dim"), *probabilities(one), *rest)

    notes: deque[str] = deque()
    for one in recognitions:
        add(printable(one.source), one, True)
        if one.note:
            table.add_row(_NOTE)
            notes.append(one.note)
        if one.baseline:
            table.add_row(_NOTE)
            notes.append(f"relative to the baseline {printable(one.baseline)}")
        if sum(segment.speech for segment in one.segments) > 1 or one.channels or one.segments[0].turn is not None:
            for segment in one.segments:
                side = "" if segment.channel is None else f"  channel {segment.channel + 1}"
                side += f"  {printable(segment.speaker)}" if segment.speaker else ""
                add(f"  {_clock(segment.start_s)} - {_clock(segment.end_s)}{side}", segment, False)
    return table, notes


def as_json(recognitions: Sequence[Recognition]) -> str:
    """A JSON array with one `recording_object` a recording."""
    text = json.dumps([recording_object(one) for one in recognitions], indent=2, ensure_ascii=False)
    # Lists of numbers and labels on one line. Line breaks inside of strings are escaped, so that strings do not change.
    text = re.sub(r"\[\n[^\[\]{}]*\n *\]", lambda found: re.sub(r"\n *", " ", found[0]), text)
    return as_utf8(text) + "\n"


def as_jsonl(recognitions: Sequence[Recognition]) -> str:
    """JSON Lines: the same objects as `as_json`, each on a line of its own."""
    lines = (json.dumps(recording_object(one), ensure_ascii=False) + "\n" for one in recognitions)
    return as_utf8("".join(lines)) or "\n"


def as_csv(recognitions: Sequence[Recognition]) -> str:
    """CSV with a header and one row per segment; cells that a spreadsheet would run as a formula begin with a quote.

    The columns are file, start_s, end_s, channel (from 0, empty where mixed), emotion (empty without speech),
    unsure (true or false), reason, unfamiliar, speaker and text of the turn, baseline, note, then one column per class.
    """
    return _csv(recognitions, spreadsheet_safe)


def as_raw_csv(recognitions: Sequence[Recognition]) -> str:
    """The same as `as_csv`, with every cell as it is: for programs, not for spreadsheets."""
    return _csv(recognitions, str)


def _csv(recognitions: Sequence[Recognition], cell: Callable[[str], str]) -> str:
    sheet = io.StringIO()
    # Names are quoted always: csv itself leaves a lone carriage return bare, and readers end the row there.
    writer = csv.writer(sheet, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    labels = _labels(recognitions)
    writer.writerow([*SEGMENT_COLUMNS, *map(cell, labels)])
    for one in recognitions:
        for segment in one.segments:
            row = {**segment_object(segment), "file": one.source, "unsure": str(segment.unsure).lower()}
            cells = ["" if row[name] is None else row[name] for name in SEGMENT_COLUMNS]
            shares = (round(segment.probabilities[label], 6) if segment.probabilities else "" for label in labels)
            writer.writerow([*(cell(word) if isinstance(word, str) else word for word in cells), *shares])
    return as_utf8(sheet.getvalue())


def _clock(time_s: float) -> str:
    """Hours, minutes and seconds with tenths, as short as they can be."""
    tenths = round(time_s * 10)
    minutes, seconds = tenths // 600, tenths % 600 / 10
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:04.1f}" if minutes >= 60 else f"{minutes}:{seconds:04.1f}"


def _labels(recognitions: Sequence[Recognition]) -> list[str]:
    return list(recognitions[0].labels) if recognitions else []
