"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The folder of real corpora beside the checkout; tests that need it skip where it is absent."""
    folder = REPO.parent / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip("no corpora folder beside the checkout: tests on whole corpora are skipped")
    return folder


@pytest.fixture(scope="session")
def clips_dir() -> Path:
    """The bundled real clips."""
    return REPO / "src" / "emotone" / "clips"
