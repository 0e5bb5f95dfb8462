"""The page with long recordings: zoom, what is drawn without a waveform, jobs."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import RATE, analyse, until

from emotone.audio import load_audio

pytestmark = pytest.mark.slow

OpenPage = Callable[..., Any]
VIEW = """() => {
    const frame = document.querySelector("#over-time");
    return [frame.scrollLeft / frame.scrollWidth, (frame.scrollLeft + frame.clientWidth) / frame.scrollWidth];
}"""


def write_turns(path: Path, voice: Path, every_s: int) -> Path:
    """Twenty-five minutes, longer than a browser is asked to decode: a voice every few seconds, silence between."""
    turn = np.zeros(every_s * RATE, np.float32)
    sound = load_audio(voice, sample_rate=RATE)[: turn.size]
    turn[: sound.size] = sound
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _ in range(25 * 60 // every_s):
            file.writeframes((turn * 32_767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def hour(clips_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An angry voice every 30 s."""
    folder = tmp_path_factory.mktemp("hour")
    return write_turns(folder / "hour.wav", clips_dir / "emodb" / "03a01Wa.flac", 30)


@pytest.fixture(scope="module")
def busy(clips_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An angry voice every 3 s."""
    folder = tmp_path_factory.mktemp("busy")
    return write_turns(folder / "busy.wav", clips_dir / "emodb" / "03a01Wa.flac", 3)


def test_zooming_keeps_the_playhead_where_it_is_on_the_screen(open_page: OpenPage, talk: Path) -> None:
    page = open_page()
    analyse(page, talk)
    assert page.evaluate(VIEW) == [0, 1]
    assert page.is_disabled("#zoom-out")
    box = page.locator("#chart").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 40)
    with wave.open(str(talk)) as file:
        half_s = file.getnframes() / file.getframerate() / 2
    until(page, "document.querySelector('#now').textContent.startsWith('0:1')")
    assert float(page.inner_text("#now").partition(":")[2].partition(" ")[0]) == pytest.approx(half_s, abs=0.15)
    page.click("#zoom-in")
    page.click("#zoom-in")
    until(page, "document.querySelector('#zoom-note').textContent.includes('in view')")
    start, end = page.evaluate(VIEW)
    assert end - start == pytest.approx(0.25, abs=0.01)
    assert (start + end) / 2 == pytest.approx(0.5, abs=0.01)
    # The waveform, the spectrogram and the frame they scroll in are of one width.
    widths = page.evaluate(
        "['#wide', '#waveform', '#spectrogram'].map((one) => document.querySelector(one).getBoundingClientRect().width)"
    )
    assert max(widths) - min(widths) < 1
    page.click("#zoom-out")
    page.click("#zoom-out")
    until(page, "document.querySelector('#zoom-note').textContent === ''")
    assert page.evaluate(VIEW) == [0, 1]


def test_a_segment_that_is_played_comes_into_view_and_its_row_is_marked(open_page: OpenPage, talk: Path) -> None:
    page = open_page()
    analyse(page, talk)
    for _ in range(3):
        page.click("#zoom-in")
    page.evaluate("document.querySelector('#over-time').scrollLeft = 0")
    last = page.locator("#rows tr:not(.pause)").last
    last.locator("button").click()
    until(page, "document.querySelector('#over-time').scrollLeft > 0")
    assert page.locator("#rows tr.playing").count() == 1


def test_the_wheel_zooms_around_the_pointer_with_ctrl_held_and_scrolls_the_page_without(
    open_page: OpenPage, talk: Path
) -> None:
    page = open_page()
    analyse(page, talk)
    page.locator("#waveform").scroll_into_view_if_needed()
    box = page.locator("#waveform").bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 40)
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(300)
    assert page.evaluate(VIEW) == [0, 1]
    box = page.locator("#waveform").bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 40)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    until(page, "document.querySelector('#zoom-note').textContent !== ''")
    start, end = page.evaluate(VIEW)
    assert start + 0.9 * (end - start) == pytest.approx(0.9, abs=0.02)


def test_what_is_too_long_for_a_waveform_shows_its_emotions_over_time(open_page: OpenPage, hour: Path) -> None:
    page = open_page()
    page.set_input_files("#file", hour)
    page.wait_for_selector("canvas.overview")
    assert "too long" in page.inner_text("#waveform-note")
    assert page.is_hidden("#spectrogram")
    # The voices are far apart, so each is drawn by itself.
    assert page.inner_text("#chart-note") == ""
    colours = """() => {
        const canvas = document.querySelector("canvas.overview");
        const copy = new OffscreenCanvas(canvas.width, 1).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 2 - canvas.height);
        const { data } = copy.getImageData(0, 0, canvas.width, 1);
        const orange = (i) => data[i] > 180 && data[i + 2] < 60 && data[i + 3] > 200;
        const seen = Array.from({ length: canvas.width }, (_, x) => orange(4 * x));
        return seen.filter((one, x) => one && !seen[x - 1]).length;
    }"""
    assert page.evaluate(colours) == 50
    for _ in range(5):
        page.click("#zoom-in")
    until(page, "document.querySelector('#zoom-note').textContent.includes('in view')")
    assert page.evaluate(colours) in (1, 2)


def test_what_lies_closer_than_the_eye_can_part_is_drawn_as_means(open_page: OpenPage, busy: Path) -> None:
    page = open_page()
    page.set_input_files("#file", busy)
    page.wait_for_selector("canvas.overview")
    assert "means over" in page.inner_text("#chart-note")
    points = """() => [...document.querySelectorAll("#chart polyline")]
        .reduce((sum, one) => sum + one.getAttribute("points").split(" ").length, 0)"""
    assert page.evaluate(points) < 3000
    for _ in range(5):
        page.click("#zoom-in")
    until(page, "document.querySelector('#chart-note').textContent === ''")


def test_a_click_on_the_pictures_goes_there(open_page: OpenPage, hour: Path) -> None:
    page = open_page()
    page.set_input_files("#file", hour)
    page.wait_for_selector("canvas.overview")
    page.wait_for_timeout(500)
    for place in ("canvas.overview", "#chart"):
        box = page.locator(place).bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        until(page, "document.querySelector('#now').textContent.startsWith('12:')")
        page.evaluate("document.querySelector('#rows button').click()")
        until(page, "document.querySelector('#now').textContent.startsWith('0:')")
        page.click("#play")


def test_the_headline_of_a_long_recording_is_the_share_of_speaking_time(open_page: OpenPage, hour: Path) -> None:
    page = open_page()
    page.set_input_files("#file", hour)
    page.wait_for_selector("canvas.overview")
    assert page.inner_text("#headline") == "mostly anger"
    assert page.inner_text("#bars .best .share") == "100 %"
    moments = page.locator("#moments button")
    assert moments.count() == 2
    moments.nth(1).click()
    until(page, "document.querySelector('#now').textContent !== '0:00.0'")


def test_a_job_can_be_cancelled_and_is_deleted(open_page: OpenPage, hour: Path) -> None:
    page = open_page()
    sent: list[tuple[str, str]] = []
    page.on("request", lambda request: sent.append((request.method, request.url)))
    with page.expect_request(lambda request: "/v1/jobs/" in request.url) as asked:
        page.set_input_files("#file", hour)
    job = asked.value.url.rsplit("/", 1)[1]
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.click("#cancel")
    assert page.is_hidden("#progress")
    assert page.is_hidden("#result")
    assert [url.split("/v1")[1] for method, url in sent if method == "DELETE"] == [f"/jobs/{job}"]


def test_a_reload_finds_the_job_again(open_page: OpenPage, hour: Path) -> None:
    page = open_page()
    with page.expect_request(lambda request: "/v1/jobs/" in request.url):
        page.set_input_files("#file", hour)
    page.reload()
    page.wait_for_selector("canvas.overview")
    assert page.inner_text("#result-title") == "hour.wav"
    assert page.is_hidden("#play")
    with page.expect_file_chooser() as chooser:
        page.click("#attach")
    chooser.value.set_files(hour)
    page.wait_for_selector("#play:not([hidden])")
