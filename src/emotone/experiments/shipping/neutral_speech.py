"""Where the neutral speech of a model's training speakers lies, which a speaker's baseline is compared with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.experiments.plan import Plan
from emotone.experiments.shipping.across_corpora import NOT_SPEECH
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import LabelledWaveforms, scoring_batches
from emotone.training.data.waveform_store import WaveformStore


def neutral_embeddings(plan: Plan, network: RecognitionNetwork) -> NDArray[np.float32]:
    """Embeddings of the neutral speech in the training part of a plan's first fold, shape (n, d).

    Args:
        plan: that the network was trained by.
        network: over waveforms, without an encoder.
    """
    corpus = plan.corpus
    split = plan.folds.folds[plan.fold_numbers[0]].indices(corpus)
    chosen = [
        corpus.utterances[index]
        for index in split.train.tolist()
        if corpus.utterances[index].emotion == "neutral"
        and corpus.utterances[index].speaker.partition("/")[0] not in NOT_SPEECH
    ]
    waveforms = WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(chosen)
    data = LabelledWaveforms(waveforms, np.zeros(len(chosen), dtype=np.int64), [one.id for one in chosen], 1)
    found = np.zeros((len(chosen), network.network.embedding_size), dtype=np.float32)
    network.eval()
    with torch.no_grad():
        for members, waveform, lengths in scoring_batches(data, np.arange(len(chosen))):
            found[members] = network(waveform, lengths)[1].numpy()
    return found
