"""What a network learns from a teacher beside the labels: its probabilities, and its embeddings.

Conventions: the teacher hears each recording as it is, also where the student hears an augmented copy of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.errors import TrainingError
from emotone.experiments.plan import Plan
from emotone.features.conditions import ConditionOptions
from emotone.models.frames import FramesNetwork
from emotone.training.data.batches import Indices, LabelledWaveforms
from emotone.training.data.frame_cache import FrameCache
from emotone.training.scoring import CACHED_BATCH, score
from emotone.training.trained_weights import read_weights

TEACHER_SHARE = 0.5
"""Of the targets that a student learns; the rest is the label."""


def taught(plan: Plan, data: LabelledWaveforms, train: Indices) -> LabelledWaveforms:
    """The data with a teacher's targets: half of each the label, half the teacher's probabilities; and its embeddings.

    Args:
        plan: with a teacher, trained on no speaker that this plan tests.
        data: of the plan's corpus.
        train: indices of the training part; other utterances keep their labels, and have no embeddings.
    Raises:
        TrainingError: there is no teacher, it has other classes, or it does not work on an encoder's frames.
    References:
        Hinton, Vinyals, Dean (2015): Distilling the knowledge in a neural network.
        Romero, Ballas, Kahou, Chassang, Gatta, Bengio (2015): FitNets: hints for thin deep nets.
    """
    if plan.teacher is None:
        raise TrainingError("the plan names no teacher")
    teacher = read_weights(plan.teacher)
    if teacher.labels != plan.corpus.classes:
        raise TrainingError(f"the teacher knows {', '.join(teacher.labels)}; expected {', '.join(plan.corpus.classes)}")
    network = teacher.network.network
    if not isinstance(network, FramesNetwork):
        raise TrainingError(f"the teacher is a {type(network).__name__}; expected a network on an encoder's frames")
    nothing = np.zeros(0, dtype=np.int64)
    frames = FrameCache.open(
        teacher.network,
        data.waveforms,
        folder=plan.store / "frames",
        conditions=ConditionOptions(),
        copied=train,
        others=nothing,
        neutral=[nothing] * len(data.targets),
    )
    logits = score(teacher.network, data, train, frames)
    targets = np.eye(data.n_classes, dtype=np.float32)[data.targets]
    probabilities = torch.softmax(torch.from_numpy(logits / teacher.temperature), dim=1).numpy()
    targets[train] = (1 - TEACHER_SHARE) * targets[train] + TEACHER_SHARE * probabilities
    if not plan.recipe.training.teacher_embedding:
        return replace(data, soft=targets)
    embeddings = np.zeros((len(data.targets), network.embedding_size), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(train), CACHED_BATCH):
            members = train[start : start + CACHED_BATCH]
            embeddings[members] = network.embed(*teacher.network.finish(*frames(members))).numpy()
    embeddings[train] = _standardised(embeddings[train])
    return replace(data, soft=targets, embeddings=embeddings)


def _standardised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    # Each dimension counts the same; an error of 1 is then what the mean alone would give.
    scaled: NDArray[np.float32] = (embeddings - embeddings.mean(0)) / np.maximum(embeddings.std(0), 1e-6)
    return scaled
