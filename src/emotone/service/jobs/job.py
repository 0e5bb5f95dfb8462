"""One job."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The state of a job."""

    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    Attributes:
        id: random, and so long that it cannot be guessed.
        owner: name of the caller's key; empty where none is needed.
        state: queued, running, done or failed.
        settings: what was asked for.
        upload: random name of its recording.
        size: of the recording in bytes.
        created: seconds since 1970, as are the next two.
        started: None before.
        finished: None before.
        result: None before it is done.
        problem: why it failed, else None.
    """

    id: str
    owner: str
    state: State
    settings: Mapping[str, Any]
    upload: str
    size: int
    created: float
    started: float | None
    finished: float | None
    result: str | None
    problem: Mapping[str, Any] | None


def job_of(row: sqlite3.Row) -> Job:
    """The job in a row of the database."""
    return Job(
        id=row["id"],
        owner=row["owner"],
        state=State(row["state"]),
        settings=json.loads(row["settings"]),
        upload=row["upload"],
        size=row["size"],
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
        result=row["result"],
        problem=json.loads(row["problem"]) if row["problem"] else None,
    )
