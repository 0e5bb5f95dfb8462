"""A real browser for the tests of the page: Chromium, found on the machine, driven by Playwright."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emotone.audio import load_audio

RATE = 16_000
PATIENCE_MS = 180_000
"""How long to wait for the page: minutes, since on a busy machine it takes one to load."""


def write_talk(path: Path, clips: list[Path], pause_s: float) -> None:
    """Clips one after the other, each followed by a pause, as a 16-bit WAV."""
    pause = np.zeros(round(pause_s * RATE), np.float32)
    sound = np.concatenate([part for clip in clips for part in (load_audio(clip, sample_rate=RATE), pause)])
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        samples = np.clip(np.rint(sound * 32_767), -32_768, 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@contextmanager
def chromium(microphone: Path) -> Iterator[Any]:
    """A browser whose microphone plays a file in a loop; the test skips where there is no browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: tests in a browser are skipped")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium on this machine: tests in a browser are skipped")
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-gpu-watchdog",
        "--disable-hang-monitor",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, headless=True, args=arguments)
        yield browser
        browser.close()


def analyse(page: Any, *paths: Path) -> None:
    """Give the page recordings and wait for the result and the spectrogram of the first."""
    page.set_input_files("#file", list(paths))
    page.wait_for_selector("#result:not([hidden])")
    page.wait_for_selector("#spectrogram canvas", state="attached")


def until(page: Any, condition: str, timeout_s: float = PATIENCE_MS / 1000) -> None:
    """Wait for a condition in JavaScript to hold; Playwright's own waiting is forbidden by the page's policy."""
    end = time.monotonic() + timeout_s
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not true within {timeout_s:g} s: {condition}"
        page.wait_for_timeout(50)
