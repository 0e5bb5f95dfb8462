"""What a model without an encoder gets after its training: a speaker's baseline, and the output `unfamiliar`.

    python -m emotone.experiments.shipping.without_encoder MODEL CORPORA OUTPUT

`emotone reproduce model small` ends with this; the command is for a file that was made before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.adaptation.baseline import give_baseline
from emotone.adaptation.unfamiliarity import distances, give_unfamiliarity, whitening
from emotone.audio import load_audio
from emotone.corpora import Corpus, Split, Utterance, protocol_folds, read_corpus
from emotone.corpora.origins import MERGED_FROM
from emotone.errors import EmotoneError, TrainingError
from emotone.experiments.shipping.across_corpora import NOT_SPEECH
from emotone.experiments.shipping.model_facts import DEVELOPMENT_CORPUS
from emotone.files import write_bytes
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_model_file

SHARE = 0.5
"""Of the difference between a speaker's and the training speakers' neutral speech that is taken back."""

BATCH = 64


def complete(
    content: bytes, metadata: ModelMetadata, corpus: Corpus, split: Split, unseen: Sequence[Utterance], share: float
) -> bytes:
    """A model file with a speaker's baseline, and with `unfamiliar`.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        corpus: that it was trained on.
        split: of that corpus. Baselines are compared with the mean of the training part's neutral speech, bursts and
            other sounds left out; distances of the validation part are references of `unfamiliar`.
        unseen: speech of another corpus, for further references.
        share: see `SHARE`.
    Raises:
        ModelFileError: the model has one of both already, or its classifier is not one linear layer.
        AudioError: a recording cannot be read.
    """
    training = [corpus.utterances[index] for index in split.train.tolist()]
    validation = [corpus.utterances[index] for index in split.validation.tolist()]
    found = embeddings_of(content, metadata, training)
    neutral = [one.emotion == "neutral" and _is_speech(one) for one in training]
    others = [*filter(_is_speech, validation), *unseen]
    references = distances(embeddings_of(content, metadata, others), *whitening(found))
    content, metadata = give_unfamiliarity(content, metadata, found, references)
    return give_baseline(content, metadata, found[neutral], share)[0]


def embeddings_of(content: bytes, metadata: ModelMetadata, utterances: Sequence[Utterance]) -> NDArray[np.float32]:
    """Embeddings of whole utterances by a model file, shape (n, embedding_dim)."""
    recognizer = Recognizer(content, metadata)
    rows = [np.zeros((0, metadata.embedding_dim), dtype=np.float32)]
    for start in range(0, len(utterances), BATCH):
        some = [load_audio(one.path, sample_rate=recognizer.sample_rate) for one in utterances[start : start + BATCH]]
        rows.append(recognizer.classify(some).embeddings)
    return np.concatenate(rows)


def unseen_speech(corpora: Path, classes: Sequence[str]) -> list[Utterance]:
    """The development corpus's utterances of a model's classes.

    Args:
        corpora: the folder that holds the corpora's folders.
        classes: of the model.
    """
    corpus = read_corpus(DEVELOPMENT_CORPUS, corpora / DEVELOPMENT_CORPUS)
    return [one for one in corpus.utterances if one.emotion in classes]


def _is_speech(utterance: Utterance) -> bool:
    return utterance.speaker.partition("/")[0] not in NOT_SPEECH


def main() -> None:
    """Read the model, hear the corpora, write the new file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpora", type=Path, help="the folder that holds the corpora's folders")
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=SHARE, help="of the baseline; default: %(default)s")
    given = parser.parse_args()
    try:
        content, metadata = read_model_file(given.model)
        parts = {one.name for one in metadata.corpora}
        name = next((name for name, some in MERGED_FROM.items() if set(some) == parts), None)
        if name is None:
            raise TrainingError(f"{given.model} was trained on {', '.join(sorted(parts))}; expected a merged corpus")
        corpus = read_corpus(name, given.corpora)
        split = protocol_folds(corpus).folds[0].indices(corpus)
        unseen = unseen_speech(given.corpora, metadata.labels)
        write_bytes(given.output, complete(content, metadata, corpus, split, unseen, given.share))
    except EmotoneError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
