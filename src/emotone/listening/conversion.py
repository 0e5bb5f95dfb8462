"""Store a model file with fewer bits, and check its predictions on the bundled recordings: `emotone convert`."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from emotone.audio import load_audio
from emotone.errors import ModelFileError
from emotone.files import write_bytes
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_metadata, read_model_file, with_metadata
from emotone.model_files.precision import with_precision

TOLERANCE = 0.1
"""Largest change of a probability, over the bundled clips, that a conversion may show; int8 usually shows 0.02."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a model file.

    Attributes:
        bytes_before: its size.
        bytes_after: that of the new file.
        largest_change: of a probability over the bundled clips.
        metadata: of the new file.
    """

    bytes_before: int
    bytes_after: int
    largest_change: float
    metadata: ModelMetadata


def convert_model(
    model: str | os.PathLike[str], output: str | os.PathLike[str], precision: str, *, name: str | None = None
) -> Conversion:
    """Write a model file with its network's weights stored in fewer bits; see `emotone.model_files.precision`.

    Args:
        model: a model file of float32.
        output: the file to write; it may be `model` itself.
        precision: "fp16" or "int8".
        name: of the new model; None for the output's name.
    Raises:
        ValueError: no such precision.
        ModelFileError: the model cannot be used or converted, or the new one changes a probability for the bundled
            recordings by more than `TOLERANCE`; nothing is written.
        MissingExtraError: the extra `convert` is not installed.
        OutputError: the file cannot be written.
    """
    before, metadata = read_model_file(Path(model))
    content = with_precision(before, precision)
    renamed = dataclasses.replace(read_metadata(content), name=name or Path(output).stem)
    after = with_metadata(content, renamed)
    change = largest_change(Recognizer(before, metadata), Recognizer(after, renamed))
    if change > TOLERANCE:
        raise ModelFileError(
            f"as {precision} the model {metadata.name} changes a probability by {change:.2f} on the bundled clips, "
            f"expected at most {TOLERANCE}; nothing was written"
        )
    write_bytes(output, after)
    return Conversion(len(before), len(after), change, renamed)


def largest_change(one: Recognizer, other: Recognizer) -> float:
    """The largest difference of a probability between two models of the same labels, over the bundled clips."""
    folder = resources.files("emotone") / "clips"
    sources = [
        clip
        for corpus in sorted((entry for entry in folder.iterdir() if entry.is_dir()), key=lambda entry: entry.name)
        for clip in sorted(corpus.iterdir(), key=lambda entry: entry.name)
    ]
    clips = [load_audio(source.read_bytes(), sample_rate=one.sample_rate) for source in sources]
    return float(np.abs(one.probabilities(clips) - other.probabilities(clips)).max())
