"""Sounds that several tests of the listening half share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotone.audio import load_audio
from emotone.listening.recognizer import Recognizer, load

RATE = 16_000


@pytest.fixture(scope="session")
def tiny_recognizer(tiny_model: Path) -> Recognizer:
    """The tiny model, loaded."""
    return load(tiny_model)


@pytest.fixture(scope="session")
def spoken_clips(clips_dir: Path) -> list[np.ndarray]:
    """The bundled clips at 16 kHz."""
    return [load_audio(path) for path in sorted([*clips_dir.glob("*/*.opus"), *clips_dir.glob("*/*.flac")])]


@pytest.fixture(scope="session")
def conversation(spoken_clips: list[np.ndarray]) -> np.ndarray:
    """A minute and a half: real voices, loud and soft, with pauses of faint noise, long ones too."""
    generator = np.random.default_rng(0)
    parts = []
    n_samples = 0
    while n_samples < 90 * RATE:
        clip = spoken_clips[generator.integers(len(spoken_clips))] * generator.uniform(0.2, 1.2)
        pause = 2e-4 * generator.standard_normal(int(generator.uniform(0.1, 6.0) * RATE))
        parts += [clip, pause]
        n_samples += len(clip) + len(pause)
    return np.concatenate(parts).astype(np.float32)[: 90 * RATE + 123]
