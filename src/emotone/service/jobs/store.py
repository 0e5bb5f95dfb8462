"""Jobs: long recordings, kept in SQLite so that a restart loses none.

A job's recording is in `uploads/` under a random name until the job has ended; its result is in the database. The order
of writing makes every moment safe to be killed in: the recording is on the disk before the job is, and the result
is before the recording is deleted. Recordings without a waiting job are deleted when the service starts.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

from emotone.errors import OutputError
from emotone.service.disk import make_private, writing
from emotone.service.errors import BusyError, IdempotencyError, JobNotFoundError, StorageError
from emotone.service.jobs.database import Database
from emotone.service.jobs.job import Job, State, job_of
from emotone.service.jobs.space import RETRY_JOBS_S, DiskSpace
from emotone.service.requests.extras import ExtraFile, packed, unpacked

_OF_OWNER = """
SELECT id, owner, state, settings, upload, size, created, started, finished, NULL AS result, problem FROM jobs
WHERE owner = ? AND (? IS NULL OR state = ?) AND created < ? ORDER BY created DESC, rowid DESC LIMIT ?
"""
_GAVE_UP = {
    "type": "/problems/internal",
    "title": "The service failed",
    "status": 500,
    "detail": "The service ended each time it started this job. It will not be retried.",
}


class JobStore:
    """The jobs in one folder, which one process at a time may use. Safe to share between threads.

    Its methods raise `StorageError` where the disk is full or the database cannot be used.

    Args:
        folder: for the database and the recordings.
        max_queued: jobs that may wait.
        max_attempts: how often a job is started.
        max_bytes: of the recordings of jobs that have not ended.
    Raises:
        OutputError: the folder cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path, *, max_queued: int = 100, max_attempts: int = 3, max_bytes: int = 1 << 62) -> None:
        self.uploads = folder / "uploads"
        self.space = DiskSpace(max_bytes)
        self._max_queued = max_queued
        self._lock = RLock()
        make_private(folder)
        make_private(self.uploads)
        try:
            self._database = Database(folder)
            try:
                self._recover(max_attempts)
            except BaseException:
                self._database.close()
                raise
        except (sqlite3.Error, OSError, StorageError) as error:
            cause = error.__cause__ if isinstance(error, StorageError) else error
            raise OutputError(
                f"cannot use the jobs in {folder}: {cause}; repair the disk, or name another folder with --data-dir"
            ) from error

    def _recover(self, max_attempts: int) -> None:
        """Requeue jobs that were interrupted by a crash, and delete orphaned recordings."""
        with self._lock:
            self._database.execute(
                "UPDATE jobs SET state = ?, finished = ?, problem = ? WHERE state = ? AND attempts >= ?",
                State.failed,
                time.time(),
                json.dumps(_GAVE_UP),
                State.running,
                max_attempts,
            )
            self._database.execute("UPDATE jobs SET state = ? WHERE state = ?", State.queued, State.running)
            owned = {
                row["upload"] for row in self._database.rows("SELECT upload FROM jobs WHERE state = ?", State.queued)
            }
        for path in self.uploads.iterdir():
            if path.suffix and path.stem in owned:
                continue
            if path.name in owned:
                size = path.stat().st_size
                self.space.add(size)
                self._database.execute("UPDATE jobs SET size = ? WHERE upload = ?", size, path.name)
            else:
                path.unlink(missing_ok=True)

    def check_place(self) -> None:
        """Refuse a job that would find the queue full, before its recording is read.

        Raises:
            BusyError: the queue is full.
        """
        if self.counts()[State.queued] >= self._max_queued:
            raise BusyError(
                f"Too many queued jobs (limit: {self._max_queued}). Retry in {RETRY_JOBS_S} s.", RETRY_JOBS_S
            )

    def new_upload(self) -> tuple[str, BinaryIO]:
        """A random name, and the empty file of that name, to write a recording to."""
        name = secrets.token_hex(16)
        return name, (self.uploads / name).open("xb")

    def add_extras(self, name: str, extras: Sequence[ExtraFile]) -> None:
        """Keep the files that belong to a recording next to it."""
        if not extras:
            return
        with writing(), (self.uploads / f"{name}.extras").open("xb") as file:
            file.write(packed(extras))
            file.flush()
            os.fsync(file.fileno())

    def extras(self, name: str) -> tuple[ExtraFile, ...]:
        """The files that belong to a recording."""
        path = self.uploads / f"{name}.extras"
        return unpacked(path.read_bytes())[0] if path.exists() else ()

    def drop_upload(self, name: str) -> None:
        """Delete a recording and what belongs to it; nothing happens where there is none."""
        for path in (self.uploads / name, *self.uploads.glob(f"{name}.*")):
            path.unlink(missing_ok=True)

    def add(
        self,
        upload: str,
        settings: Mapping[str, Any],
        owner: str = "",
        *,
        idempotency_key: str | None = None,
        fingerprint: str | None = None,
    ) -> Job:
        """Add a job for a recording that is complete on the disk; or return the job that an earlier request made.

        Args:
            upload: name of the recording, whose bytes are counted in `space`; not used, and to be dropped, where the
                job returned has another.
            settings: how to recognise it.
            owner: name of the caller's key.
            idempotency_key: chosen by the caller; a second request with the same key makes no second job.
            fingerprint: of the request, to tell a repeated request from another one.
        Raises:
            BusyError: the queue is full.
            IdempotencyError: the key belongs to another request.
        """
        with self._lock:
            if idempotency_key is not None:
                rows = self._database.rows(
                    "SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?", owner, idempotency_key
                )
                if rows and rows[0]["fingerprint"] != fingerprint:
                    raise IdempotencyError(
                        "This Idempotency-Key was used for another recording or other settings. Choose a new key."
                    )
                if rows:
                    return job_of(rows[0])
            self.check_place()
            job_id = secrets.token_urlsafe(18)
            self._database.execute(
                "INSERT INTO jobs (id, owner, state, settings, upload, size, created, idempotency_key, fingerprint) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                job_id,
                owner,
                State.queued,
                json.dumps(dict(settings)),
                upload,
                (self.uploads / upload).stat().st_size,
                time.time(),
                idempotency_key,
                fingerprint,
            )
            return self.get(job_id, owner)

    def get(self, job_id: str, owner: str = "") -> Job:
        """One job.

        Raises:
            JobNotFoundError: it does not exist, or belongs to another caller.
        """
        with self._lock:
            rows = self._database.rows("SELECT * FROM jobs WHERE id = ? AND owner = ?", job_id, owner)
        if not rows:
            raise JobNotFoundError("Job not found. It may have been deleted or expired.")
        return job_of(rows[0])

    def of_owner(self, owner: str, *, state: State | None = None, limit: int = 100, before: str = "") -> list[Job]:
        """The jobs of one caller, newest first, without their results.

        Args:
            owner: name of the caller's key.
            state: only jobs in this state.
            limit: at most so many.
            before: only jobs older than the one with this id.
        Raises:
            JobNotFoundError: there is no job `before`.
        """
        with self._lock:
            created = self.get(before, owner).created if before else float("inf")
            rows = self._database.rows(
                _OF_OWNER,
                owner,
                state,
                state,
                created,
                limit,
            )
        return [job_of(row) for row in rows]

    def delete(self, job_id: str, owner: str = "") -> None:
        """Delete a job in any state, with its recording and result.

        Raises:
            JobNotFoundError: as `get`.
        """
        with self._lock:
            job = self.get(job_id, owner)
            self._database.execute("DELETE FROM jobs WHERE id = ?", job_id)
            if job.state in (State.queued, State.running):
                self.space.add(-job.size)
            self._database.empty_log()
        self.drop_upload(job.upload)

    def begin(self, max_size: int | None = None) -> Job | None:
        """Start the job that has waited longest; None where none waits.

        Args:
            max_size: only jobs with recordings of at most so many bytes.
        """
        with self._lock:
            rows = self._database.rows(
                "UPDATE jobs SET state = ?, started = ?, attempts = attempts + 1 WHERE id = "
                "(SELECT id FROM jobs WHERE state = ? AND size <= ? ORDER BY created, rowid LIMIT 1) RETURNING *",
                State.running,
                time.time(),
                State.queued,
                1 << 62 if max_size is None else max_size,
            )
        return job_of(rows[0]) if rows else None

    def finish(self, job: Job, *, result: str | None = None, problem: Mapping[str, Any] | None = None) -> None:
        """Keep a job's result, or why it failed, and delete its recording."""
        state = State.failed if problem else State.done
        with self._lock:
            changed = self._database.execute(
                "UPDATE jobs SET state = ?, finished = ?, result = ?, problem = ? WHERE id = ?",
                state,
                time.time(),
                result,
                json.dumps(dict(problem)) if problem else None,
                job.id,
            ).rowcount
            if changed:  # else it was deleted meanwhile
                self.space.add(-job.size)
        self.drop_upload(job.upload)

    def put_back(self, job: Job) -> None:
        """Let a job that was started wait again, as if it had not been."""
        with self._lock:
            self._database.execute(
                "UPDATE jobs SET state = ?, started = NULL, attempts = attempts - 1 WHERE id = ?", State.queued, job.id
            )

    def delete_before(self, moment: float) -> int:
        """Delete the jobs that ended before a moment; returns how many."""
        with self._lock:
            deleted = self._database.execute("DELETE FROM jobs WHERE finished < ?", moment).rowcount
            if deleted:
                self._database.empty_log()
        return deleted

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with self._lock:
            rows = self._database.rows("SELECT state, count(*) AS n FROM jobs GROUP BY state")
        return dict.fromkeys(State, 0) | {State(row["state"]): row["n"] for row in rows}

    def close(self) -> None:
        """Release the folder."""
        with self._lock:
            self._database.close()
