"""Tables of many recordings as Parquet, CSV or JSONL, written row by row in memory that does not grow.

Conventions: a recording is its `recording_object`, as in JSON. JSONL has one object per line; Parquet and CSV
have one row per segment, in the same columns as for a few recordings (`text`, `columns`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from emotone.output.names import as_utf8, spreadsheet_safe
from emotone.output.objects import SEGMENT_COLUMNS

Row = dict[str, Any]

PARQUET_COLUMNS = (*SEGMENT_COLUMNS, "speech", "narrow_band")

_ROWS_AT_ONCE = 8_192


def segment_rows(recording: Row, labels: Sequence[str]) -> Iterator[Row]:
    """The segments of a recording object, one row each: the columns of Parquet, then the classes (None for none)."""
    file = as_utf8(recording["file"])
    for segment in recording["segments"]:
        shares = segment["probabilities"]
        row = {**segment, "file": file, "narrow_band": recording["narrow_band"]}
        yield {name: row.get(name) for name in PARQUET_COLUMNS} | {label: shares.get(label) for label in labels}


def write_jsonl(path: Path, recordings: Iterable[Row], labels: Sequence[str]) -> None:
    """Write JSON Lines, one recording object per line."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        for recording in recordings:
            file.write(json.dumps(recording, ensure_ascii=False) + "\n")


def write_csv(path: Path, recordings: Iterable[Row], labels: Sequence[str]) -> None:
    """Write CSV, one row per segment; see `text.as_csv`."""
    write_raw_csv(path, recordings, labels, cell=spreadsheet_safe)


def write_raw_csv(
    path: Path, recordings: Iterable[Row], labels: Sequence[str], *, cell: Callable[[str], str] = str
) -> None:
    """Write CSV, one row per segment, with every cell as it is."""
    columns = [*SEGMENT_COLUMNS, *labels]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(map(cell, columns))
        for recording in recordings:
            for row in segment_rows(recording, labels):
                row["unsure"] = str(row["unsure"]).lower()
                cells = ("" if row[name] is None else row[name] for name in columns)
                writer.writerow([cell(one) if isinstance(one, str) else one for one in cells])


def write_parquet(path: Path, recordings: Iterable[Row], labels: Sequence[str]) -> None:
    """Write Parquet, one row per segment."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = parquet_schema(labels)
    rows = (row for recording in recordings for row in segment_rows(recording, labels))
    with ParquetWriter(path, schema) as writer:
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def parquet_schema(labels: Sequence[str]) -> Any:
    """The Arrow schema of the table, the same as that of a few recordings."""
    import pyarrow as pa

    texts = ("file", "emotion", "reason", "speaker", "text", "baseline", "note")
    kinds = dict.fromkeys(texts, pa.string()) | {"channel": pa.int16()}
    kinds |= {"start_s": pa.float64(), "end_s": pa.float64()}
    kinds |= {name: pa.bool_() for name in ("unsure", "speech", "narrow_band")}
    return pa.schema([(name, kinds.get(name, pa.float32())) for name in (*PARQUET_COLUMNS, *labels)])
