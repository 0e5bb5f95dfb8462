"""One stream in many cuts."""

from __future__ import annotations

import numpy as np


def cut(waveform: np.ndarray, seed: int) -> list[np.ndarray]:
    """The same samples in blocks of random lengths, one of them empty."""
    generator = np.random.default_rng(seed)
    lengths = []
    while sum(lengths) < waveform.shape[-1]:
        lengths.append(int(generator.choice([0, 1, 13, 160, 512, 4_000, 50_000])))
    return np.split(waveform, np.cumsum(lengths)[:-1], axis=-1)
