"""What every request and live stream passes: the proxy, limits on its head, hosts, origins, keys, log and metrics."""

from __future__ import annotations

import asyncio
import logging
import secrets
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emotone.service.access.keys import bearer, check_key
from emotone.service.access.proxies import apply_proxy, route_path
from emotone.service.context import ServiceContext
from emotone.service.errors import (
    ForbiddenError,
    HeadTooLargeError,
    RequestError,
    ShuttingDownError,
    TooManyConnectionsError,
)
from emotone.service.problems import respond_to, respond_to_unforeseen, root_path
from emotone.service.requests.negotiation import ROUTED_METHODS, allowed_methods

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
# A client may invent any method; each would stay in the metrics until the service ends.
_METHODS = _READING | frozenset(ROUTED_METHODS)
_MAX_HEAD_BYTES = 16_384
_MAX_HEAD_LINES = 100
_NEED_KEY = ("/v1/", "/metrics")
_PROBES = ("/healthz", "/readyz", "/metrics")
_ANY_HOST = ("/healthz", "/readyz")
"""Load balancers and containers ask by address. The answer has nothing that a web page could misuse."""
_RETRY_AFTER_S = 5


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
    """ASGI middleware.

    Args:
        app: the application behind it; the context is in its state.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        context: ServiceContext = scope["app"].state.context
        method = scope.get("method", "WEBSOCKET")
        # A copy, since a server looks into its own for the method.
        scope = {**scope, "method": "GET" if method == "HEAD" else method} if scope["type"] == "http" else dict(scope)
        apply_proxy(scope, context.options.root_path, context.options.trusted_proxies)
        root_path.set(scope.get("root_path", ""))
        exchange = _Exchange(context, scope, method, receive, send)
        context.n_active += 1
        try:
            if scope["type"] == "websocket":
                await self.app(scope, exchange.receive, exchange.send)
            elif (response := _response_at_once(context, scope, method)) is not None:
                await response(scope, receive, exchange.send)
            else:
                await self.app(scope, receive, exchange.send)
        except asyncio.CancelledError:
            # The server gives up what has not ended when it shuts down.
            if not context.draining:
                raise
            if not exchange.started and scope["type"] == "http":
                await respond_to(ShuttingDownError())(scope, receive, exchange.send)
        except Exception as error:
            # Here, where the response still gets its headers; Starlette's own place for it is outside.
            if exchange.started or scope["type"] == "websocket":
                raise
            await respond_to_unforeseen(error)(scope, receive, exchange.send)
        finally:
            context.n_active -= 1
            exchange.write_log()


class _Exchange:
    """One request and its response, or one live stream: counts it, and adds headers."""

    def __init__(self, context: ServiceContext, scope: Scope, method: str, receive: Receive, send: Send) -> None:
        self._context, self._scope, self._method = context, scope, method
        # A mounted application changes the scope.
        self._original = dict(scope)
        self._receive, self._send = receive, send
        self._id = secrets.token_hex(8)
        self._begun = monotonic()
        self._status: int = 500
        self._sent = self._received = 0
        self.started = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self._received += len(message.get("bytes") or message.get("text") or "")
        elif message["type"] == "websocket.disconnect" and self._status == 101:
            self._status = message.get("code", 1005)
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.started = True
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _SAFE_HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self._id
            if self._status == 405:
                headers["allow"] = allowed_methods(self._original)
            if self._context.draining or self._scope.get("crowded"):
                headers["connection"] = "close"
        elif kind in ("http.response.body", "websocket.http.response.body"):
            if self._method == "HEAD":
                message = {**message, "body": b""}
            self._sent += len(message.get("body", b""))
        elif kind == "websocket.accept":
            self._status = 101
        elif kind == "websocket.close":
            self._status = message.get("code", 1000) if self._status == 101 else 403
        elif kind == "websocket.send":
            self._sent += len(message.get("bytes") or message.get("text") or "")
        await self._send(message)

    def write_log(self) -> None:
        route = getattr(self._scope.get("route"), "path", None) or "other"
        seconds = monotonic() - self._begun
        method = self._method if self._method in _METHODS or self._method == "WEBSOCKET" else "other"
        self._context.metrics.requests.labels(method, route, str(self._status)).inc()
        if self._scope["type"] == "http":
            self._context.metrics.request_seconds.labels(route).observe(seconds)
        fields: dict[str, Any] = {
            "request": self._id,
            "method": method,
            "route": route,
            "status": self._status,
            "ms": round(1000 * seconds, 1),
            "sent": self._sent,
        }
        if self._scope["type"] == "websocket":
            fields["received"] = self._received
        if self._scope.get("caller"):
            fields["caller"] = self._scope["caller"]
        _log.info("request", extra={"fields": fields})


def _response_at_once(context: ServiceContext, scope: Scope, method: str) -> Response | None:
    """The response to what does not reach the application; None for what does."""
    path = route_path(scope)
    try:
        _check_head(scope)
        if scope.get("crowded") and path != "/healthz":
            limit = context.options.max_connections
            raise TooManyConnectionsError(
                f"Too many open connections (limit: {limit}). Retry in {_RETRY_AFTER_S} s.", _RETRY_AFTER_S
            )
        if context.draining and path not in _PROBES:
            raise ShuttingDownError
        scope["caller"] = "" if path in _ANY_HOST else authorize(context, scope, Headers(scope=scope))
    except RequestError as error:
        return respond_to(error)
    if not path:
        return RedirectResponse(f"{scope['root_path']}/", 308)
    if method == "OPTIONS" and (allowed := allowed_methods(scope)):
        return Response(status_code=204, headers={"Allow": allowed})
    return None


def authorize(context: ServiceContext, scope: Scope, headers: Headers, *, with_key: bool = True) -> str:
    """Check that a request may go on, and return whose it is.

    Args:
        context: of the service.
        scope: of the request.
        headers: of the request.
        with_key: whether a key must be among the headers where the service needs one.
    Returns:
        the name of the key's owner; empty where none is needed.
    Raises:
        ForbiddenError: another host name, or the origin of another page.
        UnauthorizedError: no key, or an unknown one.
    """
    options = context.options
    host = headers.get("host", "")
    if "*" not in context.hosts and _name_of(host) not in context.hosts:
        raise ForbiddenError(f"This service does not answer for the host {host[:80]!r}. Name it with --allowed-host.")
    origin = headers.get("origin")
    writes = scope["type"] == "websocket" or scope["method"] not in _READING
    if origin and writes and origin not in options.cors_origins and _host_of(origin) != host:
        raise ForbiddenError(f"Pages of {origin[:80]!r} may not call this service. Name the origin with --cors-origin.")
    if not options.api_keys or not with_key or not route_path(scope).startswith(_NEED_KEY):
        return ""
    if scope.get("method") == "OPTIONS":
        return ""
    return check_key(options.api_keys, bearer(headers.get("authorization")) or headers.get("x-api-key"))


def _check_head(scope: Scope) -> None:
    lines = scope["headers"]
    n_bytes = sum(len(name) + len(value) for name, value in lines) + len(scope["query_string"]) + len(scope["raw_path"])
    if len(lines) > _MAX_HEAD_LINES or n_bytes > _MAX_HEAD_BYTES:
        raise HeadTooLargeError(
            f"The request head has {len(lines)} lines and {n_bytes:,} bytes "
            f"(limits: {_MAX_HEAD_LINES} and {_MAX_HEAD_BYTES:,})."
        )


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name_of(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()
