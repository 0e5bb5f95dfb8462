"""Failed writes to standard output, such as to a full disk, as an `OutputError`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from emotone.cli.terminal import abandon_stdout
from emotone.errors import OutputError


@contextmanager
def printing() -> Iterator[None]:
    """A context for printing results; on leaving it everything has been written.

    Raises:
        OutputError: it could not be written. A closed pipe stays a BrokenPipeError.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise OutputError(f"cannot write to standard output: {error.strerror or error}") from error
