"""uvicorn's HTTP/1.1 protocol with time limits.

uvicorn waits without limit for the head of a request (slow loris), for the rest of a body that was refused already, and
for a client that does not read its answer. Each would hold a connection. Beyond its limit of connections uvicorn
answers in plain text; here the application answers with a problem, and `/healthz` still works.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from emotone.service.problems import MEDIA_TYPE, NOT_HTTP, encoded, problem


class TimeoutProtocol(H11Protocol):
    """Closes connections that wait too long for the client.

    Attributes:
        header_timeout_s: for a whole head, and for what follows of a body after its answer.
        write_timeout_s: for a client to read on.
        max_rest_bytes: of a body after its answer. So much is read and dropped, since a connection that is closed with
            unread bytes is reset, and many clients then never see why.
        max_connections: beyond these a request is turned away.
    """

    header_timeout_s = 10.0
    write_timeout_s = 15.0
    max_rest_bytes = 32 << 20
    max_connections = 512

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._rest_bytes = 0

    @property
    def app(self) -> ASGIApp:
        """The application for the next request; beyond the limit of connections its scope is marked."""
        return self._crowded if len(self.connections) > self.max_connections else self._app

    @app.setter
    def app(self, app: ASGIApp) -> None:
        self._app = app

    async def _crowded(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["crowded"] = True
        await self._app(scope, receive, send)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: its first request must come."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, or of a body, whose pace the application checks until it has answered."""
        if self._answered_early():
            self._rest_bytes += len(data)
            if self._rest_bytes > self.max_rest_bytes:
                self.transport.abort()
                return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """An answer, perhaps before the end of its request."""
        super().on_response_complete()
        self._rest_bytes = 0
        self._watch()

    def pause_writing(self) -> None:
        """The client reads more slowly than is written."""
        super().pause_writing()
        self._start("write", self.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads on."""
        super().resume_writing()
        self._stop("write")

    def timeout_keep_alive_handler(self) -> None:
        """No further request: wait until the last answer has been read before closing, but not without limit."""
        super().timeout_keep_alive_handler()
        self._start("close", self.write_timeout_s, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        for what in tuple(self._timers):
            self._stop(what)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """A request that is not HTTP gets a problem, too."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        content = encoded(problem(NOT_HTTP, msg))
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(content)),
            "x-content-type-options": "nosniff",
            "connection": "close",
        }
        for event in (
            h11.Response(status_code=NOT_HTTP.status, headers=list(headers.items()), reason=b"Bad Request"),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _answered_early(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete and self.conn.their_state is h11.SEND_BODY

    def _watch(self) -> None:
        if self.conn.their_state is h11.IDLE or self._answered_early():
            self._start("head", self.header_timeout_s, self._close_late)
        else:
            self._stop("head")

    def _close_late(self) -> None:
        if (self.conn.their_state is h11.IDLE or self._answered_early()) and not self.transport.is_closing():
            self.transport.close()

    def _start(self, what: str, after_s: float, act: Any) -> None:
        if what not in self._timers:
            self._timers[what] = self.loop.call_later(after_s, self._act, what, act)

    def _act(self, what: str, act: Any) -> None:
        del self._timers[what]
        act()

    def _stop(self, what: str) -> None:
        if (timer := self._timers.pop(what, None)) is not None:
            timer.cancel()


def protocol_with(header_timeout_s: float, write_timeout_s: float, max_connections: int) -> type[TimeoutProtocol]:
    """The protocol with these limits."""
    own = {
        "header_timeout_s": header_timeout_s,
        "write_timeout_s": write_timeout_s,
        "max_connections": max_connections,
    }
    return type("Impatient", (TimeoutProtocol,), own)
