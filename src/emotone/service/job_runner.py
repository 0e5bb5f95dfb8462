"""One thread that does the jobs, one after the other, for as long as the service runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from emotone.errors import EmotoneError
from emotone.service.context import RecognitionSettings, ServiceContext
from emotone.service.errors import JobNotFoundError, StorageError, TimeLimitError
from emotone.service.jobs import Job
from emotone.service.problems import problem_of

_log = logging.getLogger("emotone.service")

_TIDY_EVERY_S = 600.0
_TRY_AGAIN_S = 10.0


class JobRunner:
    """Begins with `start`, ends with `stop`: what runs then waits again for the next start.

    Args:
        context: whose jobs and recognizer.
    """

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._cancelled = threading.Event()
        self._current: Job | None = None
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Do the jobs from now on."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def cancel(self, job_id: str) -> None:
        """End a job that was deleted, if it is the one that runs."""
        if self._current is not None and self._current.id == job_id:
            self._cancelled.set()

    def stop(self) -> None:
        """End soon; the job that runs is put back."""
        self._stopping.set()
        self._cancelled.set()
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        tidied = 0.0
        while True:
            # Cleared before all that is looked at: what changes afterwards sets it again, and is not slept through.
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                if time.monotonic() - tidied > _TIDY_EVERY_S:
                    self._context.jobs.forget_before(time.time() - self._context.options.job_retention_s)
                    tidied = time.monotonic()
                job = self._context.jobs.begin()
            except StorageError:
                # Jobs wait until the disk is better; nothing else would wake this thread.
                self._wake.wait(_TRY_AGAIN_S)
                continue
            if job is None:
                self._wake.wait(_TIDY_EVERY_S)
                continue
            self._do(job)

    def _do(self, job: Job) -> None:
        store, options = self._context.jobs, self._context.options
        self._cancelled.clear()
        self._current = job
        # Between the two lines above the service may have begun to stop.
        if self._stopping.is_set():
            self._cancelled.set()
        begun = time.monotonic()
        try:
            with (store.uploads / job.upload).open("rb") as file:
                reply = self._context.judge(
                    file,
                    RecognitionSettings(**job.settings),
                    self._cancelled,
                    max_duration_s=options.max_job_duration_s,
                    timeout_s=options.job_timeout_s,
                )
            keep = partial(store.finish, job, result=reply.model_dump_json())
        except FileNotFoundError:
            # Deleted while it waited for its turn.
            keep = partial(store.finish, job, problem=problem_of(JobNotFoundError("the job was deleted")))
        except Exception as error:
            if isinstance(error, TimeLimitError) and self._stopping.is_set():
                keep = partial(store.put_back, job)
            else:
                if not isinstance(error, EmotoneError):
                    _log.exception("job failed")
                keep = partial(store.finish, job, problem=problem_of(error))
        finally:
            self._current = None
        self._insist(keep)
        _log.info("job", extra={"fields": {"job": job.id[:6], "seconds": round(time.monotonic() - begun, 3)}})

    def _insist(self, keep: Callable[[], None]) -> None:
        """Write down how a job ended, again and again while the disk is full: to judge it anew would cost more.

        Where the service ends before, the job still counts as running, and is begun again at the next start.
        """
        while True:
            try:
                keep()
            except StorageError:
                if self._stopping.wait(_TRY_AGAIN_S):
                    return
            else:
                return
