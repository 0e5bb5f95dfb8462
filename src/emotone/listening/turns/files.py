"""Turns from a file or from Python objects.

Conventions: turns keep the order in which they are given, and may overlap.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, TypeAlias

from emotone.errors import TurnsError
from emotone.listening.turns.formats import decoded, parse
from emotone.listening.turns.tables import has_times
from emotone.listening.turns.times import Named
from emotone.listening.turns.turn import Turn, clean_text

MAX_BYTES = 64 << 20
MAX_TURNS = 100_000

Turns: TypeAlias = str | os.PathLike[str] | Iterable[Any]
"""What callers may give: a file, or turns as `as_turns` takes them."""


def as_turns(
    turns: Turns, *, recording: str | None = None, tiers: Sequence[str] = (), only_recording: bool = True
) -> tuple[Turn, ...]:
    """Turns from whatever a caller has.

    Args:
        turns: a file for `read_turns`; or `Turn`s, tuples (start, end[, speaker[, text]]) in seconds, mappings with the
            keys `start`, `end` and possibly `speaker` and `text`, or a `pyannote.core.Annotation`.
        recording: as for `read_turns`.
        tiers: as for `read_turns`.
        only_recording: as for `read_turns`.
    Raises:
        TurnsError: there are none, or one of them is none of these.

    >>> as_turns([(0.5, 2.0, "ann"), {"start": 2.0, "end": 3.5, "text": "Yes."}])[1]
    Turn(start_s=2.0, end_s=3.5, speaker='', text='Yes.')
    """
    if isinstance(turns, str | os.PathLike):
        return read_turns(turns, recording=recording, tiers=tiers, only_recording=only_recording)
    if hasattr(turns, "itertracks"):
        found = [Turn(span.start, span.end, str(label)) for span, _, label in turns.itertracks(yield_label=True)]
        return _checked(found)
    if not isinstance(turns, Iterable) or isinstance(turns, bytes | bytearray | Mapping):
        raise TurnsError(f"turns of type {type(turns).__name__}; expected a file, or a list of (start, end, speaker)")
    return _checked([_as_turn(one, position) for position, one in enumerate(turns)])


def read_turns(
    path: str | os.PathLike[str],
    *,
    recording: str | None = None,
    tiers: Sequence[str] = (),
    only_recording: bool = True,
) -> tuple[Turn, ...]:
    """The turns in a file, in the order of the file.

    The format is recognised by content: RTTM, SubRip, WebVTT, TextGrid, an audformat database (a folder) or table, CSV
    with a start and an end, or JSON of Whisper, whisperX, whisper.cpp, the transformers pipeline or pyannote.

    Args:
        path: the file, or the folder of an audformat database.
        recording: name or path of the recording; it selects the turns where the file has those of several.
        tiers: of a TextGrid with several, the names of those to use.
        only_recording: turns of one other name are taken for this recording's. False where there are several
            recordings, so that one does not get the turns of another.
    Raises:
        TurnsError: the file cannot be read, is of no known format, or has no turns for this recording.
    """
    path = Path(path)
    name = os.fsdecode(path)
    try:
        if path.is_dir():
            return _checked(_from_folder(path, recording, only_recording), name)
        if path.stat().st_size > MAX_BYTES:
            raise TurnsError(f"{name}: {path.stat().st_size:,} bytes; expected a file of turns, at most {MAX_BYTES:,}")
        content = path.read_bytes()
    except OSError as error:
        raise TurnsError(f"cannot read the turns in {name}: {error.strerror or error}") from error
    try:
        return _checked(_select(parse(content, tiers), recording, only_recording))
    except TurnsError as error:
        raise TurnsError(f"{name}: {error}") from error


def matches(named: str, recording: str) -> bool:
    """Whether a name in a file of turns means this recording: the same path, or the same file name or stem.

    >>> matches("call_1", "/data/call_1.wav"), matches("a/call_1.wav", "call_1.mp3"), matches("call_2", "call_1.wav")
    (True, True, False)
    """
    if named == recording:
        return True
    # RTTM parts its fields by white space, so that names have none.
    one, other = (PurePath("_".join(name.split())) for name in (named, recording))
    return one.name in (other.name, other.stem) or one.stem == other.stem


def _as_turn(one: Any, position: int) -> Turn:
    if isinstance(one, Turn):
        return replace(one, speaker=clean_text(one.speaker), text=clean_text(one.text))
    if isinstance(one, Mapping):
        values = [one.get(name, one.get(f"{name}_s")) for name in ("start", "end")]
        values += [one.get(name) or "" for name in ("speaker", "text")]
    elif isinstance(one, Sequence) and not isinstance(one, str | bytes) and 2 <= len(one) <= 4:
        values = [*one, *[""] * (4 - len(one))]
    else:
        raise TurnsError(f"turn {position + 1} is {one!r:.60}; expected (start, end), (start, end, speaker[, text])")
    try:
        start_s, end_s = (float(value) for value in values[:2])
    except (TypeError, ValueError) as error:
        raise TurnsError(f"turn {position + 1} is {one!r:.60}; its start and end are not numbers of seconds") from error
    return Turn(start_s, end_s, *(clean_text("" if word is None else str(word)) for word in values[2:]))


def _checked(turns: Sequence[Turn], name: str = "") -> tuple[Turn, ...]:
    where = f"{name}: " if name else ""
    if not turns:
        raise TurnsError(f"{where}no turns; expected at least one")
    if len(turns) > MAX_TURNS:
        raise TurnsError(f"{where}{len(turns):,} turns; at most {MAX_TURNS:,} are read")
    return tuple(turns)


def parse_turns(content: bytes, *, recording: str | None = None, tiers: Sequence[str] = ()) -> list[Turn]:
    """The turns in the bytes of a file.

    Args:
        content: of a file in any of the formats.
        recording: name or path of the recording, to select its turns where there are those of several.
        tiers: of a TextGrid with several, the names of those to use.
    Raises:
        TurnsError: no known format, damaged, or without turns for this recording.
    """
    return _select(parse(content, tiers), recording)


def _from_folder(folder: Path, recording: str | None, only_recording: bool) -> list[Turn]:
    """The turns in an audformat database: those of its one table with files, starts and ends.

    Raises:
        TurnsError: no database, or not exactly one such table with turns for this recording.
        MissingExtraError: its tables are Parquet, and pyarrow is not installed.
    """
    found: dict[str, list[Turn]] = {}
    for path in sorted([*folder.glob("db.*.csv"), *folder.glob("db.*.parquet")]):
        content = path.read_bytes()
        if path.suffix == ".csv" and not has_times(decoded(content)):
            continue
        try:
            found[path.stem.removeprefix("db.")] = _select(parse(content, ()), recording, only_recording)
        except TurnsError:
            # A table of something else, or of other recordings.
            continue
    if len(found) != 1:
        what = f"several tables with turns ({', '.join(found)}); name the file of one of them"
        if not found:
            what = "no table with a file, a start and an end for this recording (db.*.csv or db.*.parquet)"
        raise TurnsError(f"{folder}: {what}")
    return next(iter(found.values()))


def _select(named: Iterable[Named], recording: str | None, only_recording: bool = True) -> list[Turn]:
    turns = list(named)
    names = list(dict.fromkeys(name for name, _ in turns))
    if len(names) <= 1 and (only_recording or names in ([], [""])):
        return [turn for _, turn in turns]
    if recording is None:
        raise TurnsError(f"turns of {len(names)} recordings ({', '.join(names[:4])}, …); expected those of one")
    # A path is more exact than a stem that two folders may share.
    wanted = {name for name in names if name == recording} or {name for name in names if matches(name, recording)}
    if not wanted:
        raise TurnsError(
            f"no turns for {recording}; there are turns for {', '.join(names[:4])}{', …' * (len(names) > 4)}"
        )
    return [turn for name, turn in turns if name in wanted]
