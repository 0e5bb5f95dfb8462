"""Places to work in, and a queue before them that has an end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Event
from time import monotonic
from typing import BinaryIO, TypeVar

from emotone.service.errors import BusyError, TimeLimitError

_Result = TypeVar("_Result")

_SMOOTHING = 0.1


class Counter:
    """Places of one kind: whoever finds none free is told to come again.

    Args:
        what: is limited, for the message.
        places: how many there are.
    """

    def __init__(self, what: str, places: int) -> None:
        self.what = what
        self.places = places
        self.taken = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One place, for as long as the context lasts.

        Raises:
            BusyError: none is free.
        """
        if self.taken >= self.places:
            raise BusyError(f"{self.places} {self.what} are the most at a time; come again soon", 1)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class RecognitionQueue:
    """Threads that judge recordings, and a queue before them.

    Args:
        max_running: threads.
        max_waiting: length of the queue.
    """

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self.max_running = max_running
        self.max_waiting = max_waiting
        self.running = 0
        self.waiting = 0
        self._mean_s = 0.05
        self._free = asyncio.Semaphore(max_running)
        self._threads = ThreadPoolExecutor(max_running, "recognition")

    def check_place(self) -> None:
        """Refuse early what would find the queue full, before its body is read.

        Raises:
            BusyError: with the time that the queue will take.
        """
        if self.waiting >= self.max_waiting:
            wait_s = self._mean_s * self.waiting / self.max_running
            raise BusyError(f"{self.max_waiting} requests wait already; come again", max(1, math.ceil(wait_s)))

    async def do(self, work: Callable[[Event], _Result], timeout_s: float) -> _Result:
        """Do work in a thread, when its turn comes.

        Work that runs too long is told to end by the event it is given; its place is free when it has ended.

        Args:
            work: what to do.
            timeout_s: for the work, without the wait.
        Raises:
            BusyError: the queue is full.
            TimeLimitError: the work took too long.
        """
        self.check_place()
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        cancelled, begun = Event(), monotonic()

        def free(_: object) -> None:
            self.running -= 1
            self._mean_s += _SMOOTHING * (monotonic() - begun - self._mean_s)
            self._free.release()

        future = asyncio.get_running_loop().run_in_executor(self._threads, work, cancelled)
        future.add_done_callback(free)
        try:
            # Shielded, so that the thread's place is freed by the thread alone.
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError:
            future.add_done_callback(_forget)
            raise TimeLimitError(
                f"not judged within {timeout_s:g} s; send a shorter recording, or make it a job (/v1/jobs)"
            ) from None
        finally:
            cancelled.set()

    def close(self) -> None:
        """Let the threads go when what runs has ended."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _forget(future: asyncio.Future[_Result]) -> None:
    if not future.cancelled():
        future.exception()


class Deadline:
    """Says when work must end: it was cancelled, or its time is over.

    Args:
        cancelled: set by whoever cancels.
        timeout_s: from now on.
    """

    def __init__(self, cancelled: Event, timeout_s: float) -> None:
        self._cancelled = cancelled
        self._timeout_s = timeout_s
        self._until = monotonic() + timeout_s

    def check(self) -> None:
        """Nothing happens while work may go on.

        Raises:
            TimeLimitError: it must end.
        """
        if self._cancelled.is_set() or monotonic() > self._until:
            raise TimeLimitError(f"not judged within {self._timeout_s:g} s; send a shorter recording")


class CancellableFile:
    """A recording on disk that stops being readable when its work must end.

    Args:
        file: opened for reading.
        name: what messages call it; never the client's name for it.
        deadline: says when.
    """

    def __init__(self, file: BinaryIO, name: str, deadline: Deadline) -> None:
        self.name = name
        self._file = file
        self._watch = deadline

    def read(self, size: int = -1) -> bytes:
        """As a file's.

        Raises:
            TimeLimitError: its time is over.
        """
        self._watch.check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True
