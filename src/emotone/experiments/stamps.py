"""What every figure that must not be taken for a result bears: QUICK or LEAKY."""

from __future__ import annotations

from emotone.experiments.leakage import STAMP
from emotone.experiments.table_record import Outcome, TableFacts

QUICK_STAMP = "QUICK"
NONE = "–"
"""Stands where there is no figure."""


def stamped(text: str, table: TableFacts, outcome: Outcome | None = None) -> str:
    """The figure with its stamps behind it; text without a digit stays as it is."""
    if text == NONE or not any(character.isdigit() for character in text):
        return text
    stamps = [STAMP] if outcome is not None and outcome.row.leak is not None else []
    stamps += [QUICK_STAMP] if table.quick else []
    return " ".join([text, *stamps])
