"""The output `unfamiliar` for a model that has none: how far speech is from what the model was trained on."""

from __future__ import annotations

import dataclasses

from emotone.adaptation.graph import Floats, with_unfamiliarity
from emotone.errors import OptionError
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import with_metadata


def give_unfamiliarity(
    content: bytes,
    metadata: ModelMetadata,
    *,
    centre: Floats,
    projection: Floats,
    references: Floats,
    unsure_above: float,
) -> tuple[bytes, ModelMetadata]:
    """A model file that says how unfamiliar speech is, from one that does not.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        centre: of the training embeddings, shape (embedding_dim,).
        projection: that whitens them, shape (embedding_dim, n_components).
        references: distances of speech that the model was not trained on, shape (n,).
        unsure_above: a prediction is unsure where `unfamiliar` is above this.
    Returns:
        the bytes of the new file and its metadata.
    Raises:
        OptionError: there are no references.
        ModelFileError: the model has the output already.
        MissingExtraError: the extra `adapt` is not installed.
    """
    if not len(references):
        raise OptionError("no speech that the model was not trained on; `unfamiliar` is compared with its distances")
    changed = dataclasses.replace(metadata, unsure_unfamiliar=unsure_above)
    return with_metadata(with_unfamiliarity(content, centre, projection, references), changed), changed
