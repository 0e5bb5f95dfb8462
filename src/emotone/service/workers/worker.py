"""A worker process: one model, one recording after the other. Run as `python -m emotone.service.workers.worker FD`.

It ends when the service does, even if that is killed: then the socket closes. While it works, a timer of the kernel's
ends it a little after the time limit, so that an endless recording does not outlive the service.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import socket
import sys
import time
from typing import BinaryIO

from emotone.errors import EmotoneError

_log = logging.getLogger("emotone.service")

_PROGRESS_EVERY_S = 0.5
_GRACE_S = 2.0


def main() -> None:
    """Serve tasks until the service closes the connection."""
    # The service decides when a worker ends; a terminal and systemd send these signals to every process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        try:
            serve(connection)
        except (EOFError, ConnectionError):
            return


def serve(connection: socket.socket) -> None:
    """Load the model, then answer tasks.

    Raises:
        EOFError: the service has closed the connection.
    """
    from emotone.listening.loading import load
    from emotone.service.log import write_logs
    from emotone.service.requests.extras import unpacked
    from emotone.service.requests.settings import RecognitionSettings
    from emotone.service.workers.messages import Message, receive, send
    from emotone.service.workers.recognition import Task, perform

    write_logs()
    setup = receive(connection).fields
    if setup["nice"]:
        os.nice(setup["nice"])
    try:
        recognizer = load(setup["model"])
    except EmotoneError as error:
        send(connection, Message(_failure(error)))
        return
    send(connection, Message({"ready": True}))
    while True:
        message = receive(connection)
        fields = message.fields
        extras, content = unpacked(message.content)
        task = Task(**{**fields, "settings": RecognitionSettings.model_validate(fields["settings"])})
        file: BinaryIO = io.BytesIO(content) if message.file is None else os.fdopen(message.file, "rb")
        last = time.monotonic()

        def progress(done_s: float, declared_s: float | None) -> None:
            nonlocal last
            if time.monotonic() - last > _PROGRESS_EVERY_S:
                last = time.monotonic()
                send(connection, Message({"done_s": done_s, "declared_s": declared_s}))

        signal.setitimer(signal.ITIMER_REAL, task.timeout_s + _GRACE_S)
        try:
            with file:
                file.seek(0)
                text, duration_s = perform(recognizer, file, task, progress, extras)
            answer = Message({"duration_s": duration_s}, text.encode())
        except (ConnectionError, EOFError):
            raise
        except Exception as error:
            answer = Message(_failure(error))
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(connection, answer)


def _failure(error: Exception) -> dict[str, str]:
    if not isinstance(error, EmotoneError):
        _log.error("recognition failed", exc_info=error)
        return {"error": "EmotoneError", "message": "unexpected error"}
    return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    main()
