"""The database of the jobs: its schema, its lock against a second process, and statements on it.

What is deleted is overwritten in the database's files too (`secure_delete`, and the write-ahead log is emptied).
"""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from emotone.errors import OutputError
from emotone.service.disk import writing

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
# Columns that later versions added, and what else an older database needs.
_ADDED = {
    "size": "INTEGER NOT NULL DEFAULT 0",
    "idempotency_key": "TEXT",
    "fingerprint": "TEXT",
}
_UPGRADE = """
UPDATE jobs SET settings = replace(settings, '"window_s"', '"window"');
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_key ON jobs (owner, idempotency_key);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, created);
"""


class Database:
    """The jobs in one folder, which one process at a time may use. Not safe to share between threads without a lock.

    Statements raise `StorageError` where the disk is full or the database cannot be used.

    Args:
        folder: exists.
    Raises:
        OutputError: another process uses the folder, or it cannot be written to.
        sqlite3.Error: the database cannot be used.
        StorageError: likewise.
    """

    def __init__(self, folder: Path) -> None:
        self._guard = _guard(folder)
        try:
            self._connection = sqlite3.connect(folder / "jobs.sqlite3", check_same_thread=False, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
            self._upgrade()
        except BaseException:
            self._guard.close()
            raise

    def _upgrade(self) -> None:
        present = {row["name"] for row in self.rows("PRAGMA table_info(jobs)")}
        for name, kind in _ADDED.items():
            if name not in present:
                self.execute(f"ALTER TABLE jobs ADD COLUMN {name} {kind}")
        self._connection.executescript(_UPGRADE)
        # Versions without secure_delete left deleted rows in free pages.
        if self._connection.execute("PRAGMA freelist_count").fetchone()[0]:
            self.execute("VACUUM")
        self.empty_log()

    def empty_log(self) -> None:
        """Write the write-ahead log into the database and empty it: it holds old versions of the pages."""
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement that changes something."""
        with writing():
            return self._connection.execute(statement, values)

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """The rows that a statement gives."""
        # Faults of the disk are found while rows are fetched, too.
        with writing():
            return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the database and release the folder."""
        self._connection.close()
        self._guard.close()


def _guard(folder: Path) -> BinaryIO:
    """Lock the folder against a second process, which would requeue this one's running jobs."""
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
