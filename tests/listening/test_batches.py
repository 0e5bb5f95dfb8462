"""Batches of windows: every window once, none wider than its limit, and the same answers however they are cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import emotone
from emotone.listening.model import session
from emotone.listening.model.session import BATCH, batches


@given(st.lists(st.integers(1, 50), max_size=80).map(sorted), st.integers(1, 120))
def test_every_waveform_is_in_one_batch_that_is_not_too_large(lengths: list[int], most: int) -> None:
    found = batches(lengths, most)
    assert [place for start, end in found for place in range(start, end)] == list(range(len(lengths)))
    for start, end in found:
        assert end - start == 1 or ((end - start) * lengths[end - 1] <= most and end - start <= BATCH)


def test_answers_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    sounds = [0.1 * generator.standard_normal(n).astype(np.float32) for n in (16_000, 40_000, 17_000, 32_000)]
    recognizer = emotone.load(threads=1)
    together = recognizer.probabilities(sounds)
    monkeypatch.setattr(session, "BATCH_S", 0.0)
    np.testing.assert_allclose(recognizer.probabilities(sounds), together, atol=1e-5)
