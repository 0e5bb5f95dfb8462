"""A model file without `unfamiliar`, given that output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import emotone
from emotone.adaptation.unfamiliarity import give_unfamiliarity
from emotone.errors import ModelFileError, OptionError
from emotone.model_files.model_file import read_metadata
from emotone.models.unfamiliarity import Unfamiliarity, distances, whitening
from voices import voice

RATE = 16_000


def test_it_says_what_the_layer_of_the_training_says(tiny_model: Path, tmp_path: Path) -> None:
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
    references = distances(others, *whitening(training))
    layer = Unfamiliarity.fit(training, references)
    changed, metadata = give_unfamiliarity(
        content,
        read_metadata(content),
        centre=layer.centre.double().numpy(),
        projection=layer.projection.double().numpy(),
        references=layer.references.double().numpy(),
        unsure_above=0.9,
    )
    assert metadata == read_metadata(changed)
    assert metadata.unsure_unfamiliar == 0.9
    (tmp_path / "m.onnx").write_bytes(changed)
    found = emotone.load(tmp_path / "m.onnx").classify(sounds)
    expected = layer(torch.from_numpy(embeddings)).numpy()
    assert len(set(expected.tolist())) > 5
    np.testing.assert_allclose(found.unfamiliar, expected, atol=0.006)  # one of 200 references at a rounding
    np.testing.assert_array_equal(found.probabilities, plain.classify(sounds).probabilities)
    with pytest.raises(ModelFileError, match="an output 'unfamiliar' already"):
        give_unfamiliarity(
            changed, metadata, centre=np.zeros(2), projection=np.eye(2), references=np.ones(3), unsure_above=0.9
        )


def test_references_are_needed(tiny_model: Path) -> None:
    content = tiny_model.read_bytes()
    with pytest.raises(OptionError, match="no speech that the model was not trained on"):
        give_unfamiliarity(
            content,
            read_metadata(content),
            centre=np.zeros(2),
            projection=np.eye(2),
            references=np.zeros(0),
            unsure_above=0.9,
        )
