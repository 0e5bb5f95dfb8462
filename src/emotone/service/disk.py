"""What the disk refuses, told as a refusal of the service."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from emotone.service.errors import StorageError

_log = logging.getLogger("emotone.service")

_REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


@contextmanager
def writing() -> Iterator[None]:
    """While something is written, or read from the database of the jobs.

    Raises:
        StorageError: the disk is full, read-only or broken, or the database is. The log says which.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, OSError) and error.errno not in _REFUSALS:
            raise
        _log.error("the disk refuses: %s", error)
        raise StorageError("the disk of the service is full or cannot be written; come again later") from error
