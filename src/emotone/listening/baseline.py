"""A speaker's baseline: how a voice sounds when it says nothing emotional.

Conventions: an embedding is `(d,)` float32, as `Recognition.embedding`; it does not depend on any baseline.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from emotone.errors import BaselineError
from emotone.listening.recognition import Recognition
from emotone.listening.sound.inputs import as_array, is_array

_RECORDING_KEYS = frozenset({"array", "waveform", "raw", "bytes", "audio", "path"})


@dataclass(frozen=True, slots=True)
class Baseline:
    """The mean embedding of a few neutral recordings of one speaker.

    Attributes:
        name: of the recordings, as answers show it.
        embedding: shape (d,); kept out of comparisons.
        n_recordings: behind it; 0 if it was given as an embedding.
        duration_s: of these recordings.
    """

    name: str
    embedding: npt.NDArray[np.float32] = field(compare=False, repr=False)
    n_recordings: int = 0
    duration_s: float = 0.0

    def of(self, speaker: str) -> Baseline:
        """The same, named after its speaker as well."""
        return replace(self, name=f"{speaker}: {self.name}")


class Recogniser(Protocol):
    """What a baseline is measured with."""

    def __call__(self, source: Any, sample_rate: int | None = None) -> Recognition:
        """Recognise one recording."""
        ...


def measure_baseline(
    recognizer: Recogniser, embedding_dim: int, recordings: Any, *, name: str | None = None
) -> Baseline:
    """A baseline from recordings, or from an embedding.

    Args:
        recognizer: without a baseline.
        embedding_dim: of its model.
        recordings: one source or a list of sources, as a recognizer takes them; or an embedding of shape (d,).
        name: to show in answers; None for the names of the recordings.
    Raises:
        AudioError: a recording cannot be used.
        BaselineError: there are none, one of them has no speech, or the embedding is not of this model.
    """
    if isinstance(recordings, Baseline):
        return _checked(recordings, embedding_dim)
    numbers = isinstance(recordings, list) and bool(recordings) and isinstance(recordings[0], int | float)
    if is_array(recordings) or numbers:
        embedding = np.asarray(recordings, np.float32) if numbers else as_array(recordings).astype(np.float32)
        return _checked(Baseline(name or "<embedding>", embedding), embedding_dim)
    sources: Sequence[Any] = recordings if isinstance(recordings, list) else [recordings]
    if not sources:
        raise BaselineError("no recordings for a baseline; expected at least one")
    found = [recognizer(source) for source in sources]
    for one in found:
        if one.emotion is None:
            raise BaselineError(
                f"{one.source}: no speech was found; a baseline needs a few seconds of the speaker's usual voice"
            )
    mean = np.mean([one.embedding for one in found], axis=0).astype(np.float32)
    names = ", ".join(os.path.basename(one.source) for one in found)  # noqa: PTH119 - a source need not be a path
    return _checked(Baseline(name or names, mean, len(found), sum(one.duration_s for one in found)), embedding_dim)


def is_speaker_mapping(value: Any) -> bool:
    """Whether it is speaker -> baseline, and not a recording in a dictionary of a dataset.

    >>> is_speaker_mapping({"ann": "calm.wav"}), is_speaker_mapping({"array": [0.0], "sampling_rate": 16_000})
    (True, False)
    """
    return isinstance(value, Mapping) and not _RECORDING_KEYS & {str(key) for key in value}


def _checked(baseline: Baseline, embedding_dim: int) -> Baseline:
    if baseline.embedding.shape != (embedding_dim,):
        raise BaselineError(
            f"a baseline of shape {baseline.embedding.shape}; expected an embedding of shape ({embedding_dim},), "
            "or recordings (a bare waveform needs its rate: (waveform, sample_rate))"
        )
    if not np.isfinite(baseline.embedding).all() or not baseline.embedding.any():
        raise BaselineError("a baseline embedding must be finite, and not all zeros")
    return baseline
