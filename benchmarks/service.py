"""How fast the service answers: python benchmarks/service.py; one JSON object. Nothing else should run on the machine.

A 3 s clip, first judged by the bare recognizer, then asked for by one client after another on kept connections, then by
eight at once. Needs the extra `serve`.
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import emotone

REPO = Path(__file__).resolve().parents[1]
CLIP = REPO / "src" / "emotone" / "clips" / "emodb" / "03a01Wa.flac"
CLIP_S = 3.0
N_REQUESTS = 500
N_CLIENTS = 8
BUSY_S = 20.0


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


def caller(port: int, clip: bytes) -> Callable[[], None]:
    """A client that keeps its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call() -> None:
        connection.request("POST", "/v1/recognize", clip)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")

    return call


def busy_rate(port: int, clip: bytes) -> float:
    """Requests per second that eight clients get answered."""
    answered = [0] * N_CLIENTS
    until = time.perf_counter() + BUSY_S

    def work(index: int) -> None:
        call = caller(port, clip)
        while time.perf_counter() < until:
            call()
            answered[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) / BUSY_S


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
            served = times_ms(caller(port, clip), N_REQUESTS)
            rate = busy_rate(port, clip)
        finally:
            process.terminate()
            process.wait(60)
    cuts, bare_cuts = (statistics.quantiles(one, n=100) for one in (served, bare))
    print(
        json.dumps(
            {
                "clip_s": CLIP_S,
                "bare_p50_ms": round(bare_cuts[49], 2),
                "p50_ms": round(cuts[49], 2),
                "p99_ms": round(cuts[98], 2),
                "p50_over_bare_ms": round(cuts[49] - bare_cuts[49], 2),
                "requests_per_s": round(rate, 1),
                "clients": N_CLIENTS,
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
