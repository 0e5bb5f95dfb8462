"""Behind a reverse proxy: the path that the service appears under, and what named proxies say of the client.

`X-Forwarded-…` headers are believed only from the addresses in `ServiceOptions.trusted_proxies`; anybody can send them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

Network = IPv4Network | IPv6Network

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix")
_PREFIX = re.compile(r"(/[\w.~-]+)+")


def network_of(word: str) -> Network:
    """An address, or a network such as `10.0.0.0/8`.

    Raises:
        ValueError: it is neither.
    """
    return ip_network(word, strict=False)


def root_path_of(word: str) -> str:
    """A path to appear under, without a slash at its end; empty for none.

    >>> root_path_of("/emotone/"), root_path_of("/")
    ('/emotone', '')

    Raises:
        ValueError: it is not a path such as `/emotone`.
    """
    path = word.rstrip("/")
    if path and not _PREFIX.fullmatch(path):
        raise ValueError(f"{word!r} is not a path such as /emotone")
    return path


def apply_proxy(scope: Scope, root_path: str, trusted: Iterable[Network]) -> None:
    """Make a scope what the client asked for: its host, scheme and path.

    A proxy may remove the root path or leave it; both work. `scope["forwarded"]` says whether a proxy, trusted or not,
    passed the request on.

    Args:
        scope: of a request or a stream; is changed.
        root_path: from the options; a trusted proxy may give another as `X-Forwarded-Prefix`.
        trusted: addresses of proxies.
    """
    headers = Headers(scope=scope)
    scope["forwarded"] = any(name in headers for name in _FORWARDED)
    if scope["forwarded"] and _is_trusted(scope, trusted):
        if host := _last(headers.get("x-forwarded-host")):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode("latin-1")), *others]
        if (scheme := _last(headers.get("x-forwarded-proto"))) in ("http", "https"):
            scope["scheme"] = scheme if scope["type"] == "http" else scheme.replace("http", "ws")
        prefix = (headers.get("x-forwarded-prefix") or "").rstrip("/")
        if _PREFIX.fullmatch(prefix):
            root_path = prefix
    if not root_path:
        return
    scope["root_path"] = root_path
    if scope["path"] != root_path and not scope["path"].startswith(f"{root_path}/"):
        scope["path"] = root_path + scope["path"]
        scope["raw_path"] = root_path.encode() + scope.get("raw_path", b"")


def route_path(scope: Scope) -> str:
    """The path of a scope without the root path."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path


def _is_trusted(scope: Scope, trusted: Iterable[Network]) -> bool:
    try:
        address = ip_address(scope["client"][0])
    except (TypeError, ValueError):
        return False
    return any(address in network for network in trusted)


def _last(value: str | None) -> str:
    """What the nearest proxy added to a list of values."""
    return (value or "").rpartition(",")[2].strip()
