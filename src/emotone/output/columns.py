"""Recognitions as tables of other libraries: Parquet, audformat, pandas, pyannote.core. All need the extra `formats`.

Conventions: one row per segment, in the columns of the CSV; `channel` and `emotion` are missing values without
one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotone.errors import OutputError
from emotone.extras import require_library
from emotone.files import written_whole
from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment
from emotone.output.annotations import spoken
from emotone.output.names import as_utf8, recording_id
from emotone.output.rows import parquet_schema


def segment_columns(recognitions: Sequence[Recognition]) -> dict[str, list[Any]]:
    """All segments of all recordings, column by column: those of the CSV, `speech`, `narrow_band`, then the classes."""
    labels = list(recognitions[0].labels) if recognitions else []
    rows = [(one, segment) for one in recognitions for segment in one.segments]
    columns: dict[str, list[Any]] = {
        "file": [as_utf8(one.source) for one, _ in rows],
        "start_s": [segment.start_s for _, segment in rows],
        "end_s": [segment.end_s for _, segment in rows],
        "channel": [segment.channel for _, segment in rows],
        "emotion": [segment.emotion for _, segment in rows],
        "unsure": [segment.unsure for _, segment in rows],
        "reason": [segment.reason for _, segment in rows],
        "unfamiliar": [segment.unfamiliar for _, segment in rows],
        "speaker": [segment.speaker for _, segment in rows],
        "text": [segment.text for _, segment in rows],
        "baseline": [segment.baseline for _, segment in rows],
        "note": [segment.note for _, segment in rows],
        "speech": [segment.speech for _, segment in rows],
        "narrow_band": [one.narrow_band for one, _ in rows],
    }
    return columns | {label: [segment.probabilities.get(label) for _, segment in rows] for label in labels}


def arrow_table(recognitions: Sequence[Recognition]) -> Any:
    """The segments as a `pyarrow.Table`, whose types do not depend on the content.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    require_library("pyarrow", "writing parquet", "formats")
    import pyarrow as pa

    columns = segment_columns(recognitions)
    schema = parquet_schema(recognitions[0].labels if recognitions else ())
    return pa.table(columns, schema=schema)


def write_parquet(recognitions: Sequence[Recognition], path: str | os.PathLike[str]) -> None:
    """Write the segments to a Parquet file, whole or not at all.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    table = arrow_table(recognitions)
    import pyarrow.parquet as pq

    with written_whole(path) as part:
        pq.write_table(table, part)


def write_audformat(recognitions: Sequence[Recognition], path: str | os.PathLike[str]) -> None:
    """Write an audformat database: a folder with its header and one segmented table, `emotion`.

    Where channels were split, each has its own table, `emotion-0` and so on: both sides of a call may speak at the same
    times, and an index of audformat has each segment once. Likewise, a second turn with the same times as another goes
    to the table `emotion-same-times-2`. A recording that was named twice is written once.

    Raises:
        MissingExtraError: audformat is not installed.
        OutputError: the folder is there and not empty, or cannot be written.
    """
    require_library("audformat", "writing audformat", "formats")
    import audformat

    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"cannot write an audformat database to {folder}: it is there already; name a new folder")
    labels = list(recognitions[0].labels) if recognitions else []
    database = audformat.Database("emotone", source="emotone", usage=audformat.define.Usage.UNRESTRICTED)
    database.schemes["emotion"] = audformat.Scheme(labels=labels)
    database.schemes["probability"] = audformat.Scheme(audformat.define.DataType.FLOAT, minimum=0.0, maximum=1.0)
    database.schemes["unsure"] = audformat.Scheme(audformat.define.DataType.BOOL)
    for name, kind in (
        ("unfamiliar", audformat.define.DataType.FLOAT),
        *((name, audformat.define.DataType.STRING) for name in ("reason", "speaker", "text", "baseline", "note")),
    ):
        database.schemes[name] = audformat.Scheme(kind)
    for table_name, rows in _tables(recognitions).items():
        files, starts, ends = map(list, zip(*rows, strict=True)) if rows else ([], [], [])
        table = database[table_name] = audformat.Table(audformat.segmented_index(files, starts, ends))
        columns: dict[str, list[Any]] = {
            "emotion": [segment.emotion for segment in rows.values()],
            "probability": [segment.confidence for segment in rows.values()],
        }
        for name in ("unsure", "unfamiliar", "reason", "speaker", "text", "baseline", "note"):
            columns[name] = [getattr(segment, name) for segment in rows.values()]
        for name, values in columns.items():
            table[name] = audformat.Column(scheme_id=name)
            table[name].set(values)
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        database.save(str(part), storage_format="csv")
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _tables(recognitions: Sequence[Recognition]) -> dict[str, dict[tuple[str, str, str], Segment]]:
    """The segments by table and by index: (file, start, end), which a table holds once."""
    tables: dict[str, dict[tuple[str, str, str], Segment]] = {}
    channels = {segment.channel for one in recognitions for segment in spoken(one)} or {None}
    for channel in sorted(channels, key=lambda number: -1 if number is None else number):
        tables["emotion" if channel is None else f"emotion-{channel}"] = {}
    for one in recognitions:
        for segment in spoken(one):
            # To the microsecond, as everywhere; nanoseconds of a float are noise.
            key = as_utf8(one.source), f"{round(segment.start_s * 1e6)}us", f"{round(segment.end_s * 1e6)}us"
            name, number = "emotion" if segment.channel is None else f"emotion-{segment.channel}", 2
            while segment.turn is not None and tables[name].get(key, segment).turn != segment.turn:
                name = f"emotion-same-times-{number}"
                tables.setdefault(name, {})
                number += 1
            tables[name][key] = segment
    return tables


def to_dataframe(recognition: Recognition) -> Any:
    """The segments as a `pandas.DataFrame`.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    require_library("pandas", "a data frame (to_dataframe)", "formats")
    import pandas as pd

    frame = pd.DataFrame(segment_columns([recognition]))
    return frame.astype(
        {"channel": "Int16", "unfamiliar": float}
        | dict.fromkeys(("emotion", "file", "reason", "speaker", "text", "baseline", "note"), "string")
        | dict.fromkeys(recognition.labels, float)
    )


def to_annotation(recognition: Recognition) -> Any:
    """The segments as a `pyannote.core.Annotation`: labels are emotions, tracks are channels or the turns' speakers.

    Raises:
        MissingExtraError: pyannote.core is not installed.
    """
    require_library("pyannote.core", "an annotation (to_annotation)", "formats")
    from pyannote.core import Annotation
    from pyannote.core import Segment as Span

    annotation = Annotation(uri=recording_id(recognition.source), modality="emotion")
    for one in recognition.segments:
        if one.emotion is not None:
            span = Span(one.start_s, one.end_s)
            # Two turns with the same times and speaker are two tracks.
            track = one.channel or 0 if one.turn is None else annotation.new_track(span, candidate=one.speaker)
            annotation[span, track] = one.emotion
    return annotation
