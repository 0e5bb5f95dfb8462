"""What every request passes on its way in, and every response on its way out."""

from __future__ import annotations

import logging
import secrets
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emotone.service.access import bearer, check_key
from emotone.service.context import ServiceContext
from emotone.service.errors import ForbiddenError, HeadTooLargeError, RequestError
from emotone.service.problems import respond_to, respond_to_unforeseen

_log = logging.getLogger("emotone.access")

_SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cache-control": "no-store",
}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# A client may make up any method; each would be a line of the figures for ever.
_METHODS = _READING | {"POST", "DELETE", "PUT", "PATCH"}
_MAX_HEAD_BYTES = 16_384
_MAX_HEAD_LINES = 100
_WANTS_KEY = ("/v1/", "/metrics")


def page_policy(nonce: str) -> str:
    """The content security policy of a page: nothing but what this service sends.

    wavesurfer.js writes a `<style>` (hence the nonce), decodes from blobs, and draws spectrograms in a worker.
    """
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; "
        "media-src blob:; connect-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


class ServiceMiddleware:
    """ASGI middleware: hosts, origins, keys, headers, log and figures.

    Args:
        app: behind it.
        context: of the service; taken from the application's state at each request, since it is made when it starts.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context: ServiceContext = scope["app"].state.context
        begun, status, sent, started = monotonic(), 500, 0, False
        request_id = secrets.token_hex(8)

        async def send_safely(message: Message) -> None:
            nonlocal status, sent, started
            if message["type"] == "http.response.start":
                started = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = request_id
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        try:
            try:
                _check_head(scope)
                scope["caller"] = authorize(context, scope, Headers(scope=scope))
            except RequestError as refusal:
                await respond_to(refusal)(scope, receive, send_safely)
            else:
                await self.app(scope, receive, send_safely)
        except Exception as error:
            # Here, where the answer still gets its safe headers; Starlette's own place for it lies outside.
            if started:
                raise
            await respond_to_unforeseen(error)(scope, receive, send_safely)
        finally:
            route = getattr(scope.get("route"), "path", None) or "other"
            seconds = monotonic() - begun
            method = scope["method"] if scope["method"] in _METHODS else "other"
            context.metrics.requests.labels(method, route, str(status)).inc()
            context.metrics.request_seconds.labels(route).observe(seconds)
            fields: dict[str, Any] = {
                "request": request_id,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(1000 * seconds, 1),
                "sent": sent,
            }
            if scope.get("caller"):
                fields["caller"] = scope["caller"]
            _log.info("request", extra={"fields": fields})


def authorize(context: ServiceContext, scope: Scope, headers: Headers, *, with_key: bool = True) -> str:
    """Whether a request may go on, and whose it is.

    Args:
        context: of the service.
        scope: of the request.
        headers: of the request.
        with_key: whether a key must be among the headers where the service wants one.
    Returns:
        the name of the key's owner; empty where none is wanted.
    Raises:
        ForbiddenError: another host's name, or another page's origin.
        UnauthorizedError: no key, or a wrong one.
    """
    options = context.options
    host = headers.get("host", "")
    if "*" not in context.hosts and _name_of(host) not in context.hosts:
        raise ForbiddenError(f"this service does not answer to the host {host[:80]!r}")
    origin = headers.get("origin")
    writes = scope["type"] == "websocket" or scope["method"] not in _READING
    if origin and writes and origin not in options.cors_origins and _host_of(origin) != host:
        raise ForbiddenError(f"pages of {origin[:80]!r} may not call this service; name it with --cors-origin")
    if not options.api_keys or not with_key or not scope["path"].startswith(_WANTS_KEY):
        return ""
    if scope.get("method") == "OPTIONS":
        return ""
    return check_key(options.api_keys, bearer(headers.get("authorization")) or headers.get("x-api-key"))


def _check_head(scope: Scope) -> None:
    lines = scope["headers"]
    n_bytes = sum(len(name) + len(value) for name, value in lines) + len(scope["query_string"]) + len(scope["raw_path"])
    if len(lines) > _MAX_HEAD_LINES or n_bytes > _MAX_HEAD_BYTES:
        raise HeadTooLargeError(
            f"{len(lines)} lines and {n_bytes:,} bytes; {_MAX_HEAD_LINES} and {_MAX_HEAD_BYTES:,} are the most"
        )


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name_of(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()
