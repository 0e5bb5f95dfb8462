"""A limit on the disk space of all jobs together."""

from __future__ import annotations

from threading import RLock

from emotone.service.errors import BusyError

RETRY_JOBS_S = 30
"""Seconds after which to retry when there is no room for another job."""


class DiskSpace:
    """Bytes that the recordings of jobs take, including those that are being received. Safe to share between threads.

    Args:
        limit: the most.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = RLock()

    def add(self, n_bytes: int) -> None:
        """Count bytes that are used, or no longer used if negative."""
        with self._lock:
            self.used += n_bytes

    def claim(self, n_bytes: int) -> None:
        """Count bytes that are about to be used.

        Raises:
            BusyError: there is not so much room.
        """
        with self._lock:
            if self.used + n_bytes > self.limit:
                raise BusyError(
                    f"Jobs use too much disk space (limit: {self.limit:,} bytes). Retry in {RETRY_JOBS_S} s.",
                    RETRY_JOBS_S,
                )
            self.used += n_bytes
