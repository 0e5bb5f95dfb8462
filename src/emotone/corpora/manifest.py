"""Manifests: a corpus of the user's own, as a table with one row an utterance.

Conventions: the columns `path`, `emotion` and `speaker` are required; `start`, `end` (seconds), `session`, `text`,
`sex`, `style`, `phonemes` (separated by spaces) and `id` are optional; others are ignored. Paths are relative to the
manifest's folder. An emotion is any name: synonyms of known ones and rules of the user's own map it
(`emotone.emotions`), other names are kept. The suffix decides the format: `.csv`, `.tsv`, `.jsonl`, or `.parquet`
(extra `formats`).
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emotone.corpora.release import ABSENT, EMPTY
from emotone.corpora.utterance import Corpus, Sex, Utterance, relabelled
from emotone.emotions import canonical, hints, in_order
from emotone.errors import ManifestError, MissingExtraError, UnknownEmotionError
from emotone.files import write_text, written_whole

REQUIRED = ("path", "emotion", "speaker")
COLUMNS = ("id", "path", "emotion", "speaker", "start", "end", "session", "text", "sex", "style", "phonemes")

_SEXES: dict[str, Sex | None] = {
    "": None,
    "unknown": None,
    "f": "female",
    "female": "female",
    "m": "male",
    "male": "male",
}


def read(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    licence: str = "unstated",
    sentences_shared: bool = False,
    labels: Mapping[str, str] | None = None,
) -> Corpus:
    """Read a manifest.

    Rows whose recording is absent or empty are left out and counted; it is an error if all are.

    Args:
        path: the manifest.
        name: of the corpus; the file's stem if None.
        licence: of the recordings.
        sentences_shared: True where all speakers speak the same sentences.
        labels: rules that rename labels as they are written in the manifest, such as `{"annoyed": "anger"}`.
    Raises:
        ManifestError: no such file, an unknown suffix, a missing column, or a row with an impossible value.
        MissingExtraError: a Parquet file without the extra `formats`.
    """
    file = Path(path)
    utterances: list[Utterance] = []
    dropped: dict[str, int] = {}
    written = _rows(file)
    for utterance in relabelled(written, labels):
        if not utterance.path.is_file():
            dropped[ABSENT] = dropped.get(ABSENT, 0) + 1
        elif utterance.path.stat().st_size == 0:
            dropped[EMPTY] = dropped.get(EMPTY, 0) + 1
        else:
            utterances.append(utterance)
    if not utterances:
        raise ManifestError(
            f"{file}: none of its {sum(dropped.values())} recordings is there; paths are relative to the manifest's "
            f"folder, {file.parent.resolve()}"
        )
    return Corpus(
        name=name or file.stem,
        utterances=tuple(sorted(utterances, key=lambda utterance: utterance.id)),
        classes=in_order(utterance.emotion for utterance in utterances),
        licence=licence,
        sentences_shared=sentences_shared,
        dropped=dropped,
        notes=tuple(hints({utterance.emotion for utterance in written}, labels)),
    )


def rows(path: str | os.PathLike[str], *, labels: Mapping[str, str] | None = None) -> tuple[Utterance, ...]:
    """Every row of a manifest as an utterance, whether or not its recording exists.

    Args:
        path: the manifest.
        labels: as for `read`.
    Raises:
        ManifestError: as for `read`.
        MissingExtraError: as for `read`.
    """
    return relabelled(_rows(Path(path)), labels)


def _rows(file: Path) -> list[Utterance]:
    """The rows with their labels as they are written."""
    reader = _format(file, _READERS)
    if not file.is_file():
        raise ManifestError(f"no such manifest: {file}")
    try:
        records = reader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{file} cannot be read: {error}") from error
    if not records:
        raise ManifestError(f"{file} has no rows; expected the columns {', '.join(REQUIRED)} and a row an utterance")
    utterances = [_utterance(file, number, record) for number, record in records]
    seen: dict[str, int] = {}
    for (number, _), utterance in zip(records, utterances, strict=True):
        if utterance.id in seen:
            raise ManifestError(
                f"{file}, row {number}: id {utterance.id!r} is already in row {seen[utterance.id]}; give each row "
                "an id of its own, or leave the column out"
            )
        seen[utterance.id] = number
    return utterances


def write(corpus: Corpus, path: str | os.PathLike[str]) -> None:
    """Write a corpus as a manifest, whole or not at all; paths are relative to its folder where they can be.

    Raises:
        ManifestError: an unknown suffix.
        MissingExtraError: a Parquet file without the extra `formats`.
        OutputError: the file cannot be written.
    """
    file = Path(path)
    writer = _format(file, _WRITERS)
    writer(file, [_record(utterance, file.parent.resolve()) for utterance in corpus.utterances])


def _format(file: Path, table: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    suffix = file.suffix.lower()
    if suffix not in table:
        raise ManifestError(f"{file}: unknown suffix {suffix!r} of a manifest; expected one of {', '.join(table)}")
    return table[suffix]


def _utterance(file: Path, number: int, record: Mapping[str, Any]) -> Utterance:
    def text_of(column: str) -> str:
        value = record.get(column)
        # Parquet files written from data frames hold NaN where a text is missing.
        return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()

    def fail(message: str) -> ManifestError:
        return ManifestError(f"{file}, row {number}: {message}")

    def seconds_of(column: str) -> float | None:
        text = text_of(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError as error:
            raise fail(f"{column} is {text!r}; expected seconds") from error
        if not math.isfinite(value) or value < 0:
            raise fail(f"{column} is {text}; expected seconds of 0 or more")
        return value

    for column in REQUIRED:
        if not text_of(column):
            raise fail(f"{column} is missing; every row needs {', '.join(REQUIRED)}")
    try:
        canonical(text_of("emotion"))
    except UnknownEmotionError as error:
        raise fail(str(error)) from error
    sex = text_of("sex").lower()
    if sex not in _SEXES:
        raise fail(f"sex is {sex!r}; expected female, male or nothing")
    start, end = seconds_of("start"), seconds_of("end")
    if end is not None and end <= (start or 0.0):
        raise fail(f"end ({end} s) is not after start ({start or 0.0} s)")
    segment = "" if start is None and end is None else f"#{start or 0.0:g}-{'' if end is None else format(end, 'g')}"
    return Utterance(
        id=text_of("id") or text_of("path") + segment,
        path=file.parent / text_of("path"),
        emotion=text_of("emotion"),
        speaker=text_of("speaker"),
        session=text_of("session") or None,
        sex=_SEXES[sex],
        text=text_of("text") or None,
        start_s=start,
        end_s=end,
        style=text_of("style") or None,
        phonemes=tuple(text_of("phonemes").split()) or None,
    )


def _record(utterance: Utterance, folder: Path) -> dict[str, str | float | None]:
    path = utterance.path.resolve()
    return {
        "id": utterance.id,
        "path": path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path),
        "emotion": utterance.emotion,
        "speaker": utterance.speaker,
        "start": utterance.start_s,
        "end": utterance.end_s,
        "session": utterance.session,
        "text": utterance.text,
        "sex": utterance.sex,
        "style": utterance.style,
        "phonemes": " ".join(utterance.phonemes) if utterance.phonemes else None,
    }


def _require_columns(file: Path, columns: list[str]) -> None:
    if lacking := [column for column in REQUIRED if column not in columns]:
        raise ManifestError(
            f"{file} lacks the column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}; it has "
            f"{', '.join(columns) or 'none'}"
        )


def _read_table(file: Path, delimiter: str) -> list[tuple[int, dict[str, Any]]]:
    # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
    with file.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle, delimiter=delimiter)
        reader.fieldnames = [column.strip() for column in reader.fieldnames or ()]
        _require_columns(file, list(reader.fieldnames))
        return [(reader.line_num, row) for row in reader]


def _read_csv(file: Path) -> list[tuple[int, dict[str, Any]]]:
    return _read_table(file, ",")


def _read_tsv(file: Path) -> list[tuple[int, dict[str, Any]]]:
    return _read_table(file, "\t")


def _read_jsonl(file: Path) -> list[tuple[int, dict[str, Any]]]:
    records: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ManifestError(f"{file}, row {number}: not JSON ({error})") from error
        if not isinstance(record, dict):
            raise ManifestError(f'{file}, row {number}: expected an object such as {{"path": …}}')
        records.append((number, record))
    return records


def _read_parquet(file: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("reading a Parquet manifest", "formats") from error
    try:
        table = parquet.read_table(file)
    except arrow.ArrowException as error:
        raise ManifestError(f"{file} is not a Parquet file: {error}") from error
    _require_columns(file, list(table.column_names))
    return list(enumerate(table.to_pylist(), 1))


def _write_csv(file: Path, records: list[dict[str, Any]], delimiter: str = ",") -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_text(file, text.getvalue())


def _write_tsv(file: Path, records: list[dict[str, Any]]) -> None:
    _write_csv(file, records, "\t")


def _write_jsonl(file: Path, records: list[dict[str, Any]]) -> None:
    lines = [{column: value for column, value in record.items() if value is not None} for record in records]
    write_text(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _write_parquet(file: Path, records: list[dict[str, Any]]) -> None:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("writing a Parquet manifest", "formats") from error
    kinds = {column: arrow.float64() if column in ("start", "end") else arrow.string() for column in COLUMNS}
    table = arrow.Table.from_pylist(records, schema=arrow.schema(list(kinds.items())))
    with written_whole(file) as part:
        parquet.write_table(table, part)


_READERS = {".csv": _read_csv, ".tsv": _read_tsv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
_WRITERS = {".csv": _write_csv, ".tsv": _write_tsv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
