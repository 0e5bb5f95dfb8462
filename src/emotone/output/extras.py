"""Libraries of the optional extras: whether they are installed, without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from emotone.errors import MissingExtraError


def require_library(library: str, what: str, extra: str) -> None:
    """Check that a library is installed.

    Args:
        library: its import name, such as "pyannote.core".
        what: that needs it, for the message.
        extra: that installs it.
    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        found = find_spec(library)
    except ModuleNotFoundError:  # a package in a package that is not there
        found = None
    if found is None:
        raise MissingExtraError(what, extra)
