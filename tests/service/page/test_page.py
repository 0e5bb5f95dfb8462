"""The page in a real browser: what a person can do there, and sees."""

from __future__ import annotations

import base64
import csv
import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import RATE, judge
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


def test_a_clip_is_uploaded_and_its_emotion_seen(open_page: OpenPage, clip: Path, recognizer: Recognizer) -> None:
    page = open_page()
    judge(page, clip)
    expected = recognizer(clip)
    assert expected.emotion == "anger"
    assert page.inner_text("#verdict") == "anger"
    assert f"{round(100 * expected.confidence)} %" in page.inner_text("#verdict-detail")
    assert page.locator("#rows tr").count() == len(expected.segments)
    assert page.locator("#chart polyline").count() == len(recognizer.labels)
    assert "in voices it had never heard" in page.inner_text("#model")


def test_a_long_recording_has_its_segments_in_the_table_and_on_the_waveform(
    open_page: OpenPage, talk: Path, recognizer: Recognizer
) -> None:
    page = open_page()
    judge(page, talk)
    segments = recognizer(talk).segments
    assert page.locator("#rows tr").count() == len(segments)
    drawn = page.evaluate(
        "document.querySelector('#waveform > div').shadowRoot.querySelectorAll('[part~=region]').length"
    )
    assert drawn == sum(segment.emotion is not None for segment in segments)


def test_each_channel_is_drawn_from_its_own_sound(open_page: OpenPage, clip: Path, tmp_path: Path) -> None:
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
    judge(page, path)
    bright = """() => Math.max(...[...document.querySelectorAll('#spectrogram canvas')].map(canvas => {
        if (!canvas.width || !canvas.height) return 0;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.reduce((most, value, i) => (i % 4 === 0 ? Math.max(most, value) : most), 0);
    }))"""
    page.click("#tracks button >> nth=1")
    page.wait_for_timeout(1500)
    speaking = page.evaluate(bright)
    page.click("#tracks button >> nth=0")
    page.wait_for_timeout(1500)
    assert speaking > 150
    assert page.evaluate(bright) < 50


def test_pauses_can_be_hidden(open_page: OpenPage, talk: Path, recognizer: Recognizer) -> None:
    page = open_page()
    judge(page, talk)
    spoken = sum(segment.speech for segment in recognizer(talk).segments)
    assert f"{spoken} with speech" in page.inner_text("#segments-title")
    page.check("#speech-only")
    assert page.locator("#rows tr:visible").count() == spoken


def test_a_recording_is_judged_though_its_live_view_ends(open_page: OpenPage) -> None:
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
    assert "anger" in page.inner_text("#verdict")
    assert page.get_attribute("#record", "aria-pressed") == "false"


def test_a_doubt_is_shown_as_one(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    page.click(".settings summary")
    page.fill("#threshold", "1")
    judge(page, clip)
    assert page.inner_text("#verdict") == "perhaps anger"
    assert "unsure" in page.inner_text("#verdict-detail")


def test_the_microphone_is_heard_live_and_judged_as_a_whole(open_page: OpenPage) -> None:
    page = open_page()
    page.click("#record")
    page.wait_for_selector("#live:not([hidden])")
    assert page.get_attribute("#record", "aria-pressed") == "true"
    page.wait_for_selector("#live-bars .bar")
    page.wait_for_timeout(4000)
    live = page.inner_text("#live-emotion")
    page.click("#record")
    page.wait_for_selector("#result:not([hidden])")
    assert page.is_hidden("#live")
    assert "anger" in live
    assert "anger" in page.inner_text("#verdict")


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
    assert "no audio of a known format" in told
    assert "expected wav" in told
    assert "voice.wav" in told
    assert page.is_hidden("#result")


def test_downloads_can_be_read_by_those_who_own_the_formats(
    open_page: OpenPage, talk: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    page = open_page()
    judge(page, talk)
    segments = recognizer(talk).segments
    paths = {}
    for name in ("csv", "json", "textgrid", "webvtt"):
        with page.expect_download() as download:
            page.click(f"[data-format={name}]")
        paths[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(paths[name])
    assert [path.name for path in paths.values()] == ["talk.csv", "talk.json", "talk.TextGrid", "talk.vtt"]
    rows = list(csv.DictReader(io.StringIO(paths["csv"].read_text(encoding="utf-8"))))
    assert len(rows) == len(segments)
    assert len(json.loads(paths["json"].read_text(encoding="utf-8"))["tracks"][0]["segments"]) == len(segments)
    textgrid = pytest.importorskip("praatio.textgrid")
    assert textgrid.openTextgrid(str(paths["textgrid"]), includeEmptyIntervals=False).tierNames
    webvtt = pytest.importorskip("webvtt")
    assert len(webvtt.read(str(paths["webvtt"]))) == sum(segment.emotion is not None for segment in segments)


def test_everything_can_be_done_from_the_keyboard(open_page: OpenPage, clip: Path) -> None:
    page = open_page()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"choose", "record", "SUMMARY"} <= set(reached)
    page.focus("#choose")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(clip)
    page.wait_for_selector("#spectrogram canvas", state="attached")
    assert page.evaluate("document.activeElement.id") == "result"
    hear = page.locator("#rows button").first
    assert "anger" in (hear.get_attribute("aria-label") or "")
    hear.focus()
    page.keyboard.press("Enter")
    page.locator("#play", has_text="Pause").wait_for()
    # It stops by itself at the end of the segment.
    page.locator("#play", has_text="Play").wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1180, "light"), (1180, "dark"), (360, "light")])
def test_axe_finds_no_serious_fault_and_nothing_is_wider_than_the_screen(
    open_page: OpenPage, talk: Path, width: int, scheme: str
) -> None:
    page = open_page(width=width, scheme=scheme)
    page.click(".settings summary")
    assert serious_faults(page) == []
    judge(page, talk)
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
