"""How fast the service answers: python benchmarks/service.py; one JSON object. Nothing else should run on the machine.

A 3 s clip, first classified by the bare recognizer, then asked for by one client after another on kept connections, then by
eight at once, then by 64 for a minute, while the service's memory is watched. The clients are bare sockets, so that they
take little of the cores that the service works on; how much is measured. Needs the extra `serve`, and Linux.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import emotone

REPO = Path(__file__).resolve().parents[1]
CLIP = REPO / "src" / "emotone" / "clips" / "emodb" / "03a01Wa.flac"
CLIP_S = 3.0
N_REQUESTS = 500
N_CLIENTS = 8
BUSY_S = 20.0
N_FLOOD = 64
FLOOD_S = 60.0


def three_seconds() -> bytes:
    """A clip of 3 s as a 16-bit WAV: a bundled one, its beginning repeated."""
    import io
    import wave

    import numpy as np

    from emotone.audio import load_audio

    sound = np.tile(load_audio(CLIP, sample_rate=16_000), 2)[: round(CLIP_S * 16_000)]
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes((sound * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def times_ms(work: Callable[[], object], n: int) -> list[float]:
    """How long each of `n` calls takes, after twenty that do not count."""
    found = []
    for index in range(n + 20):
        begun = time.perf_counter()
        work()
        if index >= 20:
            found.append(1000 * (time.perf_counter() - begun))
    return found


class Client:
    """Keeps its connection, and does no more than it must."""

    def __init__(self, port: int, clip: bytes) -> None:
        head = f"POST /v1/recognize HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(clip)}\r\n\r\n"
        self._request = head.encode() + clip
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __call__(self) -> int:
        """Ask once; the status of the whole answer."""
        self._socket.sendall(self._request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
        while len(body) < length:
            body += self._more()
        return int(head[9:12])

    def _more(self) -> bytes:
        piece = self._socket.recv(65_536)
        if not piece:
            raise ConnectionError("the service hung up")
        return piece


@dataclass
class Crowd:
    """What many clients at once got."""

    seconds: float
    server_cpu_ms: float = 0.0
    client_cpu_ms: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    times_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Recordings answered per second."""
        return self.statuses["200"] / self.seconds


def crowd(port: int, pid: int, clip: bytes, n_clients: int, seconds: float) -> Crowd:
    """Let clients ask again and again, each as soon as it is answered."""
    found = Crowd(seconds)
    until = time.perf_counter() + seconds

    def work() -> None:
        client = Client(port, clip)
        while (begun := time.perf_counter()) < until:
            try:
                status = str(client())
            except OSError as error:
                status, client = type(error).__name__, Client(port, clip)
            found.statuses[status] += 1
            found.times_ms.append(1000 * (time.perf_counter() - begun))

    server_s, client_s = processor_s(pid), processor_s(os.getpid())
    threads = [threading.Thread(target=work) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.memory_mb.append(resident_mb(pid))
        time.sleep(0.5)
    n_answers = len(found.times_ms)
    found.server_cpu_ms = 1000 * (processor_s(pid) - server_s) / n_answers
    found.client_cpu_ms = 1000 * (processor_s(os.getpid()) - client_s) / n_answers
    return found


def processor_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Memory of a process that is not elsewhere."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) * 1024 / 1e6


def main() -> None:
    """Measure and print."""
    clip = three_seconds()
    recognizer = emotone.load()
    bare = times_ms(lambda: recognizer(clip), N_REQUESTS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from emotone.cli.main import main; main()"]
        command += ["serve", "--port", str(port), "--data-dir", folder]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            served = times_ms(Client(port, clip), N_REQUESTS)
            busy = crowd(port, process.pid, clip, N_CLIENTS, BUSY_S)
            flood = crowd(port, process.pid, clip, N_FLOOD, FLOOD_S)
        finally:
            process.terminate()
            process.wait(60)
    cuts, bare_cuts, flood_cuts = (statistics.quantiles(one, n=100) for one in (served, bare, flood.times_ms))
    early = len(flood.memory_mb) // 6
    print(
        json.dumps(
            {
                "clip_s": CLIP_S,
                "bare_p50_ms": round(bare_cuts[49], 2),
                "p50_ms": round(cuts[49], 2),
                "p99_ms": round(cuts[98], 2),
                "p50_over_bare_ms": round(cuts[49] - bare_cuts[49], 2),
                "requests_per_s": round(busy.per_s, 1),
                "clients": N_CLIENTS,
                "statuses": dict(busy.statuses),
                "server_cpu_ms": round(busy.server_cpu_ms, 2),
                "client_cpu_ms": round(busy.client_cpu_ms, 2),
                "flood_clients": N_FLOOD,
                "flood_s": FLOOD_S,
                "flood_statuses": dict(flood.statuses),
                "flood_per_s": round(flood.per_s, 1),
                "flood_p50_ms": round(flood_cuts[49], 1),
                "flood_p99_ms": round(flood_cuts[98], 1),
                # The first seconds fill caches and buffers; what grows after them would grow for ever.
                "flood_memory_mb": [round(flood.memory_mb[early], 1), round(flood.memory_mb[-2], 1)],
            }
        )
    )


def wait_for(port: int) -> None:
    """Until the service can work."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the service does not start")


if __name__ == "__main__":
    main()
