"""Give a model of this project a speaker's baseline, by the neutral speech that it was trained on.

    python -m emotone.experiments.shipping.speaker_baseline MODEL CORPORA OUTPUT

`emotone reproduce model` does the same where `ShippedModel.baseline` says so; this is for a file that was made before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.adaptation.baseline import give_baseline
from emotone.audio import load_audio
from emotone.corpora import Corpus, Split, Utterance, protocol_folds, read_corpus
from emotone.corpora.origins import MERGED_FROM
from emotone.errors import EmotoneError, TrainingError
from emotone.experiments.shipping.across_corpora import NOT_SPEECH
from emotone.files import write_bytes
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_model_file

SHARE = 0.5
"""Of the difference between a speaker's and the training speakers' neutral speech that is taken back."""


def neutral_speech(corpus: Corpus, split: Split) -> list[Utterance]:
    """The neutral utterances of the training part of a merged corpus, bursts and other sounds left out."""
    training = (corpus.utterances[index] for index in split.train.tolist())
    return [one for one in training if one.emotion == "neutral" and one.speaker.partition("/")[0] not in NOT_SPEECH]


def embeddings_of(content: bytes, metadata: ModelMetadata, utterances: Sequence[Utterance]) -> NDArray[np.float32]:
    """Embeddings of whole utterances by a model file, shape (n, embedding_dim)."""
    recognizer = Recognizer(content, metadata)
    rows = [
        recognizer.classify([load_audio(one.path, sample_rate=recognizer.sample_rate) for one in some]).embeddings
        for some in (utterances[start : start + 64] for start in range(0, len(utterances), 64))
    ]
    return np.concatenate(rows) if rows else np.zeros((0, metadata.embedding_dim), dtype=np.float32)


def add_baseline(content: bytes, metadata: ModelMetadata, utterances: Sequence[Utterance], share: float) -> bytes:
    """The file of a model with a speaker's baseline.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        utterances: neutral speech of its training speakers.
        share: see `SHARE`.
    Raises:
        ModelFileError: see `give_baseline`.
        AudioError: a recording cannot be read.
    """
    return give_baseline(content, metadata, embeddings_of(content, metadata, utterances), share)[0]


def main() -> None:
    """Read the model, hear its training speakers' neutral speech, write the new file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpora", type=Path, help="the folder that holds the corpora's folders")
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, default=SHARE, help="default: %(default)s")
    given = parser.parse_args()
    try:
        content, metadata = read_model_file(given.model)
        parts = {one.name for one in metadata.corpora}
        name = next((name for name, some in MERGED_FROM.items() if set(some) == parts), None)
        if name is None:
            raise TrainingError(f"{given.model} was trained on {', '.join(sorted(parts))}; expected a merged corpus")
        corpus = read_corpus(name, given.corpora)
        utterances = neutral_speech(corpus, protocol_folds(corpus).folds[0].indices(corpus))
        write_bytes(given.output, add_baseline(content, metadata, utterances, given.share))
    except EmotoneError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
