"""Figures are drawn without global state, say what they show, and stand on one page together."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from emotone.errors import MissingExtraError
from emotone.evaluation.reports import figures
from emotone.evaluation.run_folder import FinishedRun, read_run

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

DRAWN: dict[str, Callable[[FinishedRun], Figure]] = {
    "confusion": lambda run: figures.confusion_figure(run.results),
    "recall": lambda run: figures.recall_figure(run.results),
    "reliability": lambda run: figures.reliability_figure(run.results, run.predictions),
    "curves": lambda run: figures.curves_figure(run.results, run.histories),
}


@pytest.fixture(params=[(0,), (0, 1)], ids=["one seed", "two seeds"])
def run(request: pytest.FixtureRequest, make_run: Callable[..., Path]) -> FinishedRun:
    return read_run(make_run(request.param))


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_says_protocol_n_and_independence(run: FinishedRun, name: str) -> None:
    title = DRAWN[name](run).get_suptitle()
    assert "EmoDB, leave one speaker out, SI, n = 120, 4 speakers" in " ".join(title.split())


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_picture_each_time(run: FinishedRun, name: str) -> None:
    assert figures.as_svg(DRAWN[name](run), name) == figures.as_svg(DRAWN[name](run), name)
    assert figures.as_png(DRAWN[name](run)).startswith(b"\x89PNG")


def test_figures_on_one_page_share_no_id_and_fetch_nothing(run: FinishedRun) -> None:
    seen: list[str] = []
    for name, draw in DRAWN.items():
        svg = figures.as_svg(draw(run), name)
        ElementTree.fromstring(svg)
        ids = re.findall(r'\bid="([^"]+)"', svg)
        seen += ids
        references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
        assert {one or two for one, two in references} <= set(ids)
        assert not re.findall(r'href="(?!#)|url\((?!#)|@import|<style|<metadata', svg)
    assert len(seen) == len(set(seen))


def test_text_takes_the_colour_of_the_page(run: FinishedRun) -> None:
    svg = figures.as_svg(figures.recall_figure(run.results), "recall")
    assert "currentColor" in svg
    assert "#000000" not in svg


def test_the_confusion_matrix_shows_every_count(run: FinishedRun) -> None:
    axes = figures.confusion_figure(run.results).axes[0]
    shown = [text.get_text() for text in axes.texts]
    counts = [str(count) for row in run.results.pooled.confusion_matrix for count in row]
    assert shown[1::2] == counts


def test_there_is_one_curve_a_fold_and_one_dot_for_the_epoch_chosen(run: FinishedRun) -> None:
    losses, uars = figures.curves_figure(run.results, run.histories).axes
    n_folds = len(run.results.per_fold)
    assert len([line for line in losses.lines if len(line.get_xdata())]) == 2 * n_folds
    dots = [line for line in uars.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert [line.get_xdata().tolist() for line in dots] == [[2.0]] * n_folds


def test_names_that_look_like_mathematics_are_drawn_as_they_stand(make_run: Callable[..., Path]) -> None:
    run = read_run(make_run(corpus="my $corpus", protocol="a_{b"))
    figure = figures.recall_figure(run.results)
    assert "my $corpus" in figure.get_suptitle()
    figures.as_png(figure)


def test_a_class_without_utterances_has_no_share(make_run: Callable[..., Path]) -> None:
    results = read_run(make_run()).results
    pooled = results.pooled
    empty = pooled.per_class["anger"].model_copy(update={"recall": None, "support": 0})
    matrix = [[0, 0, 0], *pooled.confusion_matrix[1:]]
    pooled = pooled.model_copy(update={"per_class": {**pooled.per_class, "anger": empty}, "confusion_matrix": matrix})
    results = results.model_copy(update={"pooled": pooled})
    assert [text.get_text() for text in figures.confusion_figure(results).axes[0].texts][:6:2] == ["–"] * 3
    assert figures.recall_figure(results).axes[0].texts[0].get_text() == "–"


def test_without_matplotlib_the_error_names_the_extra(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"emotone\[plot\]"):
        figures.recall_figure(run.results)
