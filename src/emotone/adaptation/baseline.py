"""A speaker's baseline for a model that was trained without: how far it moves the answers.

A network over spectrograms hears the voice along with the emotion. Where a speaker's neutral speech lies elsewhere than
that of the training speakers, all of the speaker's speech probably does, so a share of that difference is taken back in
front of the last layer. Nothing is learnt for it; the share is chosen on development figures (EXPERIMENTS.md,
2026-11-27).

References:
    Busso, Metallinou, Narayanan (2011): Iterative feature normalization for emotional speech detection.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from emotone.adaptation.graph import with_baseline
from emotone.errors import OptionError
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import with_metadata


def give_baseline(
    content: bytes, metadata: ModelMetadata, neutral: NDArray[np.float32], share: float
) -> tuple[bytes, ModelMetadata]:
    """A model file that takes a speaker's baseline, from one that takes none.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        neutral: embeddings of neutral speech of the training speakers, shape (n, embedding_dim).
        share: of the difference between a speaker's and their neutral speech that is taken back, in (0, 1].
    Returns:
        the bytes of the new file and its metadata. Without a baseline its answers are the same.
    Raises:
        OptionError: the share is outside its range, or there is no neutral speech.
        ModelFileError: the model takes a baseline already, or its classifier is not one linear layer on its embedding.
        MissingExtraError: the extra `adapt` is not installed.
    """
    if not 0 < share <= 1:
        raise OptionError(f"a share of {share} for the baseline; expected more than 0 and at most 1")
    if not len(neutral):
        raise OptionError("no neutral speech of the training speakers; a baseline is compared with its mean")
    changed = dataclasses.replace(metadata, baseline=True)
    graph = with_baseline(content, neutral.mean(0, dtype=np.float64), share, metadata.temperature)
    return with_metadata(graph, changed), changed
