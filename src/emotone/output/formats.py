"""The one registry of output formats, and `write_results` for all of them.

A new format is one entry of `FORMATS` and one test. The choices and suffixes of the command line, the media types of
the service, the tables of a batch and the extras to install are derived from it. This module imports no NumPy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from emotone.errors import OutputError
from emotone.extras import require_library
from emotone.files import check_replaceable, require_local, write_text

if TYPE_CHECKING:
    from emotone.listening.recognition import Recognition


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: as the command line and the service call it.
        writer: `module:function`, imported when it is called. For text, a function from recognitions to the whole
            text; otherwise, of recognitions and the path to write.
        suffixes: of file names that ask for it, lower case; the first one is usual.
        media_type: of an HTTP response.
        is_text: whether the writer returns text.
        one_recording: True where it has no place for the name of a recording, and so holds one only.
        table_writer: `module:function` of (path, recording objects, labels), which writes many recordings row by row;
            empty where a batch cannot be written in this format.
        library: package that it needs, empty for none.
        extra: that installs the library.
        begins: bytes that a file of this format begins with.
        holds: pattern near its beginning or its end that tells it from files of other programs, such as transcripts.
    """

    name: str
    writer: str
    suffixes: tuple[str, ...]
    media_type: str = "text/plain"
    is_text: bool = True
    one_recording: bool = False
    table_writer: str = ""
    library: str = ""
    extra: str = "formats"
    begins: bytes = b""
    holds: bytes = b""

    def require(self) -> None:
        """Check that the library is installed.

        Raises:
            MissingExtraError: it is not.
        """
        if self.library:
            require_library(self.library, f"writing {self.name}", self.extra)


_CSV = b'"file","start_s"'

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("table", "emotone.output.text:as_table", (".table",), begins=b" file", holds=b"emotion"),
        Format(
            "json", "emotone.output.text:as_json", (".json",), "application/json", begins=b"[", holds=rb'"segments": \['
        ),
        Format(
            "jsonl",
            "emotone.output.text:as_jsonl",
            (".jsonl", ".ndjson"),
            "application/jsonl",
            table_writer="emotone.output.rows:write_jsonl",
            begins=b'{"file": ',
            holds=b'"emotion": ',
        ),
        Format(
            "csv",
            "emotone.output.text:as_csv",
            (".csv",),
            "text/csv",
            table_writer="emotone.output.rows:write_csv",
            begins=_CSV,
        ),
        Format("csv-raw", "emotone.output.text:as_raw_csv", (), "text/csv", begins=_CSV),
        Format(
            "parquet",
            "emotone.output.columns:write_parquet",
            (".parquet",),
            "application/vnd.apache.parquet",
            is_text=False,
            table_writer="emotone.output.rows:write_parquet",
            library="pyarrow",
            begins=b"PAR1",
            holds=b"start_s",
        ),
        Format(
            "rttm",
            "emotone.output.annotations:as_rttm",
            (".rttm",),
            begins=b"SPEAKER ",
            holds=rb"^SPEAKER (\S+ ){7}[01]\.\d{4} ",
        ),
        Format(
            "textgrid",
            "emotone.output.annotations:as_textgrid",
            (".textgrid",),
            one_recording=True,
            begins=b'File type = "ooTextFile"',
            holds=rb'name = "(.*: )?emotion',
        ),
        Format(
            "srt",
            "emotone.output.annotations:as_subrip",
            (".srt",),
            "application/x-subrip",
            one_recording=True,
            begins=b"1\n",
            holds=rb"\d %",
        ),
        Format(
            "webvtt",
            "emotone.output.annotations:as_webvtt",
            (".vtt", ".webvtt"),
            "text/vtt",
            one_recording=True,
            begins=b"WEBVTT",
            holds=rb"\d %",
        ),
        Format(
            "audformat",
            "emotone.output.columns:write_audformat",
            (".audformat",),
            "application/octet-stream",
            is_text=False,
            library="audformat",
        ),
    )
}

TEXT_FORMATS = tuple(name for name, one in FORMATS.items() if one.is_text)
TABLES = {one.suffixes[0]: one for one in FORMATS.values() if one.table_writer}
"""Suffix -> format, of the tables that a batch can be written to."""


def format_of(path: str | os.PathLike[str]) -> Format | None:
    """The format that a file's suffix asks for; None where it asks for none.

    >>> format_of("calls.ndjson").name, format_of("calls.txt")
    ('jsonl', None)
    """
    suffix = PurePath(path).suffix.lower()
    return next((one for one in FORMATS.values() if suffix in one.suffixes), None)


def check_format(kind: str, *, n_recordings: int, output: str | Path | None) -> None:
    """Check, before any work is done, that recognitions can be written.

    Raises:
        OutputError: several recordings in a format for one, or a format that is not text without a file to write to.
        MissingExtraError: the format needs an extra that is not installed.
    """
    chosen = FORMATS[kind]
    if chosen.one_recording and n_recordings > 1:
        raise OutputError(f"{kind} holds one recording, got {n_recordings}; write a file for each")
    if not chosen.is_text and output is None:
        raise OutputError(f"{kind} is not text; say where to write it (--output)")
    chosen.require()


def check_output(kind: str, output: str | Path, *, inputs: Iterable[str] = (), overwrite: bool = False) -> None:
    """Check, before any work is done, that nothing but earlier results of the same format would be replaced.

    Args:
        kind: the name of a format.
        output: the file to write.
        inputs: the recordings.
        overwrite: replace anything.
    Raises:
        OutputError: the output is a recording, or a file of another kind.
    """
    chosen = FORMATS[kind]
    check_replaceable(output, kind, lambda content: _is_of(chosen, content), inputs=inputs, overwrite=overwrite)


def _is_of(chosen: Format, content: bytes) -> bool:
    if content.strip() in (b"", b"[]", chosen.begins):  # results of no recordings
        return True
    return content.startswith(chosen.begins) and re.search(chosen.holds, content) is not None


def as_text(recognitions: Sequence[Recognition], kind: str) -> str:
    """Recognitions in one of `TEXT_FORMATS`."""
    text: str = _function(FORMATS[kind].writer)(recognitions)
    return text


def write_results(recognitions: Sequence[Recognition], kind: str, output: str | Path) -> None:
    """Write recognitions to a file, whole or not at all.

    Args:
        recognitions: all of one model.
        kind: the name of a format.
        output: the file; for audformat, the folder.
    Raises:
        OutputError: it cannot be written.
        MissingExtraError: the format needs an extra that is not installed.
    """
    check_format(kind, n_recordings=len(recognitions), output=output)
    if FORMATS[kind].is_text:
        write_text(output, as_text(recognitions, kind))
    else:
        _function(FORMATS[kind].writer)(recognitions, output)


def check_table(path: str | os.PathLike[str]) -> Format:
    """The format of a table of many recordings.

    Raises:
        OutputError: no such table, by its suffix; or an address.
        MissingExtraError: the format needs an extra that is not installed.
    """
    require_local(os.fspath(path))
    table = TABLES.get(PurePath(path).suffix.lower())
    if table is None:
        raise OutputError(f"{path}: many recordings go to a file that ends in {', '.join(sorted(TABLES))}")
    table.require()
    return table


def write_table(path: Path, output: Path, recordings: Iterable[dict[str, Any]], labels: Sequence[str]) -> None:
    """Write many recordings row by row, in memory that does not grow.

    Args:
        path: the file to write.
        output: a name with the suffix that says the format.
        recordings: recording objects; see `objects.recording_object`.
        labels: of the model.
    """
    _function(TABLES[output.suffix.lower()].table_writer)(path, recordings, labels)


def _function(home: str) -> Callable[..., Any]:
    module, _, name = home.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
