"""The disk: its errors as errors of the service, and folders that only their owner can enter."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emotone.errors import OutputError
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


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}; name another with --data-dir") from error
