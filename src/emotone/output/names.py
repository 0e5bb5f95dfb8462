"""The names of recordings, as they may be shown and written: a file's name is any bytes that its owner liked."""

from __future__ import annotations

import re
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
    name = as_utf8(PurePath(source).stem)
    return re.sub(r"[\s\x00-\x1f\x7f]+", "_", name) or "recording"


def as_utf8(text: str) -> str:
    """The same text with escapes for the bytes that are no UTF-8; where it is JSON, their escape is what JSON wants."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
