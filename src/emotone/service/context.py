"""What all routes of one service share: options, model, worker processes, jobs, limits and metrics."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

from emotone.listening.recognizer import Recognizer
from emotone.service.access.limits import Counter, SocketPlaces
from emotone.service.jobs.store import JobStore
from emotone.service.metrics import Metrics
from emotone.service.options import ServiceOptions
from emotone.service.workers.process import WorkerPool
from emotone.service.workers.queue import RecognitionQueue

JOB_NICENESS = 5


class ServiceContext:
    """The state of a service.

    Args:
        options: of the service.
        recognizer: for live streams; worker processes load their own.
        jobs: the stored jobs.
        workers: processes for recordings that are answered at once.
        job_workers: processes for jobs.
    """

    def __init__(
        self,
        options: ServiceOptions,
        recognizer: Recognizer,
        jobs: JobStore,
        workers: WorkerPool,
        job_workers: WorkerPool,
    ) -> None:
        self.options = options
        self.recognizer = recognizer
        self.jobs = jobs
        self.metrics = Metrics()
        self.workers = workers
        self.job_workers = job_workers
        self.queue = RecognitionQueue(workers, options.max_running, options.max_waiting)
        self.receiving = Counter("uploads", options.max_receiving)
        self.arriving = SocketPlaces("live streams that have not begun", options.max_receiving, 1.0)
        self.streams = SocketPlaces("live streams", options.max_streams, 5.0)
        self.hosts = frozenset(options.hosts)
        self.n_active = 0
        self.ending = asyncio.Event()
        self.on_drain: Callable[[], None] = lambda: None

    @property
    def draining(self) -> bool:
        """Whether the service shuts down."""
        return self.ending.is_set()

    def drain(self) -> None:
        """Refuse what waits and what comes; end live streams and jobs; let the rest finish."""
        if not self.draining:
            self.ending.set()
            self.queue.drain()
            self.workers.retire()
            self.job_workers.retire()
            self.on_drain()

    def recognizer_with(self, threshold: float | None) -> Recognizer:
        """The recognizer with another threshold; the network is shared."""
        if threshold is None:
            return self.recognizer
        recognizer = copy.copy(self.recognizer)
        recognizer.unsure_threshold = threshold
        return recognizer
