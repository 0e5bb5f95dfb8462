"""A worker process as the service sees it, and a pool of them."""

from __future__ import annotations

import io
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from emotone import errors
from emotone.errors import EmotoneError
from emotone.service import errors as service_errors
from emotone.service.errors import TimeLimitError, WorkerDiedError
from emotone.service.requests.extras import ExtraFile, packed
from emotone.service.workers.messages import Message, receive, send
from emotone.service.workers.recognition import Progress, Task

_log = logging.getLogger("emotone.service")

_MODULE = "emotone.service.workers.worker"
_START_S = 120.0
"""A model is loaded in a second; more on a machine that is short of memory."""
_RESERVE = 2
"""Idle processes beside those that work, so that two endless recordings leave one to the next client."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a task.

    Attributes:
        text: in the format asked for.
        duration_s: of the recording.
        seconds: that it took.
    """

    text: str
    duration_s: float
    seconds: float


class CancelledWorkError(Exception):
    """The process was killed because its work is no longer needed."""


class WorkerProcess:
    """One process; `recognize` is called by one thread at a time, `kill` by any.

    Args:
        model: a model file; None for the shipped one.
        nice: how much lower its priority is.
    """

    def __init__(self, model: Path | None, nice: int = 0) -> None:
        self._connection, theirs = socket.socketpair()
        self._ready = self._killed = False
        with theirs:
            command = [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()], start_new_session=True
            )
        self._send(Message({"model": None if model is None else str(model), "nice": nice}), _START_S)

    @property
    def alive(self) -> bool:
        """Whether it can take a task."""
        return not self._killed and self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until the model is loaded.

        Raises:
            ModelFileError: the model cannot be used.
            WorkerDiedError: the process ended.
        """
        if not self._ready:
            self._result(self._receive(_START_S))
            self._ready = True

    def recognize(
        self,
        task: Task,
        recording: BinaryIO,
        progress: Progress | None = None,
        extras: Sequence[ExtraFile] = (),
    ) -> Answer:
        """Do a task. After an exception that is not about the recording, the process is not alive any more.

        Args:
            task: what to do.
            recording: at its start; a file on disk is passed as such, one in memory by its bytes.
            progress: called every half second or so.
            extras: files that belong to the recording.
        Raises:
            EmotoneError: the recording cannot be used.
            TimeLimitError: it took longer than the task allows.
            CancelledWorkError: `kill` was called.
            WorkerDiedError: the process ended by itself.
        """
        self.wait_until_ready()
        begun = monotonic()
        fields = asdict(task) | {"settings": task.settings.model_dump(exclude_defaults=True)}
        contents = packed(extras)
        if isinstance(recording, io.BytesIO):
            message = Message(fields, contents + recording.getvalue())
        else:
            message = Message(fields, contents, file=recording.fileno())
        try:
            self._send(message, task.timeout_s)
            while True:
                reply = self._receive(begun + task.timeout_s - monotonic())
                if "done_s" not in reply.fields:
                    break
                if progress is not None:
                    progress(reply.fields["done_s"], reply.fields["declared_s"])
        except TimeoutError:
            self.kill()
            raise TimeLimitError(
                f"Recognition took longer than {task.timeout_s:g} s. Send a shorter recording, or use POST /v1/jobs."
            ) from None
        result = self._result(reply)
        return Answer(reply.content.decode(), result["duration_s"], monotonic() - begun)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        """End the process and wait for it."""
        self.kill()
        self._process.wait()
        self._connection.close()

    def _send(self, message: Message, timeout_s: float) -> None:
        self._connection.settimeout(timeout_s)
        with suppress(ConnectionError):  # a dead process shows when its answer is read
            send(self._connection, message)

    def _receive(self, timeout_s: float) -> Message:
        self._connection.settimeout(max(timeout_s, 0.001))
        try:
            return receive(self._connection)
        except (EOFError, ConnectionError):
            if self._killed:
                raise CancelledWorkError from None
            status = self._process.wait()
            self._killed = True
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            _log.error("a worker process died: %s", how)
            raise WorkerDiedError(f"The process that read the recording died ({how}).") from None

    @staticmethod
    def _result(reply: Message) -> Mapping[str, float]:
        if "error" not in reply.fields:
            return reply.fields
        name = reply.fields["error"]
        kind: type[EmotoneError] = getattr(errors, name, getattr(service_errors, name, EmotoneError))
        # Some of these classes make their message themselves; this one is made already.
        error = kind.__new__(kind)
        Exception.__init__(error, reply.fields["message"])
        raise error


class WorkerPool:
    """Processes that wait for work; started when they are needed, with two in reserve. Safe to share between threads.

    Args:
        model: a model file; None for the shipped one.
        most: processes at the same time.
        nice: how much lower their priority is.
    """

    def __init__(self, model: Path | None, most: int, nice: int = 0) -> None:
        self._model, self._most, self._nice = model, most, nice
        self._most_idle = most // 2 + 1
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._n_taken = 0
        self._closed = self._retired = False

    def start(self) -> None:
        """Start a first process and wait until it is ready.

        Raises:
            ModelFileError: the model cannot be used.
        """
        process = self.take()
        try:
            process.wait_until_ready()
        finally:
            self.give_back(process)

    def take(self) -> WorkerProcess:
        """A process for one task; `give_back` follows."""
        with self._lock:
            self._n_taken += 1
            while self._idle and not self._idle[-1].alive:
                self._idle.pop().close()
            process = self._idle.pop() if self._idle else WorkerProcess(self._model, self._nice)
            self._keep_reserve()
            return process

    def give_back(self, process: WorkerProcess) -> None:
        """Let others use a process; one that is dead is replaced where it would be the last."""
        with self._lock:
            self._n_taken -= 1
            if process.alive and not self._closed and len(self._idle) < self._most_idle:
                self._idle.append(process)
            else:
                process.close()
            self._keep_reserve()

    def reserve(self) -> None:
        """Start processes for the next tasks where few are idle, so that they need not wait for the model."""
        with self._lock:
            self._keep_reserve()

    def retire(self) -> None:
        """Start no more processes in reserve, since the service shuts down; running tasks continue."""
        self._retired = True

    def _keep_reserve(self) -> None:
        """Start processes before they are needed: on a busy machine, loading the model takes seconds."""
        while not (self._closed or self._retired) and len(self._idle) < min(_RESERVE, self._most - self._n_taken):
            self._idle.insert(0, WorkerProcess(self._model, self._nice))

    def close(self) -> None:
        """End the idle processes; those that are taken end when they are given back."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()


class Work:
    """A task that one thread does and any other may cancel.

    Attributes:
        begun: when, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.begun = monotonic()
        self._process: WorkerProcess | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Kill the process that does it, or will do it."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()

    def recognize(
        self, pool: WorkerPool, task: Task, recording: BinaryIO, progress: Progress | None, extras: Sequence[ExtraFile]
    ) -> Answer:
        """Do it in a process of a pool; for arguments and errors see `WorkerProcess.recognize`."""
        process = pool.take()
        try:
            self._process = process
            if self._cancelled:
                process.kill()
            return process.recognize(task, recording, progress, extras)
        finally:
            pool.give_back(process)


def own_handle(upload: BinaryIO) -> BinaryIO:
    """A second handle on an upload, at its start, for a thread that may outlast the request."""
    upload.seek(0)
    if isinstance(upload, io.BytesIO):
        return io.BytesIO(upload.getbuffer())
    return os.fdopen(os.dup(upload.fileno()), "rb")
