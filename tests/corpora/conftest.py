"""Trees that several tests of the corpora share; tests that change one must put it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpora.made_trees import RELEASES, make_tree


@pytest.fixture(scope="session")
def trees(tmp_path_factory) -> dict[str, Path]:
    """Every official name of each corpus, a few bytes each, side by side in one folder."""
    folder = tmp_path_factory.mktemp("corpora")
    return {name: make_tree(name, folder / name) for name in RELEASES}
