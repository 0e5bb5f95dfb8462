r"""Standard streams that can always be written to, whatever their encoding.

A terminal with an old encoding (cp1252, Latin-1, ASCII) gets plain characters in place of lines and bars, and an escape
such as `\u0142` for a letter it cannot show. The escapes are those of JSON, so that JSON stays valid.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emotone.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = {
    "─": "-", "━": "-", "═": "=", "│": "|", "┃": "|", "╸": "-", "╺": "-", "█": "#", "▏": "|", "•": "*", "…": "...",
    "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", "×": "x", "≤": "<=", "≥": ">=", "✓": "ok",
}  # fmt: skip

ERRORS = "emotone.plain"
"""Name of the error handler that writes what an encoding does not have."""


def plain(text: str) -> str:
    r"""The text in ASCII characters: plain ones for lines and bars, JSON escapes for all others.

    >>> plain("── łódź")
    '-- \\u0142\\u00f3d\\u017a'
    """
    return "".join(_PLAIN.get(letter) or (letter if letter.isascii() else _escaped(letter)) for letter in text)


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _write_plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _write_plain)


def prepare_streams() -> None:
    """Make the standard streams of this process safe to use.

    A stream that was closed by the parent process is replaced by the null device.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def table_console() -> Console:
    """A console for tables on standard output: as wide as a terminal is, and in a file as wide as the table is."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=10_000)


def abandon_stdout() -> None:
    """Point standard output at the null device: later flushes of a dead pipe or a full disk would fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


@contextmanager
def printing() -> Iterator[None]:
    """A context for printing results; on leaving it everything has been written.

    Raises:
        OutputError: it could not be written. A closed pipe stays a BrokenPipeError.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise OutputError(f"cannot write to standard output: {error.strerror or error}") from error
