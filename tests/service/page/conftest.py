"""The page in a real browser, with the shipped model and real clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE_MS, chromium, write_talk
from running import RunningService, running

from emotone.listening.loading import load
from emotone.listening.recognizer import Recognizer

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def service(shipped_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service"), shipped_model) as service:
        yield service


@pytest.fixture(scope="module")
def recognizer(shipped_model: Path) -> Recognizer:
    return load(shipped_model)


@pytest.fixture(scope="module")
def clip(clips_dir: Path) -> Path:
    """An angry voice, which the model recognises."""
    return clips_dir / "emodb" / "03a01Wa.flac"


@pytest.fixture(scope="module")
def talk(clips_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips with pauses between them."""
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    write_talk(path, sorted(clips_dir.glob("*/*.flac")) + sorted(clips_dir.glob("*/*.opus")), 0.8)
    return path


@pytest.fixture(scope="module")
def browser(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    microphone = tmp_path_factory.mktemp("microphone") / "voice.wav"
    write_talk(microphone, [clip], 0.1)
    with chromium(microphone) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Any, service: RunningService, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Opens the page; at the end nothing may have been asked of another host, and nothing been blocked or raised."""
    contexts: list[Any] = []
    faults: list[str] = []
    examined = "axe" in request.node.name

    def note_request(sent: Any) -> None:
        if not sent.url.startswith((service.url, service.url.replace("http", "ws"), "blob:", "data:")):
            faults.append(f"asked for {sent.url}")

    def note_console(message: Any) -> None:
        # A refused recording is an answer with a status, which Chromium writes to the console.
        # The tests, not the page, read canvases back. axe tries styles of its own, which the policy rightly blocks.
        known = ["the server responded with a status of 4", "willReadFrequently"]
        known += ["Applying inline style"] if examined else []
        if message.type in ("error", "warning") and not any(words in message.text for words in known):
            faults.append(message.text)

    def start(*, width: int = 1180, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=["microphone"]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", note_request)
        page.on("console", note_console)
        page.on("pageerror", lambda error: faults.append(str(error)))
        # Playwright looks for choosers once somebody waits for one, which may be too late for a key pressed at once.
        page.on("filechooser", lambda _: None)
        page.goto(f"{service.url}/")
        return page

    yield start
    for context in contexts:
        context.close()
    assert not faults
