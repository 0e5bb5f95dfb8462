"""The page in a real browser: what a person can do there, and sees."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import urllib.request
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import RATE, analyse, until
from running import RunningService

from emotone.audio import load_audio
from emotone.listening.recognizer import Recognizer

pytestmark = pytest.mark.slow

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
OpenPage = Callable[..., Any]


def serious_faults(page: Any) -> list[str]:
    # Given as text: the page's policy lets no script in but the service's own, and evaluation is the driver's.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_a_clip_is_uploaded_and_its_emotion_shown(open_page: OpenPage, clip: Path, recognizer: Recognizer) -> None:
    page = open_page()
    analyse(page, clip)
    expected = recognizer(clip)
    assert expected.emotion == "anger"
    assert page.inner_text("#result-title") == clip.name
    assert page.inner_text("#headline") == "anger"
    assert f"{round(100 * expected.confidence)} %" in page.inner_text("#headline-detail")
    assert page.locator("#rows tr").count() == len(expected.segments)
    page.click("#model-part summary")
    assert all(label in page.inner_text("#model") for label in recognizer.labels)


def test_several_files_are_listed_with_their_results(
    open_page: OpenPage, clips_dir: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    clips = sorted(clips_dir.glob("emodb/*.flac"))[:3]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound in here" * 40)
    page = open_page()
    analyse(page, *clips, broken)
    until(page, "document.querySelector('#list-title').textContent === '4 recordings'")
    states = page.locator("#recordings .state").all_inner_texts()
    for state, path in zip(states, clips, strict=False):
        assert str(recognizer(path).emotion) in state
    assert states[-1] == "The file is not audio of a known format"
    page.click("#recordings .open >> nth=3")
    assert "broken.wav" in page.inner_text("#problem")
    assert page.is_hidden("#result")
    page.click("#recordings .open >> nth=1")
    assert page.inner_text("#result-title") == clips[1].name
    with page.expect_download() as download:
        page.click("#download-all")
    path = tmp_path / "all.csv"
    download.value.save_as(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert {row["file"] for row in rows} == {clip.name for clip in clips}


def test_an_example_needs_no_recording_of_ones_own(open_page: OpenPage) -> None:
    page = open_page()
    page.wait_for_selector("#examples button")
    assert page.locator("#examples button").count() == 3
    page.click("#examples button >> nth=0")
    page.wait_for_selector("#result:not([hidden])")
    assert "anger" in page.inner_text("#headline")


def test_a_changed_threshold_is_applied_to_the_result(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    analyse(page, clip)
    page.click(".settings summary")
    page.fill("#threshold", "99")
    until(page, "document.querySelector('#headline').textContent === 'perhaps anger'")
    # 99.0 where the confidence rounds to 99 as well.
    assert re.search(r"below the limit of 99(\.0)? %", page.inner_text("#headline-detail"))


def test_another_file_starts_at_the_beginning(open_page: OpenPage, clip: Path, talk: Path) -> None:
    page = open_page()
    analyse(page, talk)
    page.focus("#over-time")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('#now').textContent !== '0:00.0'")
    page.set_input_files("#file", clip)
    until(page, f"document.querySelector('#result-title').textContent === '{clip.name}'")
    assert page.inner_text("#now") == "0:00.0"
    assert page.inner_text("#total") == "0:01.9"


def test_a_long_recording_has_its_segments_in_the_table_and_on_the_waveform(
    open_page: OpenPage, talk: Path, recognizer: Recognizer
) -> None:
    page = open_page()
    analyse(page, talk)
    segments = recognizer(talk).segments
    assert page.locator("#rows tr").count() == len(segments)
    drawn = page.evaluate(
        "document.querySelector('#waveform > div').shadowRoot.querySelectorAll('[part~=region]').length"
    )
    assert drawn == sum(segment.emotion is not None for segment in segments)


def test_each_channel_has_a_headline_and_its_own_waveform(open_page: OpenPage, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    sound = (load_audio(clip, sample_rate=RATE) * 32_767).astype("<i2")
    silence = np.zeros_like(sound)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack([silence, sound], axis=1).tobytes())
    page = open_page()
    page.click(".settings summary")
    page.select_option("#channels", "split")
    analyse(page, path)
    bright = """() => Math.max(...[...document.querySelectorAll('#spectrogram canvas')].map(canvas => {
        if (!canvas.width || !canvas.height) return 0;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.reduce((most, value, i) => (i % 4 === 0 ? Math.max(most, value) : most), 0);
    }))"""
    tabs = page.locator("#channel-tabs [role=tab]")
    assert "no speech" in tabs.nth(0).inner_text()
    assert "anger" in tabs.nth(1).inner_text()
    tabs.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    until(page, f"({bright})() > 150")
    page.keyboard.press("ArrowLeft")
    until(page, f"({bright})() < 50")


def test_pauses_can_be_hidden(open_page: OpenPage, talk: Path, recognizer: Recognizer) -> None:
    page = open_page()
    analyse(page, talk)
    spoken = sum(segment.speech for segment in recognizer(talk).segments)
    assert f"{spoken} with speech" in page.inner_text("#segments-title")
    page.check("#speech-only")
    assert page.locator("#rows tr:visible").count() == spoken


def test_a_recording_is_analysed_though_its_live_view_ends(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(
        """() => {
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (data) {
                if (typeof data !== "string" && (window.sent = (window.sent ?? 0) + 1) > 25) return this.close();
                return send.call(this, data);
            };
        }"""
    )
    page.click("#record")
    page.wait_for_selector("#result:not([hidden])")
    assert "anger" in page.inner_text("#headline")
    assert page.get_attribute("#record", "aria-pressed") == "false"


def test_the_microphone_is_analysed_live_and_then_as_a_whole(open_page: OpenPage) -> None:
    page = open_page()
    page.click("#record")
    page.wait_for_selector("#live:not([hidden])")
    assert page.get_attribute("#record", "aria-pressed") == "true"
    page.wait_for_selector("#live-bars .bar")
    until(page, "document.querySelector('#live-emotion').textContent.includes('anger')")
    page.click("#record")
    page.wait_for_selector("#result:not([hidden])")
    assert page.is_hidden("#live")
    assert "anger" in page.inner_text("#headline")


def test_a_broken_file_that_is_dropped_is_explained(open_page: OpenPage) -> None:
    page = open_page()
    content = base64.b64encode(b"PK\x03\x04 this is a renamed zip" * 20).decode()
    page.evaluate(
        """content => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], "voice.wav"));
            document.getElementById("drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    page.wait_for_selector("#problem:not([hidden])")
    told = page.inner_text("#problem")
    assert "audio of a known format" in told
    assert "expected wav" in told
    assert "voice.wav" in told
    assert page.is_hidden("#result")


def test_downloads_hold_what_the_service_writes_and_the_name_of_the_file(
    open_page: OpenPage, service: RunningService, talk: Path, tmp_path: Path
) -> None:
    page = open_page()
    analyse(page, talk)
    saved = {}
    for name in ("csv", "json", "textgrid", "vtt"):
        with page.expect_download() as download:
            page.click(f"[data-format={name}]")
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        saved[path.name] = path.read_text(encoding="utf-8")
    assert list(saved) == ["talk.csv", "talk.json", "talk.TextGrid", "talk.vtt"]

    def from_service(name: str) -> str:
        address = f"{service.url}/v1/recognize?format={name}"
        with urllib.request.urlopen(urllib.request.Request(address, talk.read_bytes())) as answer:
            return answer.read().decode("utf-8")

    assert saved["talk.TextGrid"] == from_service("textgrid")
    assert saved["talk.vtt"] == from_service("webvtt")
    page_rows, service_rows = (
        list(csv.DictReader(io.StringIO(text), quoting=csv.QUOTE_NONNUMERIC))
        for text in (saved["talk.csv"], from_service("csv"))
    )
    assert {row.pop("file") for row in page_rows} == {"talk.wav"}
    assert {row.pop("file") for row in service_rows} == {"recording"}
    assert page_rows == service_rows
    assert json.loads(saved["talk.json"]) == {**json.loads(from_service("json")), "file": "talk.wav"}


def test_everything_can_be_done_from_the_keyboard(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"choose", "record", "SUMMARY"} <= set(reached)
    page.focus("#choose")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(clip)
    page.wait_for_selector("#spectrogram canvas", state="attached")
    assert page.evaluate("document.activeElement.id") == "result"
    page.focus("#over-time")
    page.keyboard.press("Space")
    page.locator("#play", has_text="Pause").wait_for()


def test_the_segments_are_one_stop_of_the_tab_key_and_play_from_the_keyboard(open_page: OpenPage, talk: Path) -> None:
    page = open_page()
    analyse(page, talk)
    assert page.locator("#rows button[tabindex='0']").count() == 1
    page.focus("#rows button[tabindex='0']")
    first = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") != first
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.format") == "csv"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.locator("#play", has_text="Pause").wait_for()
    # It stops at the end of the segment.
    page.locator("#play", has_text="Play").wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1180, "light"), (1180, "dark"), (360, "light")])
def test_axe_finds_no_serious_fault_and_nothing_is_wider_than_the_screen(
    open_page: OpenPage, talk: Path, width: int, scheme: str
) -> None:
    page = open_page(width=width, scheme=scheme)
    page.click(".settings summary")
    assert serious_faults(page) == []
    analyse(page, talk)
    assert serious_faults(page) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_the_words_about_the_api_are_whole_and_axe_finds_no_serious_fault(
    open_page: OpenPage, service: RunningService
) -> None:
    page = open_page()
    page.goto(f"{service.url}/docs")
    page.wait_for_selector("#routes section")
    assert "/v1/recognize" in page.inner_text("#routes")
    assert serious_faults(page) == []
