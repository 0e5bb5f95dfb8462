"""Standard output that cannot be written, because the disk behind it is full, as an error of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from emotone.cli.terminal import abandon_stdout
from emotone.errors import OutputError


@contextmanager
def printing() -> Iterator[None]:
    """For what prints results: all of it has gone out when this is left.

    Raises:
        OutputError: it could not be written. A reader that went away stays a BrokenPipeError.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise OutputError(f"cannot write to standard output: {error.strerror or error}") from error
