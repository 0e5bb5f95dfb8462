"""Starting a training from the weights of an earlier run, without letting it see the speakers that are held out now."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotone.corpora import CORPUS_NAMES, Corpus, origin
from emotone.corpora.origins import CUT_FROM, MERGED_FROM
from emotone.errors import CheckpointError, SpeakerLeakError
from emotone.evaluation.run_folder import FoldFolder
from emotone.experiments.plan import Partition
from emotone.experiments.recipe import Recipe
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.checkpoint import Checkpoint


def load_initial_weights(network: RecognitionNetwork, path: Path, recipe: Recipe, labels: Sequence[str]) -> None:
    """Load the weights of an earlier run into a new network of the same kind.

    With other classes than the earlier run's, what depends on the classes keeps its random values.

    Args:
        network: freshly made, of `recipe` and `labels`.
        path: a model.safetensors.
        recipe: of the new run.
        labels: of the new run, in order.
    Raises:
        CheckpointError: damaged, or of a network with other features or of another kind.
    """
    checkpoint = Checkpoint.read(path)
    earlier = checkpoint.state.get("recipe", {})
    settings = recipe.model_dump(mode="json")
    differing = [part for part in ("features", "model") if earlier.get(part) != settings[part]]
    if differing:
        raise CheckpointError(
            f"{path} was trained with other settings of {' and '.join(differing)}; start from a run of the same recipe"
        )
    weights = checkpoint.parts.get("model", {})
    own = network.state_dict()
    if tuple(checkpoint.state.get("labels", ())) != tuple(labels):
        wider = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=len(labels) + 1)
        of_classes = {name for name, tensor in wider.state_dict().items() if tensor.shape != own[name].shape}
        weights = {name: tensor for name, tensor in weights.items() if name not in of_classes} | {
            name: own[name] for name in of_classes
        }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit this network: {error}") from error


def initial_facts(path: Path) -> dict[str, Any]:
    """Facts about the initial weights, to be stored with whatever is trained from them.

    Raises:
        CheckpointError: not the weights of a run.
    """
    state = Checkpoint.read(path).state
    if "corpus" not in state:
        raise CheckpointError(f"{path} does not name its training corpus; expected a run's model.safetensors")
    before = state.get("initialised_from", {}).get("corpora", {})
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "corpora": {**before, str(state["corpus"]): str(state.get("licence", "unstated"))},
    }


def require_unseen(path: Path, corpus: Corpus, folds: Sequence[Partition]) -> None:
    """Check that the initial weights were not trained on validation or test speakers of these folds.

    Speakers are distinguished by the names of corpora and speakers, so a manifest under a new name passes.

    Raises:
        SpeakerLeakError: they were.
        CheckpointError: not the weights of a run.
    """
    seen: set[str] = set()
    for name in initial_facts(path)["corpora"]:
        seen |= {CUT_FROM.get(name, name), *MERGED_FROM.get(name, ())}
    state, folder = Checkpoint.read(path).state, FoldFolder(path.parent)
    held_out = set()
    if folder.is_done and "initialised_from" not in state:
        info = folder.read_info()
        names = [*info["test_speakers"], *info["validation_speakers"]]
        held_out = {origin(str(state["corpus"]), speaker, CORPUS_NAMES) for speaker in names}
    for fold in folds:
        for speaker in (*fold.validation, *fold.test):
            found = origin(corpus.name, speaker, CORPUS_NAMES)
            if found[0] in seen and found not in held_out:
                raise SpeakerLeakError(
                    f"{path} was trained on speaker {found[1]} of {found[0]}, whom these folds hold out; start from a "
                    "run on another corpus, or from the same fold"
                )
