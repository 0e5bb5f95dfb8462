"""From weights to a model file: the graph, checked against PyTorch, and all that is known of it as metadata."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from emotone import __version__
from emotone.errors import ModelFileError
from emotone.features.encoder_frames import EncoderFrames
from emotone.features.front_end import FrontEnd
from emotone.files import write_bytes
from emotone.model_files.metadata import PRECISIONS, Encoder, ModelMetadata, Score, TrainingCorpus
from emotone.model_files.model_file import read_metadata, with_metadata
from emotone.model_files.precision import with_precision
from emotone.training.graph import LONGEST_WINDOW_S, CalibratedNetwork, build_graph, largest_difference
from emotone.training.trained_weights import TrainedWeights

TOLERANCE = 1e-4
"""Largest difference between PyTorch's and ONNX Runtime's probabilities that an export may show."""

PUBLISHER = "openai/whisper-"
"""Repositories whose weights are under the MIT licence begin with this."""


def export_model(
    weights: TrainedWeights,
    output: str | os.PathLike[str],
    *,
    name: str,
    corpora: Sequence[TrainingCorpus],
    scores: Sequence[Score] = (),
    file_scores: Sequence[Score] = (),
    licence: str = "",
    unsure_threshold: float = 0.5,
    precision: str = PRECISIONS[0],
    **declared: Any,
) -> float:
    """Write a model file, after checking it against PyTorch.

    Args:
        weights: from `read_weights`.
        output: the .onnx file to write.
        name: of the model.
        corpora: all it has seen, with their licences.
        scores: measured on the weights as they are, for its metadata.
        file_scores: measured on a model file with these weights in the precision asked for.
        licence: of the model file.
        unsure_threshold: a highest probability below this is called unsure.
        precision: in which the network's weights are stored, one of `PRECISIONS`; see `emotone.model_files.precision`.
        declared: further fields of `ModelMetadata`, such as `class_sets`; what the graph itself tells, its encoder and
            whether it takes a baseline, is not among them.
    Returns:
        the largest difference between PyTorch's and ONNX Runtime's probabilities, in the precision asked for.
    Raises:
        ModelFileError: the two do not agree to `TOLERANCE` while the weights are float32; nothing is written.
        OutputError: the file cannot be written.
    """
    front_end = weights.network.front_end
    options = front_end.options
    fixed_s = options.fixed_frames * options.hop_length / options.sample_rate
    module = CalibratedNetwork(weights.network.cpu(), weights.temperature).eval()
    content = build_graph(module)
    difference = largest_difference(content, module)
    if difference > TOLERANCE:
        raise ModelFileError(
            f"ONNX Runtime and PyTorch differ by {difference:.1e}, expected at most {TOLERANCE}; nothing was written"
        )
    metadata = ModelMetadata(
        name=name,
        labels=weights.labels,
        sample_rate=options.sample_rate,
        window_s=fixed_s or LONGEST_WINDOW_S,
        min_samples=front_end.min_samples,
        embedding_dim=int(weights.network.network.embedding_size),
        temperature=weights.temperature,
        unsure_threshold=unsure_threshold,
        recipe=weights.about["recipe"],
        corpora=tuple(corpora),
        scores=tuple(scores),
        licence=licence,
        weights_sha=weights.sha,
        emotone_version=__version__,
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        baseline=weights.network.network.takes_baseline,
        encoder=contained_encoder(front_end),
        **declared,
    )
    content = with_metadata(content, metadata)
    if precision != PRECISIONS[0]:
        content = with_precision(content, precision)
        difference = largest_difference(content, module)
    if file_scores:
        metadata = read_metadata(content)
        content = with_metadata(content, replace(metadata, scores=(*metadata.scores, *file_scores)))
    write_bytes(output, content)
    return difference


def contained_encoder(front_end: FrontEnd) -> Encoder | None:
    """What a model file must say of the pretrained encoder in its graph, with the notice that the licence asks for.

    Only OpenAI's own releases are known to be under the MIT licence; of others the licence is left empty. Of a folder
    on this machine only the name is stored.
    """
    if not isinstance(front_end, EncoderFrames):
        return None
    options = front_end.options
    name = Path(options.source).name if Path(options.source).is_dir() else options.source
    licence = notice = ""
    if options.source.startswith(PUBLISHER):
        licence = "MIT"
        notice = (resources.files("emotone") / "weights" / "LICENSE-whisper.txt").read_text(encoding="utf-8")
    return Encoder(name, options.revision, tuple(options.blocks), licence, notice, front_end.digest)
