"""API keys: stored as hashes and compared in constant time.

A key is 256 random bits, so one round of SHA-256 is enough to hide it. The file of keys has one line per caller,
`name:hash`, as `emotone serve --new-key NAME` prints it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emotone.service.errors import KeyFileError, UnauthorizedError

_LINE = re.compile(r"([\w.@-]{1,64}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One caller.

    Attributes:
        name: of the caller, for logs and as the owner of jobs.
        digest: SHA-256 of the key, in hex.
    """

    name: str
    digest: str


def new_key(name: str) -> tuple[str, ApiKey]:
    """A new key, and what to store of it.

    Args:
        name: letters, digits and `. @ - _`, at most 64.
    Raises:
        KeyFileError: the name is not valid in a file of keys.
    """
    key = secrets.token_urlsafe(32)
    stored = ApiKey(name, _digest(key))
    if not _LINE.fullmatch(f"{stored.name}:{stored.digest}"):
        raise KeyFileError(f"{name!r} is not a valid name for a key; expected up to 64 letters, digits and . @ - _")
    return key, stored


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys in a file; empty lines and lines that start with `#` are skipped.

    Raises:
        KeyFileError: the file cannot be read, has an invalid line, or no key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"cannot read the keys in {path}: {error}") from error
    keys = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise KeyFileError(
                f"{path}:{number} is not a key; expected name:hash, as `emotone serve --new-key` prints it"
            )
        keys.append(ApiKey(match[1], match[2]))
    if not keys:
        # A file that was emptied by mistake must not open the service to everybody.
        raise KeyFileError(f"{path} has no keys; add one that `emotone serve --new-key NAME` prints")
    return tuple(keys)


def check_key(keys: Iterable[ApiKey], given: str | None) -> str:
    """The name of the caller that a key belongs to.

    Args:
        keys: the known ones.
        given: what the caller sent; None for nothing.
    Raises:
        UnauthorizedError: no key was sent, or an unknown one.
    """
    if given is None:
        raise UnauthorizedError("An API key is required. Send it as `Authorization: Bearer KEY`.")
    digest = _digest(given)
    found = ""
    # Every key is compared, so that the time does not reveal the position of the right one.
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key.name
    if not found:
        raise UnauthorizedError("Unknown API key. Send a valid one as `Authorization: Bearer KEY`.")
    return found


def bearer(authorization: str | None) -> str | None:
    """The key in an `Authorization` header; None without one.

    >>> bearer("Bearer abc")
    'abc'
    """
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
