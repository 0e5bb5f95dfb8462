"""Errors of the disk as errors of the service."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from emotone.service.errors import StorageError

_log = logging.getLogger("emotone.service")

_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


@contextmanager
def writing() -> Iterator[None]:
    """Around writes, and reads from the database of the jobs.

    Raises:
        StorageError: the disk is full, read-only or broken, or the database is. The log says which.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, OSError) and error.errno not in _DISK_ERRORS:
            raise
        _log.error("disk error: %s", error)
        raise StorageError("The disk of the service is full or cannot be written. Retry later.") from error
