"""A service in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class RunningService:
    """A process that serves."""

    process: subprocess.Popen[bytes]
    url: str
    port: int
    data_dir: Path
    log: Path

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def running(folder: Path, model: Path, *arguments: str, port: int = 0) -> Iterator[RunningService]:
    """`emotone serve` in a process of its own, at a port that is free."""
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    log, data_dir = folder / "log", folder / "data"
    command = [sys.executable, "-c", "from emotone.cli.main import main; main()", "serve", "--port", str(port)]
    command += ["--model", str(model), "--data-dir", str(data_dir), *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "OMP_NUM_THREADS": "1"})
    service = RunningService(process, f"http://127.0.0.1:{port}", port, data_dir, log)
    try:
        until = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"{service.url}/readyz", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(log.read_text()) from None
                time.sleep(0.1)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)
