"""The page with turns and their texts, a usual voice, and a file that fails, also at the width of a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing import analyse, until

pytestmark = pytest.mark.slow

TURNS = """1
00:00:00,100 --> 00:00:02,000
Das will sie am Mittwoch abgeben.

2
00:00:03,000 --> 00:00:05,000
Der Lappen liegt auf dem Eisschrank.
"""


@pytest.fixture
def turns(tmp_path: Path) -> Path:
    path = tmp_path / "talk.srt"
    path.write_text(TURNS, encoding="utf-8")
    return path


def n_emotions(page: Any) -> int:
    count: int = page.evaluate("document.querySelectorAll('#bars .bar').length")
    return count


def test_curves_are_not_drawn_across_the_time_between_two_turns(open_page: Any, talk: Path, turns: Path) -> None:
    page = open_page()
    analyse(page, talk, turns)
    page.wait_for_selector("#chart polyline", state="attached")
    assert page.locator("#chart polyline").count() == 2 * n_emotions(page)


@pytest.mark.parametrize("width", [1180, 390, 320])
def test_the_texts_of_turns_are_whole_at_every_width(open_page: Any, talk: Path, turns: Path, width: int) -> None:
    page = open_page(width=width)
    analyse(page, talk, turns)
    rows = page.locator("#rows tr")
    assert rows.count() == 2
    assert "Mittwoch" in rows.first.inner_text()
    width_of = "document.querySelector('.table-frame').{}Width"
    assert page.evaluate(width_of.format("scroll")) <= page.evaluate(width_of.format("client"))
    # That there are turns is not a warning.
    assert page.locator("#notices").is_hidden()
    assert "talk.srt" in page.inner_text("#turns")


def test_a_result_says_that_it_is_relative_to_the_usual_voice(open_page: Any, clip: Path, clips_dir: Path) -> None:
    page = open_page()
    page.click(".settings summary")
    page.set_input_files("#baseline-file", clips_dir / "emodb" / "03a01Nc.flac")
    analyse(page, clip)
    assert "relative to the usual voice" in page.inner_text("#result-about")


def test_a_file_that_fails_says_why_in_the_list_and_the_others_are_shown(
    open_page: Any, clip: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"PK" + bytes(4000))
    page = open_page()
    analyse(page, clip, broken)
    until(page, "document.querySelector('#recordings .failed') !== null")
    assert page.inner_text("#recordings .failed") == "The file is not audio of a known format"
    assert page.locator("#problem").is_hidden()
    page.click("#recordings li:nth-child(2) .open")
    assert page.inner_text("#problem strong").startswith("broken.mp3")
    assert page.locator("#result").is_hidden()


def test_the_buttons_move_beside_the_text_once_there_are_recordings(open_page: Any, clip: Path) -> None:
    page = open_page()
    height = "document.querySelector('#drop').getBoundingClientRect().height"
    page.wait_for_selector("#choose")
    before = page.evaluate(height)
    analyse(page, clip)
    assert page.evaluate(height) < before
