"""Limits on what happens at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from emotone.service.errors import BusyError

_ACTIVE_BYTES = 500
"""So many bytes show that a live stream is used: a second of sound in the most compressed formats."""


class Counter:
    """A limit on how much of one kind happens at the same time.

    Args:
        what: is limited, in the plural, for the message.
        places: the limit.
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
            raise BusyError(f"Too many concurrent {self.what} (limit: {self.places}). Retry in 1 s.", 1)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


class SocketPlace:
    """The place of one socket among `SocketPlaces`."""

    def __init__(self) -> None:
        self.active_at = monotonic()
        self.evicted = False
        self._task = asyncio.current_task()
        self._n_bytes = 0

    def received(self, n_bytes: int) -> None:
        """The client has sent something; a byte now and then does not count as use."""
        self._n_bytes += n_bytes
        if self._n_bytes >= _ACTIVE_BYTES:
            self._n_bytes = 0
            self.active_at = monotonic()

    def evict(self) -> None:
        """End the socket's task."""
        self.evicted = True
        if self._task is not None:
            self._task.cancel()


class SocketPlaces:
    """A limit on sockets. Where all places are taken, a newcomer takes that of the socket that is idle longest.

    Args:
        what: is limited, in the plural, for the message.
        places: the limit.
        idle_s: a socket is idle when it has sent nothing for so long.
    """

    def __init__(self, what: str, places: int, idle_s: float) -> None:
        self.what = what
        self.places = places
        self._idle_s = idle_s
        self._sockets: set[SocketPlace] = set()

    @property
    def taken(self) -> int:
        """Places that are taken."""
        return len(self._sockets)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[SocketPlace]:
        """One place, for as long as the context lasts.

        Raises:
            BusyError: none is free and no socket is idle; or, inside, a newcomer took this one, which was idle.
        """
        if len(self._sockets) >= self.places:
            longest = min(self._sockets, key=lambda one: one.active_at)
            if monotonic() - longest.active_at < self._idle_s:
                raise BusyError(f"Too many concurrent {self.what} (limit: {self.places}). Retry in 1 s.", 1)
            self._sockets.discard(longest)
            longest.evict()
        place = SocketPlace()
        self._sockets.add(place)
        try:
            yield place
        except asyncio.CancelledError:
            if not place.evicted:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            raise BusyError(
                f"Too many concurrent {self.what} (limit: {self.places}); this one was idle. Retry in 1 s.", 1
            ) from None
        finally:
            self._sockets.discard(place)
