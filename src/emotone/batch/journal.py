"""The state of a batch on the disk: what is to be done, what became of each recording, and the merging at the end.

Conventions: the folder `OUTPUT.parts` holds `plan.json` (what the batch is), `files.jsonl` (its recordings, one a line;
the number of the line is the index) and `part-00000.jsonl` and so on (an answer a line, in the order of their coming).
A line is written when its recording is done, and a line that a kill cut off counts for nothing; so a batch that is
killed at any moment goes on where it was. The table is merged from the parts and then put in its place whole. Memory
holds 32 bytes a recording: where its answer stands.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from emotone.errors import OutputError
from emotone.files import write_text, written_whole
from emotone.output.formats import write_table
from emotone.output.rows import Row, read_jsonl

_LINES_A_PART = 50_000


class Journal:
    """The parts of one batch; use it in a `with`.

    Args:
        output: the table that is to come.
        plan: what the batch is; a batch of another plan is not continued.
    Raises:
        OutputError: the folder cannot be written, belongs to another batch, or another process is at work on it.

    Attributes:
        n_files: how many recordings there are.
        n_resumed: how many of them an earlier run has recognised.
    """

    def __init__(self, output: Path, plan: dict[str, Any]) -> None:
        self.folder = output.with_name(output.name + ".parts")
        self._output = output
        self._plan = plan
        self._part: IO[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._n_lines = 0
        self.n_files = 0
        self.n_resumed = 0
        self._rows_at: npt.NDArray[np.int64] = np.zeros((0, 2), np.int64)
        self._errors_at = self._rows_at

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.folder / "lock")
            # Without the list nothing was begun, or all was done and its removal was cut short.
            stated, listed = self.folder / "plan.json", self.folder / "files.jsonl"
            if listed.exists() and stated.exists() and json.loads(stated.read_text(encoding="utf-8")) != self._plan:
                raise OutputError(
                    f"{self.folder} holds an unfinished batch of other recordings, another model or another version; "
                    f"finish it as it was begun, or remove {self.folder}"
                )
        except (OSError, ValueError) as error:
            self._close()
            advice = "remove it to begin anew" if self.folder.exists() else "choose a place that can be written to"
            raise OutputError(f"cannot use {self.folder}: {error}; {advice}") from error
        except OutputError:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        for file in (self._part, self._lock):
            if file is not None:
                file.close()

    def set_files(self, locations: Iterable[str]) -> None:
        """Write the list of recordings down, or find that it is the one of the earlier run and read its parts.

        Raises:
            OutputError: the earlier run had other recordings.
            AudioError: whatever the search for recordings raises.
        """
        listed, now = self.folder / "files.jsonl", self.folder / "files-now.jsonl"
        try:
            with now.open("wb") as file:
                for location in locations:
                    file.write(json.dumps(location).encode() + b"\n")
                    self.n_files += 1
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        if listed.exists() and not _same(listed, now):
            raise OutputError(
                f"{self.folder} holds an unfinished batch, and since then the recordings have changed; "
                f"remove {self.folder} to begin anew"
            )
        if not listed.exists():
            # Answers to another list would pass for answers to this one.
            for part in self._parts():
                part.unlink()
        write_text(self.folder / "plan.json", json.dumps(self._plan))
        now.replace(listed)
        # For each recording the part and the offset of its row; -1 where there is none yet.
        self._rows_at = np.full((self.n_files, 2), -1, np.int64)
        self._errors_at = self._rows_at.copy()
        self._find_answers()
        self.n_resumed = int((self._rows_at[:, 0] >= 0).sum())

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.jsonl"))

    def _find_answers(self) -> None:
        for number, part in enumerate(self._parts()):
            for offset, answer in read_jsonl(part):
                places = self._rows_at if "row" in answer else self._errors_at
                places[answer["index"]] = number, offset

    def open_tasks(self) -> Iterator[tuple[int, str]]:
        """The recordings that have no row yet; those that failed earlier are tried again."""
        for index, (_, location) in enumerate(read_jsonl(self.folder / "files.jsonl")):
            if self._rows_at[index, 0] < 0:
                yield index, str(location)

    def location(self, index: int) -> str:
        """The recording with an index; reads the list up to it."""
        return next(str(name) for i, (_, name) in enumerate(read_jsonl(self.folder / "files.jsonl")) if i == index)

    def write(self, answer: dict[str, Any]) -> None:
        """Write an answer down, so that a kill of the process does not lose it.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            if self._part is None or self._n_lines % _LINES_A_PART == 0:
                if self._part is not None:
                    self._part.close()
                number = len(self._parts())
                self._part = (self.folder / f"part-{number:05}.jsonl").open("xb", buffering=0)
            self._part.write(json.dumps(answer).encode() + b"\n")
            self._n_lines += 1
        except OSError as error:
            raise OutputError(f"cannot write to {self.folder}: {error.strerror}") from error

    def merge(self, labels: tuple[str, ...]) -> None:
        """Put the table in its place, rows in the order of the list, and remove the parts.

        Raises:
            OutputError: it cannot be written; the parts stay.
        """
        self._find_answers()
        with written_whole(self._output) as part:
            write_table(part, self._output, self._rows(), labels)
        with suppress(OSError):
            # The list first: parts without one are never read again, wherever the removal ends.
            (self.folder / "files.jsonl").unlink()
            shutil.rmtree(self.folder)

    def _rows(self) -> Iterator[Row]:
        for _, answer in self._answers(self._rows_at, self._rows_at[:, 0] >= 0):
            yield answer["row"]

    def failures(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The recordings that no run has recognised: (location, the last answer about it)."""
        self._find_answers()
        failed = (self._rows_at[:, 0] < 0) & (self._errors_at[:, 0] >= 0)
        answers = self._answers(self._errors_at, failed)
        wanted = next(answers, None)
        for index, (_, location) in enumerate(read_jsonl(self.folder / "files.jsonl")):
            if wanted is None:
                return
            if index == wanted[0]:
                yield str(location), wanted[1]
                wanted = next(answers, None)

    def _answers(
        self, places: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, answer) of the chosen recordings, in the order of the list."""
        with ExitStack() as files:
            parts = [files.enter_context(path.open("rb")) for path in self._parts()]
            for index in np.flatnonzero(chosen):
                number, offset = places[index]
                parts[number].seek(offset)
                yield int(index), json.loads(parts[number].readline())


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(1 << 20):
            if block != right.read(1 << 20):
                return False
    return True


def _locked(path: Path) -> IO[bytes]:
    file = path.open("wb")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such lock on this system
        pass
    except OSError:
        file.close()
        raise OutputError(f"another process is at work in {path.parent}; wait for it, or name another output") from None
    return file
