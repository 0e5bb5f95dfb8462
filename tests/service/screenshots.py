"""Draw the pictures of the page in docs/: python tests/service/screenshots.py (needs Playwright and Chromium)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CLIPS = REPO / "src" / "emotone" / "clips"
TIMEOUT_MS = 300_000


def draw(folder: Path) -> None:
    """The page with a result, in light, in dark and on a phone; and while it records."""
    from browsing import chromium, write_talk
    from running import running

    clips = sorted(CLIPS.glob("*/*.flac")) + sorted(CLIPS.glob("*/*.opus"))
    with tempfile.TemporaryDirectory() as scratch:
        talk = Path(scratch) / "talk.wav"
        write_talk(talk, clips, 0.7)
        model = REPO / "src" / "emotone" / "weights" / "default.onnx"
        with running(Path(scratch), model) as service, chromium(talk) as browser:
            for name, width, scheme in (("light", 1180, "light"), ("dark", 1180, "dark"), ("phone", 390, "light")):
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.set_default_timeout(TIMEOUT_MS)
                page.goto(f"{service.url}/")
                page.set_input_files("#file", talk)
                page.wait_for_selector("#spectrogram canvas", state="attached")
                page.wait_for_timeout(3_000)
                page.screenshot(path=folder / f"page-{name}.png", full_page=True)
                page.close()
            context = browser.new_context(viewport={"width": 1180, "height": 900}, permissions=["microphone"])
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            page.goto(f"{service.url}/")
            page.click("#record")
            page.wait_for_selector("#live-bars .bar")
            page.wait_for_timeout(6_000)
            # Not in the middle of a pause, where all bars are empty.
            page.wait_for_function(
                "[...document.querySelectorAll('#live-bars .share')].some(one => parseInt(one.textContent) > 50)"
            )
            page.screenshot(path=folder / "page-live.png", full_page=True)


if __name__ == "__main__":
    sys.path[:0] = [str(REPO / "tests"), str(REPO / "tests" / "service")]
    draw(REPO / "docs")
