"""Running the application on a socket until it is told to end."""

from __future__ import annotations

import signal

import uvicorn
from fastapi import FastAPI

from emotone.errors import EmotoneError
from emotone.service.app import create_app, make_context
from emotone.service.log import write_logs
from emotone.service.options import ServiceOptions
from emotone.service.protocol import protocol_with


def serve(options: ServiceOptions) -> None:
    """Serve until SIGTERM or SIGINT; what has begun is finished, a running job waits for the next start.

    Args:
        options: of the service.
    Raises:
        ModelFileError: the model cannot be used.
        OutputError: the folder for the data cannot be used.
        EmotoneError: nobody can listen at that address.
    """
    app = create_app(make_context(options))
    write_logs()
    # When it has ended in order, uvicorn raises the signal that made it end once more; that would look like a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        _run(app, options)
    except SystemExit as stop:
        # uvicorn has said why, and leaves with a status of its own, which means something else here.
        if stop.code:
            raise EmotoneError(
                f"the service cannot start at {options.host}:{options.port}, see above; choose another --port or --host"
            ) from stop


def _run(app: FastAPI, options: ServiceOptions) -> None:
    uvicorn.run(
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
        timeout_graceful_shutdown=int(options.drain_s),
        h11_max_incomplete_event_size=16_384,
        server_header=False,
        proxy_headers=False,
    )
