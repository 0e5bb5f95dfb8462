"""Reports say all that stands beside a score, escape what users wrote, and need nothing but themselves."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from emotone.errors import MissingExtraError
from emotone.evaluation.reports.report import write_report
from emotone.evaluation.results import Results

HOSTILE = "<script>alert(1)</script> | `x` **b** &amp; [l](http://example.org)"


class _Page(HTMLParser):
    """Tags, attributes and whether every element is closed."""

    VOID = frozenset({"meta", "br", "img", "link", "path", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(params=[(0,), (0, 1)], ids=["one seed", "two seeds"])
def run(request: pytest.FixtureRequest, make_run: Callable[..., Path]) -> Path:
    return make_run(request.param)


def test_a_report_is_written_in_both_forms_with_its_figures(run: Path) -> None:
    written = write_report(run)
    assert [path.name for path in written[:2]] == ["report.md", "report.html"]
    assert {path.name for path in written[2:]} == {"recall.png", "confusion.png", "curves.png", "reliability.png"}
    markdown = written[0].read_text()
    for linked in re.findall(r"\]\((.+?\.png)\)", markdown):
        assert (run / linked).read_bytes().startswith(b"\x89PNG")


def test_both_forms_carry_the_headline_and_every_fold(run: Path) -> None:
    markdown, page = (path.read_text() for path in write_report(run)[:2])
    results = Results.read(run / "results.json")
    assert results.headline() in "".join(_Page(page).text)
    assert results.headline() in markdown.replace("\\", "")
    for text in (markdown.replace("\\", ""), page):
        for part in ("1a2b3c4d5e6f", "emotone crossval emodb DIR", "912,345", "2 of 3", "speaker 08", '"gamma": 2.0'):
            assert part in text.replace("&quot;", '"')


def test_the_page_needs_nothing_but_itself(run: Path) -> None:
    page = _Page((run / "report.html" if write_report(run) else run).read_text())
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    for name, value in page.attributes:
        if name in ("href", "src", "xlink:href"):
            assert value.startswith("#")
        assert not name.startswith("on")
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert page.tags.count("svg") == 4


def test_the_page_is_made_for_light_and_dark_and_for_screen_readers(run: Path) -> None:
    text = write_report(run, formats=["html"])[0].read_text()
    assert "prefers-color-scheme: dark" in text
    assert text.count('role="img" aria-label="') == 4
    assert text.count("<caption>") == text.count("<table>")
    assert '<html lang="en">' in text


def test_what_users_wrote_is_escaped(make_run: Callable[..., Path]) -> None:
    recipe = {"summary": f"# ``` ```` {HOSTILE}"}
    run = make_run(
        corpus=HOSTILE, protocol=HOSTILE, recipe_name=HOSTILE, recipe=recipe, command=HOSTILE, device=HOSTILE
    )
    markdown, page = (path.read_text() for path in write_report(run)[:2])
    assert "script" not in _Page(page).tags
    assert HOSTILE in "".join(_Page(page).text)
    prose, _, code = markdown.partition("\n`````\n")
    assert HOSTILE in code
    assert not re.search(r"(?<!\\)<|(?<!\\)`|[^\\]\]\(http", prose)
    rows = [line for line in prose.splitlines() if line.startswith("| command")]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 3


def test_a_speaker_dependent_score_carries_a_warning(make_run: Callable[..., Path]) -> None:
    markdown, page = (path.read_text() for path in write_report(make_run(speaker_independent=False), figures=False))
    assert "Speakers are shared by training and test" in page
    assert "too high" in markdown


def test_a_report_goes_where_it_is_wanted(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run()
    before = sorted(path.name for path in run.iterdir())
    written = write_report(run, tmp_path / "elsewhere" / "deep", formats=["html"])
    assert written == [tmp_path / "elsewhere" / "deep" / "report.html"]
    assert sorted(path.name for path in run.iterdir()) == before


def test_figures_can_be_left_out_where_matplotlib_is_absent(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"emotone\[plot\]"):
        write_report(run)
    assert not (run / "report.md").exists()
    assert [path.name for path in write_report(run, figures=False)] == ["report.md", "report.html"]


def test_one_run_gives_one_report(run: Path) -> None:
    first = [path.read_bytes() for path in write_report(run)]
    assert [path.read_bytes() for path in write_report(run)] == first
