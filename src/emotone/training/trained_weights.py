"""The weights that a training run leaves, read back as a network that can be scored or exported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from emotone.errors import CheckpointError
from emotone.features.front_end import FeatureOptions
from emotone.models.recognition_network import NormalisationOptions, RecognitionNetwork
from emotone.models.systems import ModelOptions
from emotone.training.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class TrainedWeights:
    """Weights as a run leaves them, and what is known of them.

    Attributes:
        network: in evaluation mode.
        labels: in the order of the outputs.
        temperature: fitted on validation speakers.
        about: recipe, corpus, protocol, fold, seed.
        sha: SHA-256 of the file.
    """

    network: RecognitionNetwork
    labels: tuple[str, ...]
    temperature: float
    about: dict[str, Any]
    sha: str


def read_weights(path: Path) -> TrainedWeights:
    """Read a run's model.safetensors.

    Raises:
        CheckpointError: the file is missing, damaged or not one of ours.
    """
    checkpoint = Checkpoint.read(path)
    about = checkpoint.state
    try:
        recipe = about["recipe"]
        network = RecognitionNetwork(
            FeatureOptions.model_validate(recipe["features"]),
            NormalisationOptions.model_validate(recipe["normalisation"]),
            TypeAdapter(ModelOptions).validate_python(recipe["model"]),
            n_classes=len(about["labels"]),
        )
        network.load_state_dict(checkpoint.parts["model"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} holds no network of this version: {error}") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return TrainedWeights(network.eval(), tuple(about["labels"]), float(about["temperature"]), about, digest)
