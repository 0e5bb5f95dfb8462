"""Who may call: keys that are stored as hashes and compared in constant time.

A key is 256 random bits, so that one round of SHA-256 hides it: there is nothing to guess. The file of keys has one
line a caller, `name:hash`; `emotone serve --new-key NAME` makes one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emotone.errors import OutputError
from emotone.service.errors import KeyFileError, UnauthorizedError

_LINE = re.compile(r"([\w.@-]{1,64}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One caller.

    Attributes:
        name: who it is, for logs and for whose job is whose.
        digest: SHA-256 of the key, in hex.
    """

    name: str
    digest: str


def new_key(name: str) -> tuple[str, ApiKey]:
    """A fresh key and what to store of it.

    Args:
        name: letters, digits and `. @ - _`, at most 64.
    Raises:
        KeyFileError: the name cannot stand in a file of keys.
    """
    key = secrets.token_urlsafe(32)
    stored = ApiKey(name, _digest(key))
    if not _LINE.fullmatch(f"{stored.name}:{stored.digest}"):
        raise KeyFileError(f"{name!r} cannot be a key's name; expected up to 64 letters, digits and . @ - _")
    return key, stored


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys in a file; empty lines and lines that start with `#` are left out.

    Raises:
        KeyFileError: the file cannot be read, holds a line that is no key, or none at all.
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
            raise KeyFileError(f"{path}:{number} is no key; expected name:hash, as `emotone serve --new-key` prints it")
        keys.append(ApiKey(match[1], match[2]))
    if not keys:
        # A file that was emptied by mistake must not open the door to everybody.
        raise KeyFileError(f"{path} holds no key; add one that `emotone serve --new-key NAME` prints")
    return tuple(keys)


def check_key(keys: Iterable[ApiKey], given: str | None) -> str:
    """The name of the caller who holds a key.

    Args:
        keys: those that open.
        given: what the caller sent; None for nothing.
    Raises:
        UnauthorizedError: nothing was sent, or no such key.
    """
    if given is None:
        raise UnauthorizedError("this service wants a key: send it as `Authorization: Bearer KEY`")
    digest = _digest(given)
    found = ""
    # Every key is compared, so that the time says nothing of where in the list the right one stands.
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key.name
    if not found:
        raise UnauthorizedError("no such key; send one as `Authorization: Bearer KEY`")
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


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone may enter.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}; name another with --data-dir") from error
