"""Worker processes of a batch. Each gets one recording at a time, so that a fast worker never waits for a slow one.

When a worker dies (a decoder crashes, the system is short of memory), the recording that it worked on is reported as
failed, and another worker is started.
"""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from emotone import errors
from emotone.errors import EmotoneError

_COMMAND = ("-P", "-m", "emotone.batch.worker")


class _Worker:
    """One process with its pipes; `task` is the recording that it works on."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, *_COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.task: dict[str, Any] | None = None
        self._unread = b""
        self.send(setup)

    def send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None  # noqa: S101 - for the type checker
        with suppress(BrokenPipeError):  # a dead worker is noticed when its answer is read
            self.process.stdin.write(json.dumps(request).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """The complete lines that have arrived; None once the worker has exited."""
        assert self.process.stdout is not None  # noqa: S101 - for the type checker
        data = self.process.stdout.read(1 << 16)
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(0 if self.task else 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WorkerPool:
    """Processes that recognise recordings; use it in a `with`.

    Args:
        n_workers: how many.
        setup: as for `worker.BatchRecognizer`.
    Raises:
        EmotoneError: the model cannot be loaded, as the class that loading raised.

    Attributes:
        labels: of the model.
        digest: of everything that determines the results.
    """

    def __init__(self, n_workers: int, setup: Mapping[str, Any]) -> None:
        self._setup = dict(setup)
        self._n_workers = n_workers
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self.labels: tuple[str, ...] = ()
        self.digest = ""

    def __enter__(self) -> Self:
        try:
            # Only the first: if the model cannot be loaded, it is reported once.
            self._start()
            while not self.labels:
                self._receive()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.stop()
        self._selector.close()

    def answers(self, tasks: Iterator[tuple[int, str]]) -> Iterator[dict[str, Any]]:
        """The result of each recording, in the order of completion.

        Args:
            tasks: (index, location); the next is taken when a worker is free.
        Yields:
            `{"index", "row", "warnings", "stamp"}` or `{"index", "error", "kind"}`.
        """
        while len(self._workers) < self._n_workers:
            self._start()
        waiting = ({"index": index, "file": file} for index, file in tasks)
        exhausted = False
        while True:
            for worker in self._workers:
                if worker.task is None and not exhausted:
                    worker.task = next(waiting, None)
                    if worker.task is None:
                        exhausted = True
                    else:
                        worker.send(worker.task)
            if exhausted and all(worker.task is None for worker in self._workers):
                return
            yield from self._receive()

    def _start(self) -> None:
        worker = _Worker(self._setup)
        self._workers.append(worker)
        self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]

    def _receive(self) -> list[dict[str, Any]]:
        """Wait for workers, and return their results."""
        found = []
        for key, _ in self._selector.select():
            worker: _Worker = key.data
            answers = worker.receive()
            if answers is None:
                found += self._replace(worker)
                continue
            for answer in answers:
                if "index" in answer:
                    worker.task = None
                    found.append(answer)
                elif "error" in answer:
                    raise _error_of(answer)
                else:
                    self.labels, self.digest = tuple(answer["labels"]), answer["digest"]
        return found

    def _replace(self, worker: _Worker) -> list[dict[str, Any]]:
        self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        self._workers.remove(worker)
        status = worker.process.wait()
        task, worker.task = worker.task, None
        worker.stop()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        if task is None:
            raise EmotoneError(f"a worker process died while it started ({how}); see its messages on standard error")
        self._start()
        return [{"index": task["index"], "error": f"the process that read it died ({how})", "kind": "EmotoneError"}]


def _error_of(answer: dict[str, Any]) -> EmotoneError:
    """The error that a worker reported."""
    kind = getattr(errors, answer["kind"], EmotoneError)
    error: EmotoneError = (EmotoneError if kind is errors.MissingExtraError else kind)(answer["error"])
    return error
