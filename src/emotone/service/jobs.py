"""Jobs: long recordings, kept in SQLite so that a restart loses none.

A job's recording lies in `uploads/` under a random name until the job has ended; its result is in the database. The
order of writing makes every moment safe to be killed in: the recording is on the disk before the job is, and the result
is before the recording goes. What no waiting job owns is deleted when the service starts.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

from emotone.errors import OutputError
from emotone.service.access import make_private
from emotone.service.disk import writing
from emotone.service.errors import BusyError, JobNotFoundError, StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  state TEXT NOT NULL,
  settings TEXT NOT NULL,
  upload TEXT NOT NULL,
  created REAL NOT NULL,
  started REAL,
  finished REAL,
  attempts INTEGER NOT NULL DEFAULT 0,
  result TEXT,
  problem TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created);
"""

_WAIT_FOR_JOBS_S = 30
_GAVE_UP = {
    "type": "/problems/internal",
    "title": "The service failed",
    "status": 500,
    "detail": "The service ended each time it began this job; it is not tried again.",
}


class State(StrEnum):
    """Where a job stands."""

    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    Attributes:
        id: random, and so long that nobody guesses another's.
        owner: name of the caller's key; empty where none is wanted.
        state: where it stands.
        settings: what was asked for.
        upload: random name of its recording.
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
    created: float
    started: float | None
    finished: float | None
    result: str | None
    problem: Mapping[str, Any] | None


class JobStore:
    """The jobs in one folder, which one process at a time may use. Safe to share between threads.

    Its methods raise `StorageError` where the disk is full or the database cannot be used.

    Args:
        folder: for the database and the recordings.
        max_queued: jobs that may wait.
        max_attempts: how often a job is begun.
    Raises:
        OutputError: the folder cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path, *, max_queued: int = 100, max_attempts: int = 3) -> None:
        self.uploads = folder / "uploads"
        self._max_queued = max_queued
        self._lock = RLock()
        make_private(folder)
        make_private(self.uploads)
        self._guard = _guard(folder)
        try:
            self._database = sqlite3.connect(folder / "jobs.sqlite3", check_same_thread=False, isolation_level=None)
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
            self._recover(max_attempts)
        except (sqlite3.Error, OSError, StorageError) as error:
            self._guard.close()
            cause = error.__cause__ if isinstance(error, StorageError) else error
            raise OutputError(
                f"cannot use the jobs in {folder}: {cause}; mend the disk, or name another folder with --data-dir"
            ) from error

    def _recover(self, max_attempts: int) -> None:
        """What a killed process had begun is begun again, and what nobody owns goes."""
        with self._lock:
            self._execute(
                "UPDATE jobs SET state = ?, finished = ?, problem = ? WHERE state = ? AND attempts >= ?",
                State.failed,
                time.time(),
                json.dumps(_GAVE_UP),
                State.running,
                max_attempts,
            )
            self._execute("UPDATE jobs SET state = ? WHERE state = ?", State.queued, State.running)
            owned = {row["upload"] for row in self._rows("SELECT upload FROM jobs WHERE state = ?", State.queued)}
        for path in self.uploads.iterdir():
            if path.name not in owned:
                path.unlink(missing_ok=True)

    def check_place(self) -> None:
        """Refuse a job that would find the queue full, before its recording is read.

        Raises:
            BusyError: as many jobs wait as may.
        """
        if self.counts()[State.queued] >= self._max_queued:
            raise BusyError(f"{self._max_queued} jobs wait already; come again", _WAIT_FOR_JOBS_S)

    def new_upload(self) -> tuple[str, BinaryIO]:
        """A random name, and the empty file of that name, to write a recording to."""
        name = secrets.token_hex(16)
        return name, (self.uploads / name).open("xb")

    def drop_upload(self, name: str) -> None:
        """Delete a recording; nothing happens where it is gone."""
        (self.uploads / name).unlink(missing_ok=True)

    def add(self, upload: str, settings: Mapping[str, Any], owner: str = "") -> Job:
        """A new job for a recording that is whole on the disk.

        Raises:
            BusyError: as many jobs wait as may.
        """
        with self._lock:
            self.check_place()
            job_id = secrets.token_urlsafe(18)
            self._execute(
                "INSERT INTO jobs (id, owner, state, settings, upload, created) VALUES (?, ?, ?, ?, ?, ?)",
                job_id,
                owner,
                State.queued,
                json.dumps(dict(settings)),
                upload,
                time.time(),
            )
            return self.get(job_id, owner)

    def get(self, job_id: str, owner: str = "") -> Job:
        """One job.

        Raises:
            JobNotFoundError: there is none, or it is another caller's, which looks the same.
        """
        with self._lock:
            rows = self._rows("SELECT * FROM jobs WHERE id = ? AND owner = ?", job_id, owner)
        if not rows:
            raise JobNotFoundError("no such job; it may have been deleted, or kept as long as jobs are")
        return _job(rows[0])

    def delete(self, job_id: str, owner: str = "") -> None:
        """Forget a job, whatever its state; one that runs is told to end.

        Raises:
            JobNotFoundError: as `get`.
        """
        with self._lock:
            job = self.get(job_id, owner)
            self._execute("DELETE FROM jobs WHERE id = ?", job_id)
        self.drop_upload(job.upload)

    def begin(self) -> Job | None:
        """The job that has waited longest, which runs from now on; None where none waits."""
        with self._lock:
            rows = self._rows(
                "UPDATE jobs SET state = ?, started = ?, attempts = attempts + 1 WHERE id = "
                "(SELECT id FROM jobs WHERE state = ? ORDER BY created, rowid LIMIT 1) RETURNING *",
                State.running,
                time.time(),
                State.queued,
            )
        return _job(rows[0]) if rows else None

    def finish(self, job: Job, *, result: str | None = None, problem: Mapping[str, Any] | None = None) -> None:
        """Keep a job's result, or why it failed, and delete its recording."""
        state = State.failed if problem else State.done
        with self._lock:
            self._execute(
                "UPDATE jobs SET state = ?, finished = ?, result = ?, problem = ? WHERE id = ?",
                state,
                time.time(),
                result,
                json.dumps(dict(problem)) if problem else None,
                job.id,
            )
        self.drop_upload(job.upload)

    def put_back(self, job: Job) -> None:
        """Let a job that was begun wait again, as if it had not been."""
        with self._lock:
            self._execute(
                "UPDATE jobs SET state = ?, started = NULL, attempts = attempts - 1 WHERE id = ?", State.queued, job.id
            )

    def forget_before(self, moment: float) -> int:
        """Forget the jobs that ended before a moment; how many."""
        with self._lock:
            return self._execute("DELETE FROM jobs WHERE finished < ?", moment).rowcount

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with self._lock:
            rows = self._rows("SELECT state, count(*) AS n FROM jobs GROUP BY state")
        return dict.fromkeys(State, 0) | {State(row["state"]): row["n"] for row in rows}

    def close(self) -> None:
        """Let the folder go."""
        with self._lock:
            self._database.close()
            self._guard.close()

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        with writing():
            return self._database.execute(statement, values)

    def _rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        # Faults of the disk are found while rows are fetched, too.
        with writing():
            return self._database.execute(statement, values).fetchall()


def _job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        owner=row["owner"],
        state=State(row["state"]),
        settings=json.loads(row["settings"]),
        upload=row["upload"],
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
        result=row["result"],
        problem=json.loads(row["problem"]) if row["problem"] else None,
    )


def _guard(folder: Path) -> BinaryIO:
    """Hold the folder against a second process, which would take this one's running jobs for lost ones."""
    try:
        guard = (folder / "lock").open("wb")
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}; name another folder with --data-dir") from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        guard.close()
        raise OutputError(f"another process uses {folder}; name another folder with --data-dir") from error
    with suppress(OSError):
        folder.chmod(0o700)
    return guard
