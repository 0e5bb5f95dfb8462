"""Turns in tables: CSV and Parquet with columns of times, audformat, Whisper's .tsv and Audacity's label tracks."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from emotone.errors import MissingExtraError, TurnsError
from emotone.listening.turns.times import Named, filled_lines, located, rounded, seconds
from emotone.listening.turns.turn import Turn, clean_text

_COLUMNS = {
    "start": ("start", "start_s", "start_time", "starttime", "begin", "onset", "tmin", "from", "start_ms"),
    "end": ("end", "end_s", "end_time", "endtime", "stop", "offset", "tmax", "to", "end_ms"),
    "duration": ("duration", "duration_s", "dur", "duration_ms"),
    "speaker": ("speaker", "speaker_id", "speaker_label", "spk"),
    "text": ("text", "transcript", "transcription", "sentence", "utterance", "label"),
    "file": ("file", "filename", "file_name", "path", "recording", "audio", "uri"),
}


def has_times(text: str) -> bool:
    """Whether it is a table with starts and ends."""
    return _columns_of(_head_of(text)[0]) is not None or _is_label_track(text)


def _is_label_track(text: str) -> bool:
    """Audacity's labels: start, end and text between tabs, without a head."""
    first = next(iter(filled_lines(text)), "").split("\t")
    return len(first) in (2, 3) and all(re.fullmatch(r"\d+[.,]\d+", word) for word in first[:2])


def from_table(text: str) -> Iterator[Named]:
    """The turns of a text for which `has_times` holds."""
    if _is_label_track(text):
        rows: Iterable[Sequence[Any]] = (line.replace(",", ".", 2).split("\t") for line in filled_lines(text))
        # Audacity adds lines of frequencies that begin with a backslash.
        yield from _from_rows((row for row in rows if row[0] != "\\"), {"start": 0, "end": 1, "text": 2}, 1.0)
        return
    head, delimiter = _head_of(text)
    columns = _columns_of(head) or {}
    reader = list(csv.reader(text.splitlines(), delimiter=delimiter))
    rows = [row for row in reader if any(word.strip() for word in row)][1:]
    # Whisper writes its .tsv in whole milliseconds, under the names of seconds.
    whisper = delimiter == "\t" and [name.strip() for name in head] == ["start", "end", "text"]
    whole = all(re.fullmatch(r"\d+", word.strip()) for row in rows for word in row[:2])
    named_ms = head[columns["start"]].strip().lower().endswith("_ms")
    yield from _from_rows(rows, columns, 1e-3 if named_ms or (whisper and whole) else 1.0)


def _from_rows(rows: Iterable[Sequence[Any]], columns: Mapping[str, int], unit: float) -> Iterator[Named]:
    def value(row: Sequence[Any], name: str) -> Any:
        place = columns.get(name)
        return "" if place is None or place >= len(row) or row[place] is None else row[place]

    for number, row in enumerate(rows, 1):
        with located(f"row {number}"):
            start_s = seconds(value(row, "start")) * unit
            if "end" in columns:
                end = value(row, "end")
                # audformat leaves the end open where a segment lasts until the file ends.
                end_s = math.inf if str(end) in ("", "NaT") else seconds(end) * unit
            else:
                end_s = start_s + seconds(value(row, "duration")) * unit
            speaker, words = (clean_text(str(value(row, name))) for name in ("speaker", "text"))
            yield str(value(row, "file")), Turn(rounded(start_s), rounded(end_s), speaker, words)


def _head_of(text: str) -> tuple[list[str], str]:
    first = next(iter(filled_lines(text)), "")
    delimiter = max(",\t;|", key=first.count)
    return next(csv.reader([first], delimiter=delimiter), []), delimiter


def _columns_of(head: Sequence[str]) -> dict[str, int] | None:
    names = [name.strip().lower().replace(" ", "_") for name in head]
    columns = {}
    for kind, known in _COLUMNS.items():
        place = next((names.index(name) for name in known if name in names), None)
        if place is not None:
            columns[kind] = place
    return columns if "start" in columns and ("end" in columns or "duration" in columns) else None


def from_parquet(file: BytesIO) -> Iterator[Named]:
    """The turns of a Parquet file.

    Raises:
        TurnsError: it is damaged, or has no columns of times.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("turns in Parquet", "formats") from None
    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise TurnsError(f"damaged Parquet: {error}") from error
    columns = _columns_of(table.column_names)
    if columns is None:
        raise TurnsError(f"a table with the columns {', '.join(table.column_names)}; expected start and end")
    rows = ([row[name] for name in table.column_names] for row in table.to_pylist())
    yield from _from_rows(rows, columns, 1.0)
