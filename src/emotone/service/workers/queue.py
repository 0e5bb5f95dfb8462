"""Recordings that are answered at once: how many are recognised at the same time, and who waits.

Conventions: a recording that has taken longer than `_SHORT_S` is a long one. It continues, but gives its place to the
next one that waits, so that a short recording does not wait behind long ones. At most `max_running` long ones run
beside `max_running` others.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import BinaryIO

from emotone.service.errors import BusyError, ShuttingDownError
from emotone.service.requests.extras import ExtraFile
from emotone.service.workers.process import Answer, CancelledWorkError, Work, WorkerPool, own_handle
from emotone.service.workers.recognition import Task

_SHORT_S = 0.5
_SMOOTHING = 0.1
_STALLED_S = 5.0


class _Work(Work):
    """One recording that is being recognised; a long one has given its place to the next."""

    is_long = False


class RecognitionQueue:
    """Runs tasks in worker processes. Its methods are called in the event loop.

    Args:
        pool: the processes.
        max_running: recordings at the same time, without the long ones.
        max_waiting: length of the queue.
    """

    def __init__(self, pool: WorkerPool, max_running: int, max_waiting: int) -> None:
        self.max_running, self.max_waiting = max_running, max_waiting
        self._pool = pool
        self._waiting: deque[tuple[asyncio.Future[_Work], float]] = deque()
        self._running: set[_Work] = set()
        self._draining = False
        self._mean_s = 0.05
        self._threads = ThreadPoolExecutor(2 * max_running, "recognition")

    @property
    def running(self) -> int:
        """Recordings that are being recognised."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    @property
    def stalled(self) -> bool:
        """Whether a new request would wait for long: the queue is full, or does not move."""
        if self.waiting >= self.max_waiting:
            return True
        return bool(self._waiting) and monotonic() - self._waiting[0][1] > _STALLED_S

    def check_open(self) -> None:
        """Check that the service is not shutting down.

        Raises:
            ShuttingDownError: it is.
        """
        if self._draining:
            raise ShuttingDownError

    def check_place(self) -> None:
        """Refuse early, before its body is read, what would find the queue full.

        Raises:
            BusyError: with the time that the queue will take.
            ShuttingDownError: the service ends.
        """
        self.check_open()
        if self.waiting >= self.max_waiting:
            wait_s = max(1, math.ceil(self._mean_s * self.waiting / self.max_running))
            raise BusyError(f"Too many waiting requests (limit: {self.max_waiting}). Retry in {wait_s} s.", wait_s)

    async def run(self, task: Task, recording: BinaryIO, extras: Sequence[ExtraFile] = ()) -> Answer:
        """Do a task when its turn comes. Where the caller is cancelled, the process is killed.

        Args:
            task: what to do.
            recording: may be closed as soon as this returns or raises.
            extras: files that belong to it.
        Raises:
            EmotoneError: the recording cannot be used.
            BusyError: the queue is full.
            TimeLimitError: the work took too long; the wait for its turn does not count.
            ShuttingDownError: the service ends.
        """
        self.check_place()
        work = await self._turn()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_SHORT_S, self._make_room)
        done = loop.run_in_executor(self._threads, self._work, work, task, own_handle(recording), extras)
        done.add_done_callback(lambda done: self._end(work, done))
        try:
            # Shielded: the place is free once the thread has ended, not before.
            return await asyncio.shield(done)
        except CancelledWorkError:
            raise ShuttingDownError from None
        except asyncio.CancelledError:
            work.cancel()
            raise
        finally:
            timer.cancel()

    def drain(self) -> None:
        """Refuse those that wait and those that come; let what runs go on."""
        self._draining = True
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(ShuttingDownError())

    def cancel_all(self) -> None:
        """Kill what runs."""
        for work in self._running:
            work.cancel()

    def close(self) -> None:
        """Wait for the threads; what runs was cancelled before."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _turn(self) -> _Work:
        turn: asyncio.Future[_Work] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, monotonic()))
        self._make_room()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._end(turn.result())
            raise

    def _make_room(self) -> None:
        """Let recordings that run for long give their places to those that wait."""
        n_long = sum(work.is_long for work in self._running)
        for work in sorted(self._running, key=lambda one: one.begun):
            if n_long < self.max_running and not work.is_long and monotonic() - work.begun >= _SHORT_S - 0.01:
                work.is_long = True
                n_long += 1
                self._pool.reserve()
        while self._waiting and len(self._running) - n_long < self.max_running:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                work = _Work()
                self._running.add(work)
                turn.set_result(work)

    def _end(self, work: _Work, done: asyncio.Future[Answer] | None = None) -> None:
        if done is not None and not done.cancelled():
            done.exception()  # known to the caller, or no longer needed
        self._running.discard(work)
        self._mean_s += _SMOOTHING * (monotonic() - work.begun - self._mean_s)
        self._make_room()

    def _work(self, work: _Work, task: Task, handle: BinaryIO, extras: Sequence[ExtraFile]) -> Answer:
        with handle:
            return work.recognize(self._pool, task, handle, None, extras)
