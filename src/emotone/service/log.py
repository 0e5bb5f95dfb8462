"""Logs as one JSON object per line, without sound, file names, query strings or client addresses."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """A record as JSON; `extra={"fields": {...}}` become members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        members = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=False)


def write_logs() -> None:
    """Send all logs to standard error: ours and the server's, and warnings of other libraries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    for name in ("emotone", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    # Requests and streams are logged by us, without addresses and query strings, which may hold keys.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").addFilter(_without_streams)


def _without_streams(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's is not about a WebSocket: those hold the client's address and the query string."""
    return "WebSocket %s" not in str(record.msg)
