"""Recognitions as text: a table for people, JSON, JSON Lines and CSV for programs; and `write_results` for all formats.

Conventions: one function a format, each taking the recognitions in the order they were asked for and giving the whole
text with a final line break. Text is always valid UTF-8, whatever bytes a file's name is made of.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from emotone.errors import OutputError
from emotone.files import write_text
from emotone.listening.names import as_utf8, printable
from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment

SEGMENT_COLUMNS = ("file", "start_s", "end_s", "channel", "emotion", "unsure")

TEXT_FORMATS = {
    "table": "emotone.listening.formats:as_table",
    "json": "emotone.listening.formats:as_json",
    "jsonl": "emotone.listening.formats:as_jsonl",
    "csv": "emotone.listening.formats:as_csv",
    "rttm": "emotone.listening.annotations:as_rttm",
    "textgrid": "emotone.listening.annotations:as_textgrid",
    "webvtt": "emotone.listening.annotations:as_webvtt",
}
"""Where the function of each format of text is; imported when it is asked for."""

FILE_FORMATS = {
    "parquet": "emotone.listening.columns:write_parquet",
    "audformat": "emotone.listening.columns:write_audformat",
}
"""Formats that are no text: each function takes recognitions and the path to write."""

ONE_RECORDING = ("textgrid", "webvtt")
"""Formats that have no place for the name of a recording."""


def check_format(kind: str, *, n_recordings: int, output: str | Path | None) -> None:
    """Refuse, before any work is done, what cannot be written.

    Raises:
        OutputError: several recordings in a format for one, or a format that is no text without a file to write to.
        MissingExtraError: the format needs an extra that is not installed.
    """
    if kind in ONE_RECORDING and n_recordings > 1:
        raise OutputError(f"{kind} holds one recording, got {n_recordings}; write a file for each")
    if kind in FILE_FORMATS:
        if output is None:
            raise OutputError(f"{kind} is no text; say where to write it (--output)")
        from emotone.listening.columns import require_library

        require_library(kind)


def as_text(recognitions: Sequence[Recognition], kind: str) -> str:
    """Recognitions in one of `TEXT_FORMATS`."""
    text: str = _function(TEXT_FORMATS[kind])(recognitions)
    return text


def write_results(recognitions: Sequence[Recognition], kind: str, output: str | Path) -> None:
    """Write recognitions to a file, whole or not at all.

    Args:
        recognitions: all of one model.
        kind: one of `TEXT_FORMATS` or `FILE_FORMATS`.
        output: the file; for audformat, the folder.
    Raises:
        OutputError: it cannot be written.
        MissingExtraError: the format needs an extra that is not installed.
    """
    check_format(kind, n_recordings=len(recognitions), output=output)
    if kind in FILE_FORMATS:
        _function(FILE_FORMATS[kind])(recognitions, output)
    else:
        write_text(output, as_text(recognitions, kind))


def _function(home: str) -> Callable[..., Any]:
    module, _, name = home.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def as_table(recognitions: Sequence[Recognition], *, width: int | None = None, colour: bool = False) -> str:
    """A table for people: file, emotion, and the probability of each class; under a long recording, its segments.

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
    labels = _labels(recognitions)
    for label in labels:
        table.add_column(label, justify="right")

    def add(name: str, one: Recognition | Segment, whole: bool) -> None:
        style = "yellow" if one.unsure else "bold" if whole else ""
        verdict = one.emotion or "no speech"
        if one.unsure and one.emotion:
            verdict += " (unsure)"
        shares = (
            Text(f"{one.probabilities[label]:.2f}", style="bold" if label == one.emotion else "dim")
            for label in (labels if one.probabilities else ())
        )
        table.add_row(Text(name), Text(verdict, style=style if one.emotion else "dim"), *shares)

    for one in recognitions:
        add(printable(one.source), one, True)
        if one.note:
            table.add_row(Text(f"  {one.note}", style="dim"), "")
        if len(one.segments) > 1 or one.channels:
            for segment in one.segments:
                side = "" if segment.channel is None else f"  channel {segment.channel + 1}"
                add(f"  {_clock(segment.start_s)} - {_clock(segment.end_s)}{side}", segment, False)
    sheet = io.StringIO()
    # A terminal narrower than the table folds it; a file never does.
    console = Console(
        file=sheet, width=width or 10_000, force_terminal=colour, no_color=not colour, legacy_windows=False
    )
    console.print(table)
    lines = (line.rstrip() for line in sheet.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def as_json(recognitions: Sequence[Recognition]) -> str:
    """A JSON array with one `recording_object` a recording."""
    rows = [recording_object(one) for one in recognitions]
    return as_utf8(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n"


def as_jsonl(recognitions: Sequence[Recognition]) -> str:
    """JSON Lines: the same objects as `as_json`, each on a line of its own."""
    lines = (json.dumps(recording_object(one), ensure_ascii=False) + "\n" for one in recognitions)
    return as_utf8("".join(lines)) or "\n"


def as_csv(recognitions: Sequence[Recognition]) -> str:
    """CSV with a head and one row a segment; a recording that is judged at once is one segment.

    The columns are file, start_s, end_s, channel (from 0, empty where mixed), emotion (empty where nobody speaks),
    unsure (true or false), then one column a class.
    """
    sheet = io.StringIO()
    # Names are quoted always: csv itself leaves a lone carriage return bare, and readers end the row there.
    writer = csv.writer(sheet, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    labels = _labels(recognitions)
    writer.writerow([*SEGMENT_COLUMNS, *labels])
    for one in recognitions:
        for segment in one.segments:
            times = round(segment.start_s, 6), round(segment.end_s, 6)
            channel = "" if segment.channel is None else segment.channel
            shares = (round(segment.probabilities[label], 6) if segment.probabilities else "" for label in labels)
            words = channel, segment.emotion or "", str(segment.unsure).lower()
            writer.writerow([one.source, *times, *words, *shares])
    return as_utf8(sheet.getvalue())


def recording_object(recognition: Recognition) -> dict[str, Any]:
    """A recognition in plain types: what JSON shows of it, its segments included."""
    shown: dict[str, Any] = {
        "file": recognition.source,
        "emotion": recognition.emotion,
        "unsure": recognition.unsure,
        "duration_s": round(recognition.duration_s, 6),
        "probabilities": _rounded(recognition.probabilities),
        "narrow_band": recognition.narrow_band,
        "note": recognition.note,
        "segments": [segment_object(segment) for segment in recognition.segments],
    }
    if recognition.channels:
        shown["channels"] = [
            {"emotion": one.emotion, "unsure": one.unsure, "probabilities": _rounded(one.probabilities)}
            for one in recognition.channels
        ]
    return shown


def segment_object(segment: Segment) -> dict[str, Any]:
    """A segment in plain types: what JSON shows of it, in files and live."""
    return {
        "start_s": round(segment.start_s, 6),
        "end_s": round(segment.end_s, 6),
        "channel": segment.channel,
        "emotion": segment.emotion,
        "unsure": segment.unsure,
        "speech": segment.speech,
        "probabilities": _rounded(segment.probabilities),
    }


FORMATS: dict[str, Callable[[Sequence[Recognition]], str]] = {
    name: partial(as_text, kind=name) for name in TEXT_FORMATS
}
"""The function of each format of text."""


def _clock(time_s: float) -> str:
    """Hours, minutes and seconds with tenths, as short as they can be."""
    tenths = round(time_s * 10)
    minutes, seconds = tenths // 600, tenths % 600 / 10
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:04.1f}" if minutes >= 60 else f"{minutes}:{seconds:04.1f}"


def _labels(recognitions: Sequence[Recognition]) -> list[str]:
    return list(recognitions[0].labels) if recognitions else []


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {label: round(share, 6) for label, share in shares.items()}
