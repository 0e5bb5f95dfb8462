"""Waiting for a condition, in tests of what happens in other threads and processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WAIT_S = 120.0
"""For what takes a moment; tests run on busy machines."""


def wait_for(condition: Callable[[], Any], timeout_s: float = WAIT_S) -> None:
    """Wait until a condition holds; the test fails where it never does."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"not true within {timeout_s:g} s"
        time.sleep(0.05)
