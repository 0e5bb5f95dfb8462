"""What all readers of turns share: times as files write them, and errors that say where they are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from emotone.errors import TurnsError
from emotone.listening.turns.turn import Turn

Named: TypeAlias = tuple[str, Turn]
"""The name of the recording, or "", and a turn."""

_CLOCK = re.compile(r"^(?:(\d+) days? )?(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)$")


def seconds(value: Any) -> float:
    """A time as files write it: seconds as a number, or a clock with hours, minutes and days.

    >>> seconds("1.5"), seconds("00:01:02,250"), seconds("0 days 00:00:03.5")
    (1.5, 62.25, 3.5)
    """
    if isinstance(value, bool) or value is None:
        raise TurnsError(f"a time is {value!r}; expected seconds")
    if isinstance(value, int | float):
        return float(value)
    if hasattr(value, "total_seconds"):
        return float(value.total_seconds())
    word = str(value).strip()
    try:
        if clock := _CLOCK.match(word):
            days, hours, minutes, rest = clock.groups()
            whole = 86_400.0 * int(days or 0) + 3_600.0 * int(hours or 0) + 60.0 * int(minutes)
            return whole + float(rest.replace(",", "."))
        return float(word.replace(",", "."))
    except (ValueError, OverflowError) as error:
        raise TurnsError(f"a time is {word[:40]!r}; expected seconds, or hh:mm:ss.mmm") from error


def rounded(time_s: float) -> float:
    """Without the binary noise of sums such as 0.1 + 0.2, which would show in every output."""
    return round(time_s, 9) if math.isfinite(time_s) else time_s


def filled_lines(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


@contextmanager
def located(place: str) -> Iterator[None]:
    """Name the place, such as "line 3", in the message of a `TurnsError`."""
    try:
        yield
    except TurnsError as error:
        raise TurnsError(f"{place}: {error}") from error
