"""Run the application until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from time import monotonic
from types import FrameType

import uvicorn

from emotone.errors import EmotoneError
from emotone.service.app import create_app, make_context
from emotone.service.context import ServiceContext
from emotone.service.log import write_logs
from emotone.service.options import ServiceOptions
from emotone.service.server.protocol import protocol_with

_log = logging.getLogger("emotone.service")

_END_S = 5.0
"""Part of the drain time for what comes after the last answer: on a busy machine processes take seconds to end."""


def serve(options: ServiceOptions) -> None:
    """Serve until SIGTERM or SIGINT: what runs is finished, and running jobs wait for the next start.

    Args:
        options: of the service.
    Raises:
        ModelFileError: the model cannot be used.
        OutputError: the folder for the data cannot be used.
        EmotoneError: the address cannot be listened at.
    """
    context = make_context(options)
    app = create_app(context)
    write_logs()
    # When it has ended in order, uvicorn raises the signal that made it end once more; that would look like a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        http=protocol_with(options.header_timeout_s, options.idle_timeout_s, options.max_connections),
        ws="websockets-sansio",
        ws_max_size=options.max_stream_message_bytes,
        ws_ping_interval=options.idle_timeout_s,
        ws_ping_timeout=options.idle_timeout_s,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
        server_header=False,
        # Ours: only from named proxies, and the path too.
        proxy_headers=False,
    )
    server = DrainingServer(config, context)
    try:
        server.run()
    except KeyboardInterrupt:
        return
    except SystemExit as stop:
        # uvicorn has logged why; its exit status has another meaning here.
        if stop.code:
            raise _no_start(options) from stop
    if not server.started:
        raise _no_start(options)


def _no_start(options: ServiceOptions) -> EmotoneError:
    return EmotoneError(
        f"the service cannot start at {options.host}:{options.port}, see above; choose another --port or --host"
    )


class DrainingServer(uvicorn.Server):
    """A server that keeps listening while it finishes its work, so that load balancers see it shut down.

    uvicorn closes its socket first and then waits. Here, after the first signal, `/readyz` and new requests get 503,
    waiting ones too, running ones are answered; when they are, or the drain time is nearly over, uvicorn's own shutdown
    follows. A second signal ends the wait.

    Args:
        config: of uvicorn.
        context: of the service.
    """

    def __init__(self, config: uvicorn.Config, context: ServiceContext) -> None:
        super().__init__(config)
        self._context = context
        self._drain_s = context.options.drain_s
        self._signalled = False
        self._until = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: drain first; end at the second one."""
        if self._signalled or not self.started:
            super().handle_exit(sig, frame)
        else:
            self._captured_signals.append(sig)
            self._signalled = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; whether to shut down."""
        if self._signalled and not self._context.draining:
            _log.info("draining")
            self._until = monotonic() + max(self._drain_s - _END_S, 0.6 * self._drain_s)
            # Whatever hangs: the process ends in time.
            last = threading.Timer(self._drain_s, _give_up)
            last.daemon = True
            last.start()
            self._context.drain()
        if self._context.draining and (not self._context.n_active or monotonic() > self._until):
            self._context.queue.cancel_all()
            await asyncio.sleep(0.1)
            return True
        return await super().on_tick(counter)


def _give_up() -> None:
    _log.error("the drain time is over; ending with work undone")
    os._exit(1)
