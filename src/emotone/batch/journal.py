"""The state of a batch on the disk: its recordings, and the result of each, in an SQLite database.

Conventions: the file is `OUTPUT.journal`. A result is committed when its recording is done, so a batch that is killed
continues where it stopped. At the end the table is written from the results, in the order of the recordings, and the
journal is removed. Memory does not grow with the number of recordings.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emotone.batch.locations import file_stamp
from emotone.errors import OutputError
from emotone.files import check_replaceable, written_whole
from emotone.output.formats import write_table

_APPLICATION_ID = 0x656D6F74
"""Of the file, in its header, so that no other database is taken for a journal: `emot` in ASCII."""

_HEADER = b"SQLite format 3\0"
_ID_AT = 68

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS plan (content TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE IF NOT EXISTS recordings (position INTEGER PRIMARY KEY, location BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS results "
    "(position INTEGER PRIMARY KEY, recognised INTEGER NOT NULL, content TEXT NOT NULL) STRICT",
)

_NEXT_OPEN = """
SELECT position, location FROM recordings
WHERE position > ? AND NOT EXISTS
  (SELECT 1 FROM results WHERE results.position = recordings.position AND recognised) ORDER BY position LIMIT 1
"""
_STAMPS = """
SELECT position, location, json_extract(content, '$.stamp') FROM results JOIN recordings USING (position)
WHERE recognised
"""
_RESULTS = """
SELECT location, content FROM results JOIN recordings USING (position) WHERE recognised = ? ORDER BY results.position
"""

# Recordings in one list and not at the same place in the other; a list that goes on is longer.
_CHANGED = """
SELECT count(*) != (SELECT count(*) FROM recordings)
  OR EXISTS (SELECT position, location FROM found EXCEPT SELECT position, location FROM recordings)
FROM found
"""


class Journal:
    """The journal of one batch; use it in a `with`.

    Args:
        output: the table that will be written.
        plan: model, options and version; a batch of another plan is not continued.
        overwrite: discard an unfinished batch of another plan or of other recordings, and replace a file of another
            kind.
    Raises:
        OutputError: the journal cannot be written, belongs to another batch, or another process uses it.

    Attributes:
        n_files: number of recordings.
        n_resumed: how many of them an earlier run has recognised.
    """

    def __init__(self, output: Path, plan: dict[str, Any], *, overwrite: bool = False) -> None:
        self.path = output.with_name(output.name + ".journal")
        self._output = output
        self._plan = json.dumps(plan)
        self._overwrite = overwrite
        self._database: sqlite3.Connection | None = None
        self.n_files = 0
        self.n_resumed = 0

    def __enter__(self) -> Self:
        check_replaceable(self.path, "the journal of a batch", _is_journal, overwrite=self._overwrite)
        try:
            self._open()
        except BaseException as error:
            self._close()
            # Busy and full disks are OperationalErrors; this one is a damaged file.
            if not (self._overwrite and type(error.__cause__) is sqlite3.DatabaseError):
                raise
            self.path.unlink()
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _open(self) -> None:
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._overwrite and self.path.exists() and not _is_journal(_head(self.path)):
                self.path.unlink()
            self._database = sqlite3.connect(self.path, isolation_level=None, timeout=1.0)
            # Exclusive: a second process is refused, and no file of shared memory is needed, as on network disks.
            self._execute("PRAGMA locking_mode = EXCLUSIVE")
            # Before the write-ahead log is used, so that it is in the file itself from the beginning.
            self._execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a power cut may lose the last results, which are then made again.
            self._execute("PRAGMA synchronous = NORMAL")
            with self._transaction():
                for statement in _SCHEMA:
                    self._execute(statement)
                if self._one("SELECT count(*) FROM plan WHERE finished OR content != ?", self._plan):
                    if not self._overwrite and self._one("SELECT NOT finished FROM plan"):
                        raise OutputError(
                            f"{self.path} is of an unfinished batch with another model, other options or another "
                            "version; run that command again to finish it, or add --overwrite to start again"
                        )
                    self._clear()

    def _clear(self) -> None:
        self._execute("DELETE FROM results")
        self._execute("DELETE FROM recordings")
        self._execute("DELETE FROM plan")

    def _close(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()

    def set_files(self, locations: Iterable[str]) -> None:
        """Store the list of recordings, or check that it is the list of the earlier run.

        Raises:
            OutputError: the earlier run had other recordings.
            AudioError: as the search for recordings.
        """
        with self._explained(), self._transaction():
            self._execute("CREATE TEMP TABLE found (position INTEGER PRIMARY KEY, location BLOB NOT NULL)")
            rows = ((_encoded(location),) for location in locations)
            self._connection.executemany("INSERT INTO found (location) VALUES (?)", rows)
            self.n_files = self._one("SELECT count(*) FROM found")
            if self._one("SELECT count(*) FROM plan") and self._one(_CHANGED):
                if not self._overwrite:
                    raise OutputError(
                        f"{self.path} is of an unfinished batch, and the recordings have changed since; restore them "
                        "to finish it, or add --overwrite to start again"
                    )
                self._clear()
            if not self._one("SELECT count(*) FROM plan"):
                self._execute("INSERT INTO plan (content) VALUES (?)", self._plan)
                self._execute("INSERT INTO recordings (position, location) SELECT position, location FROM found")
            self._execute("DROP TABLE found")
            self._forget_changed()
        self.n_resumed = self._one("SELECT count(*) FROM results WHERE recognised")

    def _forget_changed(self) -> None:
        """Drop results of files that have another size or time now than when they were recognised."""
        changed = [
            (position,)
            for position, location, stamp in self._execute(_STAMPS)
            if stamp is not None and json.loads(stamp) != file_stamp(_decoded(location))
        ]
        self._connection.executemany("DELETE FROM results WHERE position = ?", changed)

    def open_tasks(self) -> Iterator[tuple[int, str]]:
        """The recordings without a result; those that failed in an earlier run are tried again."""
        position = 0
        # Row by row, not by one cursor: results are committed meanwhile.
        while row := self._row(_NEXT_OPEN, position):
            position = row[0]
            yield position, _decoded(row[1])

    def location(self, index: int) -> str:
        """The recording with an index."""
        return _decoded(self._one("SELECT location FROM recordings WHERE position = ?", index))

    def write(self, answer: dict[str, Any]) -> None:
        """Commit a result, so that a kill of the process does not lose it.

        Raises:
            OutputError: it cannot be written.
        """
        with self._explained():
            self._execute(
                "INSERT OR REPLACE INTO results (position, recognised, content) VALUES (?, ?, ?)",
                answer["index"],
                "row" in answer,
                json.dumps(answer),
            )

    def merge(self, labels: tuple[str, ...]) -> None:
        """Write the table, rows in the order of the list, and remove the journal.

        Raises:
            OutputError: it cannot be written; the journal stays.
        """
        with self._explained(), written_whole(self._output) as part:
            write_table(part, self._output, (result["row"] for _, result in self._results(recognised=True)), labels)
        self.remove()

    def remove(self) -> None:
        """Remove the journal of a batch that has ended."""
        with suppress(OSError, sqlite3.Error):
            # First, so that a journal whose removal is cut short is not continued.
            self._execute("UPDATE plan SET finished = 1")
            self._close()
            self.path.unlink()

    def remove_if_empty(self) -> None:
        """Remove a journal that has no recordings: nothing has begun."""
        if not self._one("SELECT count(*) FROM plan"):
            self.remove()

    def failures(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The recordings that no run has recognised: (location, the last result)."""
        return self._results(recognised=False)

    def _results(self, *, recognised: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        for location, content in self._execute(_RESULTS, recognised):
            yield _decoded(location), json.loads(content)

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self._database is not None  # noqa: S101 - for the type checker
        return self._database

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def _row(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._execute(query, *values).fetchone()
        return found

    def _one(self, query: str, *values: Any) -> Any:
        row = self._row(query, *values)
        return None if row is None else row[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN EXCLUSIVE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Faults of the disk or of the database as errors of ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise OutputError(f"another process uses {self.path}; wait for it, or name another output") from error
            raise OutputError(f"cannot write {self.path}: {error}") from error
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"cannot use {self.path}: {error}; name another output, or add --overwrite to start again"
            ) from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_ID_AT + 4)


def _is_journal(content: bytes) -> bool:
    """Whether a file is a journal, or an empty one whose creation was cut short."""
    application_id = int.from_bytes(content[_ID_AT : _ID_AT + 4])
    return not content or (content.startswith(_HEADER) and application_id == _APPLICATION_ID)


# Names on a disk need not be Unicode.
def _encoded(location: str) -> bytes:
    return location.encode("utf-8", "surrogateescape")


def _decoded(location: bytes) -> str:
    return location.decode("utf-8", "surrogateescape")
