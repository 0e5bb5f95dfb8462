"""A fold that fails while another runs; in a module of its own, which a new process can import."""

from __future__ import annotations

import json
import time
from typing import Any


class OutOfRoomError(RuntimeError):
    """As a library raises it, not of our exceptions."""


def run(plan: Any, seed: int, fold: int, report: Any) -> None:
    """Fold 0 fails when fold 1 has begun; others take a second."""
    folder = plan.fold_folder(seed, fold)
    folder.mkdir(parents=True)
    (folder / "begun").touch()
    if fold == 0:
        while not (plan.fold_folder(seed, 1) / "begun").exists():
            time.sleep(0.01)
        raise OutOfRoomError("no room")
    time.sleep(1.0)
    (folder / "fold.json").write_text(json.dumps({"fold": fold}), encoding="utf-8")
