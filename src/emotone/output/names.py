"""The names of recordings as they are shown and written. The name of a file can be any bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath


def printable(name: str) -> str:
    r"""A name that is safe to show: line breaks, terminal codes and stray bytes are written as escapes.

    >>> printable("two\nlines.wav")
    'two\\nlines.wav'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in name
    )


def recording_id(source: str) -> str:
    """A recording's name for formats that part words by white space: that of its file, without the suffix.

    >>> recording_id("calls/first call.wav")
    'first_call'
    """
    return as_word(PurePath(source).stem) or "recording"


def recording_ids(sources: Sequence[str]) -> dict[str, str]:
    """An id for each recording, without white space; different recordings have different ids.

    The id is the file's name without the suffix. Files of one stem get the suffix, and files of one name as many of
    their folders as it takes.

    >>> recording_ids(["a/call.wav", "b/call.wav", "b/call.mp3", "other.wav"])
    {'a/call.wav': 'a_call.wav', 'b/call.wav': 'b_call.wav', 'b/call.mp3': 'call.mp3', 'other.wav': 'other'}
    """
    found = {source: recording_id(source) for source in sources}
    longest = max((len(PurePath(source).parts) for source in found), default=0)
    for depth in range(1, longest + 1):
        owners: dict[str, list[str]] = {}
        for source, name in found.items():
            owners.setdefault(name, []).append(source)
        shared = [source for group in owners.values() if len(group) > 1 for source in group]
        if not shared:
            return found
        found |= {source: as_word("_".join(PurePath(source).parts[-depth:])) for source in shared}
    taken: set[str] = set()
    for source, name in found.items():
        number = 1
        while (numbered := name if number == 1 else f"{name}_{number}") in taken:
            number += 1
        taken.add(numbered)
        found[source] = numbered
    return found


def as_word(text: str) -> str:
    """Text as one word of valid UTF-8: white space and control characters become underscores.

    >>> as_word("very happy")
    'very_happy'
    """
    return re.sub(r"[\s\x00-\x1f\x7f]+", "_", as_utf8(text))


def spreadsheet_safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula: a quote is put before a first `=`, `+`, `-`, `@`, tab or return.

    >>> spreadsheet_safe("=cmd.wav"), spreadsheet_safe("calls/=cmd.wav")
    ("'=cmd.wav", 'calls/=cmd.wav')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def as_utf8(text: str) -> str:
    """The same text with escapes for bytes that are not UTF-8; in JSON, these escapes are those of JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
