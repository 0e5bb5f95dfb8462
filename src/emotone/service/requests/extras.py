"""Files that belong to a recording: who speaks when, and how the speakers usually sound.

Conventions: a form field is named `turns`, `baseline` or `baseline[SPEAKER]`; baselines may be repeated. Files are kept
in the order of the form.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

EXTRA_FILES = {
    "baseline": (
        8 << 20,
        "a recording of the speaker's usual, neutral voice, for models that take a baseline; repeatable. With turns "
        "also `baseline[SPEAKER]`, for each speaker",
    ),
    "turns": (1 << 20, "who speaks when: RTTM, SubRip, WebVTT, TextGrid, CSV or JSON; then one segment per turn"),
}
"""Name -> most bytes, and a description."""

MAX_BASELINE_BYTES = 24 << 20
"""Of all baselines of a request."""

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """One file.

    Attributes:
        field: name of its form field.
        content: its bytes.
    """

    field: str
    content: bytes


def split_field(field: str) -> tuple[str, str | None]:
    """The kind of a form field and its speaker.

    >>> split_field("baseline[ann]"), split_field("baseline"), split_field("turns")
    (('baseline', 'ann'), ('baseline', None), ('turns', None))
    """
    kind, bracket, rest = field.partition("[")
    if kind == "baseline" and bracket and rest.endswith("]") and len(rest) > 1:
        return kind, rest[:-1]
    return field, None


def turns_of(extras: Iterable[ExtraFile]) -> bytes | None:
    """The file of turns; None where there is none."""
    return next((one.content for one in extras if one.field == "turns"), None)


def baselines_of(extras: Iterable[ExtraFile]) -> Mapping[str | None, Sequence[bytes]]:
    """The baseline recordings by speaker; those of the one speaker under None."""
    found: dict[str | None, list[bytes]] = {}
    for one in extras:
        kind, speaker = split_field(one.field)
        if kind == "baseline":
            found.setdefault(speaker, []).append(one.content)
    return found


def packed(extras: Sequence[ExtraFile]) -> bytes:
    """Files as one string of bytes, for `unpacked`."""
    head = json.dumps([[one.field, len(one.content)] for one in extras]).encode()
    return b"".join([_LENGTH.pack(len(head)), head, *(one.content for one in extras)])


def unpacked(content: bytes) -> tuple[tuple[ExtraFile, ...], bytes]:
    """The files in a string of bytes, and what follows them.

    >>> files = (ExtraFile("turns", b"a b"), ExtraFile("baseline[ann]", b""))
    >>> unpacked(packed(files) + b"sound") == (files, b"sound")
    True
    """
    view = memoryview(content)
    start = _LENGTH.size + _LENGTH.unpack_from(view)[0]
    found = []
    for field, length in json.loads(bytes(view[_LENGTH.size : start])):
        found.append(ExtraFile(field, bytes(view[start : start + length])))
        start += length
    return tuple(found), bytes(view[start:])
