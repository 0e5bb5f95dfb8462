"""docs/results.md is what the result files say, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def results_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results_page", REPO / "benchmarks" / "results_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_figure_on_the_page_was_typed_by_hand(results_page: ModuleType) -> None:
    assert (REPO / "docs" / "results.md").read_text(encoding="utf-8") == results_page.page()
    assert (REPO / "README.md").read_text(encoding="utf-8") == results_page.readme()


def test_what_was_not_run_says_so(results_page: ModuleType) -> None:
    assert results_page.Row("no-such-run", "a row").cells()[1] == "not run"
    assert "not run" in results_page.paper_tables("no-such-table")
