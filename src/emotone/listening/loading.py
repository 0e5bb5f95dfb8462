"""From a model file, a name or a repository to a recognizer."""

from __future__ import annotations

from os import PathLike

from emotone.listening.recognizer import Recognizer
from emotone.model_files.hub import local_model, shipped_model
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_model_file


def load(
    model: str | PathLike[str] | None = None, *, threads: int = 1, unsure_threshold: float | None = None
) -> Recognizer:
    """A recognizer from a model file.

    Args:
        model: a file made by `emotone export`; "small", for the shipped model without an encoder; or a model on the
            Hugging Face hub, `owner/name` or `owner/name@revision` (extra `hub`), which is downloaded once; None for
            the shipped model. A file of that name on this machine is taken first.
        threads: of ONNX Runtime; more than one seldom helps with short recordings.
        unsure_threshold: in place of the model's own.
    Raises:
        OptionError: fewer than one thread, or a threshold outside 0 to 1.
        ModelFileError: the file is missing, damaged, not one of ours, or of a newer schema; or the hub has none.
        MissingExtraError: it is of the hub, and the extra `hub` is not installed.
    """
    content, metadata = read_model(model)
    return Recognizer(content, metadata, threads=threads, unsure_threshold=unsure_threshold)


def read_model(model: str | PathLike[str] | None = None) -> tuple[bytes, ModelMetadata]:
    """The bytes of a model file and its metadata; the argument and the errors are those of `load`."""
    return read_model_file(shipped_model() if model is None else local_model(model))
