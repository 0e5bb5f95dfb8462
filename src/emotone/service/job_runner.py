"""Runs the jobs, in worker processes of low priority, for as long as the service runs.

Conventions: one job at a time, oldest first. Where the running jobs have taken longer than `_SHORT_S`, the oldest short
job (a small recording) runs beside them, so that it does not wait until they have ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from emotone.errors import EmotoneError
from emotone.service.context import ServiceContext
from emotone.service.errors import JobNotFoundError, StorageError
from emotone.service.jobs.job import Job
from emotone.service.problems import problem_of
from emotone.service.requests.settings import RecognitionSettings
from emotone.service.workers.process import CancelledWorkError, Work
from emotone.service.workers.recognition import Task

_log = logging.getLogger("emotone.service")

_TIDY_EVERY_S = 600.0
_RETRY_S = 10.0
_SHORT_S = 2.0
MAX_JOBS_AT_ONCE = 3


class _Run(Work):
    """A job that runs."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.progress: tuple[float, float | None] = (0.0, None)

    def set_progress(self, done_s: float, declared_s: float | None) -> None:
        self.progress = done_s, declared_s


class JobRunner:
    """Started by `start`, ended by `stop`, which puts running jobs back for the next start.

    Args:
        context: of the service.
    """

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._runs: dict[str, _Run] = {}
        self._threads: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Run the jobs from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Look for a new job."""
        self._wake.set()

    def cancel(self, job_id: str) -> None:
        """End a job that was deleted, if it runs."""
        if (run := self._runs.get(job_id)) is not None:
            run.cancel()

    def progress(self, job_id: str) -> tuple[float, float | None]:
        """Seconds of a running job's recording that were decoded, and its declared duration."""
        run = self._runs.get(job_id)
        return (0.0, None) if run is None else run.progress

    def begin_stop(self) -> None:
        """Start no more jobs, and kill those that run; they are put back."""
        self._stopping.set()
        self._wake.set()
        for run in list(self._runs.values()):
            run.cancel()

    def stop(self) -> None:
        """Stop, and wait until running jobs are put back."""
        self.begin_stop()
        self._thread.join()
        for run in list(self._runs.values()):
            run.cancel()
        for thread in list(self._threads):
            thread.join()

    def _work(self) -> None:
        tidied = 0.0
        while True:
            # Cleared before anything is read: a later change sets it again.
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                if time.monotonic() - tidied > _TIDY_EVERY_S:
                    self._context.jobs.delete_before(time.time() - self._context.options.job_retention_s)
                    tidied = time.monotonic()
                job = self._next()
            except StorageError:
                # Jobs wait until the disk works again; nothing else would wake this thread.
                self._wake.wait(_RETRY_S)
                continue
            if job is None:
                self._wake.wait(_SHORT_S if self._runs else _TIDY_EVERY_S)
                continue
            run = self._runs[job.id] = _Run(job)
            thread = threading.Thread(target=self._do, args=(run,), name="job", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _next(self) -> Job | None:
        runs = list(self._runs.values())
        if not runs:
            return self._context.jobs.begin()
        newest = max(run.begun for run in runs)
        if len(runs) >= MAX_JOBS_AT_ONCE or time.monotonic() - newest < _SHORT_S:
            return None
        return self._context.jobs.begin(self._context.options.short_job_bytes)

    def _do(self, run: _Run) -> None:
        job = run.job
        try:
            self._keep(self._outcome(run))
        finally:
            del self._runs[job.id]
            self._threads.discard(threading.current_thread())
            self._wake.set()
        seconds = round(time.monotonic() - run.begun, 3)
        _log.info("job", extra={"fields": {"job": job.id[:6], "seconds": seconds}})

    def _outcome(self, run: _Run) -> Callable[[], None]:
        """Do a job, and return what writes down how it ended."""
        context, job = self._context, run.job
        try:
            task = Task(
                RecognitionSettings.model_validate(job.settings),
                "json",
                context.options.max_job_duration_s,
                context.options.job_timeout_s,
            )
            with (context.jobs.uploads / job.upload).open("rb") as file:
                # The service may have begun to stop before this run was known to it.
                if self._stopping.is_set():
                    run.cancel()
                extras = context.jobs.extras(job.upload)
                answer = run.recognize(context.job_workers, task, file, run.set_progress, extras)
        except CancelledWorkError:
            # Where the job was deleted this changes nothing.
            return partial(context.jobs.put_back, job)
        except FileNotFoundError:
            return partial(context.jobs.finish, job, problem=problem_of(JobNotFoundError("The job was deleted.")))
        except Exception as error:
            if not isinstance(error, EmotoneError):
                _log.exception("job failed")
            return partial(context.jobs.finish, job, problem=problem_of(error))
        context.metrics.recognition_seconds.observe(answer.seconds)
        context.metrics.audio_seconds.inc(answer.duration_s)
        return partial(context.jobs.finish, job, result=answer.text)

    def _keep(self, write: Callable[[], None]) -> None:
        """Write down how a job ended; retry while the disk is full, since to recognise it again would cost more.

        Where the service ends before, the job still counts as running, and is started again with the service.
        """
        while True:
            try:
                write()
            except StorageError:
                if self._stopping.wait(_RETRY_S):
                    return
            else:
                return
