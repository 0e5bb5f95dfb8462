"""A model file without `unfamiliar`, given that output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import emotone
from emotone.adaptation.unfamiliarity import distances, give_unfamiliarity, whitening
from emotone.errors import ModelFileError, OptionError
from emotone.model_files.model_file import read_metadata
from voices import voice

RATE = 16_000


def test_it_is_the_share_of_references_that_are_nearer(tiny_model: Path, tmp_path: Path) -> None:
    content = tiny_model.read_bytes()
    plain = emotone.load(tiny_model)
    assert plain(voice("anger", 0, 0), RATE).unfamiliar is None
    sounds = [
        np.asarray(loud * voice(emotion, speaker, take), dtype=np.float32)
        for emotion in ("neutral", "anger")
        for speaker in range(4)
        for take, loud in enumerate((0.02, 0.2, 0.7, 1.0))
    ]
    embeddings = plain.classify(sounds).embeddings
    training, others = embeddings[:16], embeddings[16:]
    measure = whitening(training)
    references = distances(others, *measure)
    changed, metadata = give_unfamiliarity(content, read_metadata(content), training, references, unsure_above=0.9)
    assert metadata == read_metadata(changed)
    assert metadata.unsure_unfamiliar == 0.9
    (tmp_path / "m.onnx").write_bytes(changed)
    found = emotone.load(tmp_path / "m.onnx").classify(sounds)
    expected = (distances(embeddings, *measure)[:, None] > references).mean(1)
    assert len(set(expected.tolist())) > 5
    # A file keeps 200 quantiles of the references, here of sixteen: between two of these it interpolates.
    np.testing.assert_allclose(found.unfamiliar, expected, atol=1 / len(references) + 0.006)
    np.testing.assert_array_equal(found.probabilities, plain.classify(sounds).probabilities)
    with pytest.raises(ModelFileError, match="an output 'unfamiliar' already"):
        give_unfamiliarity(changed, metadata, training, references)


def test_references_are_needed(tiny_model: Path) -> None:
    content = tiny_model.read_bytes()
    with pytest.raises(OptionError, match="no speech that the model was not trained on"):
        give_unfamiliarity(content, read_metadata(content), np.eye(2, dtype=np.float32), np.zeros(0))
