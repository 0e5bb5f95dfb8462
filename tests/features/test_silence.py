"""Other silence around speech: what is cut, what replaces it, and that the speech stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from emotone.audio import load_audio
from emotone.corpora import Corpus
from emotone.errors import RecipeError
from emotone.experiments.recipe import recipe_from
from emotone.features.silence import SilenceOptions, speech_bounds, with_other_silence

RATE = 16_000


@pytest.fixture(scope="module")
def padded(voices: Corpus) -> np.ndarray:
    """Speech with 1.5 s of a soft room before it and 1 s behind it."""
    speech = load_audio(voices.utterances[0].path, sample_rate=RATE)
    generator = np.random.default_rng(0)
    before, behind = (0.001 * generator.standard_normal(n).astype(np.float32) for n in (24_000, 16_000))
    return np.concatenate([before, speech, behind])


def test_bounds_are_those_of_the_speech(padded: np.ndarray) -> None:
    start, end = speech_bounds(padded, RATE)
    assert 23_000 < start < 30_000
    assert len(padded) - 24_000 < end < len(padded) - 11_000


def test_without_speech_the_whole_recording_is_kept() -> None:
    assert speech_bounds(np.zeros(RATE, dtype=np.float32), RATE) == (0, RATE)
    assert speech_bounds(np.zeros(0, dtype=np.float32), RATE) == (0, 0)


def test_bounds_do_not_depend_on_the_rate(padded: np.ndarray) -> None:
    start, end = speech_bounds(np.repeat(padded, 2), 2 * RATE)
    assert np.array([start, end]) / 2 == pytest.approx(speech_bounds(padded, RATE), abs=1_600)


def test_the_speech_is_unchanged_within_every_copy(padded: np.ndarray) -> None:
    start, end = speech_bounds(padded, RATE)
    speech = padded[start:end]
    options = SilenceOptions(longest_s=0.5)
    found = set()
    for number in range(1, 25):
        copy = with_other_silence(padded, options, number, "one", RATE)
        assert copy.dtype == np.float32
        places = np.flatnonzero(copy == speech[1000]) - 1000
        at = next(place for place in places if np.array_equal(copy[place : place + len(speech)], speech))
        around = np.concatenate([copy[:at], copy[at + len(speech) :]])
        assert len(around) <= 2 * 8_000
        if not len(around):
            found.add("none")
        elif not around.any():
            found.add("digital")
        elif np.array_equal(copy[:at], padded[start - at : start]) and at:
            found.add("own")
        else:
            found.add("noise")
            level = 10 * np.log10(np.mean(around**2) / np.mean(speech**2))
            assert -77 < level < -38
    assert found == {"none", "digital", "noise", "own"}


def test_a_copy_depends_on_its_number_and_name_alone(padded: np.ndarray) -> None:
    options = SilenceOptions(copies=2, share=0.1)
    one, same, other = (
        with_other_silence(padded, options, number, name, RATE) for number, name in ((1, "a"), (1, "a"), (1, "b"))
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert options.settings() == SilenceOptions().settings()


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValidationError):
        SilenceOptions(longest_s=-1)
    tables = {"features": {"kind": "whisper", "source": "x", "blocks": [1]}, "normalisation": {"centre": "none"}}
    with pytest.raises(RecipeError, match="at most 1"):
        recipe_from(
            {**tables, "name": "x", "model": {"system": "frames"}, "copies": {"copies": 1, "share": 0.6},
             "silence": {"copies": 1, "share": 0.6}},
            source="test",
        )  # fmt: skip
    with pytest.raises(RecipeError, match="frozen encoder"):
        recipe_from({"name": "x", "copies": {"copies": 1}}, source="test")
