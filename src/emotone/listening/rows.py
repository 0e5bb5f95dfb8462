"""Tables of many recordings as Parquet, CSV or JSONL, written row by row in memory that does not grow.

Conventions: what is written down of a recording is its `recording_object`, as in JSON. JSONL has that object on a line;
Parquet and CSV have a row a segment, in the same columns as those of a few recordings (`formats`, `columns`).
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from emotone.errors import MissingExtraError, OutputError
from emotone.listening.formats import SEGMENT_COLUMNS
from emotone.listening.names import as_utf8
from emotone.listening.remote import require_local

Row = dict[str, Any]

PARQUET_COLUMNS = (*SEGMENT_COLUMNS, "speech", "narrow_band")

_ROWS_AT_ONCE = 8_192


def segment_rows(recording: Row, labels: Sequence[str]) -> Iterator[Row]:
    """The segments of a recording object, one row each: the columns of Parquet, then the classes (None for none)."""
    file = as_utf8(recording["file"])
    for segment in recording["segments"]:
        shares = segment["probabilities"]
        row = {**segment, "file": file, "narrow_band": recording["narrow_band"]}
        yield {name: row[name] for name in PARQUET_COLUMNS} | {label: shares.get(label) for label in labels}


def _write_jsonl(path: Path, recordings: Iterable[Row], labels: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        for recording in recordings:
            file.write(json.dumps(recording, ensure_ascii=False) + "\n")


def _write_csv(path: Path, recordings: Iterable[Row], labels: Sequence[str]) -> None:
    columns = [*SEGMENT_COLUMNS, *labels]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(columns)
        for recording in recordings:
            for row in segment_rows(recording, labels):
                row["unsure"] = str(row["unsure"]).lower()
                writer.writerow(["" if row[name] is None else row[name] for name in columns])


def _write_parquet(path: Path, recordings: Iterable[Row], labels: Sequence[str]) -> None:
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

    kinds = {"file": pa.string(), "emotion": pa.string(), "channel": pa.int16()}
    kinds |= {"start_s": pa.float64(), "end_s": pa.float64()}
    kinds |= {name: pa.bool_() for name in ("unsure", "speech", "narrow_band")}
    return pa.schema([(name, kinds.get(name, pa.float32())) for name in (*PARQUET_COLUMNS, *labels)])


WRITERS: dict[str, Callable[[Path, Iterable[Row], Sequence[str]], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
}
"""Suffix -> function of (path, recording objects, labels)."""


def check_table(path: str | os.PathLike[str]) -> str:
    """The suffix of a table that can be written.

    Raises:
        OutputError: a suffix that is none of ours, or an address.
        MissingExtraError: Parquet without pyarrow.
    """
    require_local(os.fspath(path))
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise OutputError(f"{path}: many recordings go to a file that ends in {', '.join(WRITERS)}")
    if suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise MissingExtraError("Parquet", "formats") from None
    return suffix


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Lines of a file, (offset, value), but for what a kill has cut off or a power cut left as garbage."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                with suppress(ValueError):
                    yield offset, json.loads(line)
            offset += len(line)
