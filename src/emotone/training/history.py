"""What is remembered of each epoch, as history.csv holds it."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

from emotone.files import write_text


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One line of the history."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    validation_uar: float
    learning_rate: float
    seconds: float
    clips_per_second: float


def write_history(path: Path, history: list[EpochRecord]) -> None:
    """The history as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(EpochRecord.__slots__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in history)
    write_text(path, text.getvalue())
