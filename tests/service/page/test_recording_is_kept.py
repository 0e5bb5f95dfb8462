"""A recording made on the page is not lost when the service fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE_MS
from running import running

from emotone.audio import load_audio

pytestmark = pytest.mark.slow

OpenPage = Callable[..., Any]


def saved(page: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(button)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_recording_can_be_saved_with_its_result(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    assert page.is_hidden("#save-recording")
    page.click("#record")
    page.wait_for_selector("#live-bars .bar")
    page.wait_for_timeout(2000)
    page.click("#record")
    page.wait_for_selector("#result:not([hidden])")
    path = saved(page, "#save-recording", tmp_path)
    assert path.name.startswith("recording ")
    assert load_audio(path, sample_rate=16_000).size > 16_000


def test_a_recording_outlives_its_service(browser: Any, shipped_model: Path, tmp_path: Path) -> None:
    context = browser.new_context(permissions=["microphone"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    with running(tmp_path / "service", shipped_model) as service:
        page.goto(f"{service.url}/")
        page.click("#record")
        page.wait_for_selector("#live-bars .bar")
        page.wait_for_timeout(1500)
        service.process.kill()
        page.wait_for_selector("#problem .remedies")
        assert "cannot be reached" in page.inner_text("#problem")
        assert page.get_attribute("#record", "aria-pressed") == "false"
        path = saved(page, "button:text('Save the recording')", tmp_path)
        assert load_audio(path, sample_rate=16_000).size > 16_000
        with running(tmp_path / "again", shipped_model, port=service.port):
            page.click("button:text('Try again')")
            page.wait_for_selector("#result:not([hidden])")
            assert page.is_hidden("#problem")
    context.close()


def test_a_file_without_sound_is_not_offered_to_be_tried_again(open_page: OpenPage, tmp_path: Path) -> None:
    broken = tmp_path / "voice.wav"
    broken.write_bytes(b"no sound in here" * 40)
    page = open_page()
    page.set_input_files("#file", broken)
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#problem button").count() == 0
