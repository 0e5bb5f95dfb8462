"""The model file: one ONNX graph with its own description as metadata, read and written.

A file is checked before ONNX Runtime opens it: one that would make the runtime open other files is rejected. Nothing is
ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from emotone.errors import MissingExtraError, ModelFileError
from emotone.files import check_replaceable
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.onnx_wire import (
    GRAPH,
    METADATA_PROPS,
    DamagedError,
    has_external_data,
    spans,
    string_entry,
)

METADATA_KEY = "emotone"


def read_model_file(path: str | Path) -> tuple[bytes, ModelMetadata]:
    """The bytes of a model file, checked, and its metadata.

    Raises:
        ModelFileError: the file does not exist, is not a model file, is damaged, or needs other files beside it.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"cannot read the model file {path}: {error.strerror or error}; expected a file made by `emotone export`"
        ) from error
    try:
        return content, read_metadata(content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def read_metadata(content: bytes) -> ModelMetadata:
    """The metadata in the bytes of a model file.

    Raises:
        ModelFileError: not one of ours, damaged, of a newer schema, or not in one piece.
    """
    try:
        fields = list(spans(content))
        entries = dict(string_entry(one.value) for one in fields if one.number == METADATA_PROPS)
        has_graph = any(one.number == GRAPH for one in fields)
        outside = has_external_data(content)
    except DamagedError as error:
        raise ModelFileError("not an ONNX file, or a damaged one; expected a file made by `emotone export`") from error
    if outside:
        raise ModelFileError("the model keeps weights in other files; expected all of them in one file")
    if not has_graph or METADATA_KEY not in entries:
        raise ModelFileError(
            f"not an emotone model: no metadata under {METADATA_KEY!r}; expected a file made by `emotone export`"
        )
    return ModelMetadata.from_json(entries[METADATA_KEY])


def with_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """The ONNX file with `metadata` in it, which replaces any other.

    Args:
        content: the bytes of an ONNX file.
        metadata: to store.
    Raises:
        ModelFileError: `content` is not an ONNX file.
        MissingExtraError: the package onnx is not installed; every extra whose commands write models has it.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("writing a model file", "convert") from error
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's own class, which is not imported for its name
        raise ModelFileError("metadata can only be stored in an ONNX file; these bytes are not one") from error
    entries = {one.key: one.value for one in model.metadata_props}
    onnx.helper.set_model_props(model, entries | {METADATA_KEY: metadata.to_json()})
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def check_model_output(
    output: str | os.PathLike[str], *, inputs: Iterable[str | os.PathLike[str]] = (), overwrite: bool = False
) -> None:
    """Check, before any work is done, that only a model file of emotone would be replaced.

    Args:
        output: the file to write.
        inputs: files that are read.
        overwrite: replace anything.
    Raises:
        OutputError: the output is an input, or a file of another kind.
    """
    # The metadata, under the key `emotone`, is at the end of a model file.
    check_replaceable(
        output, "a model file", lambda old: METADATA_KEY.encode() in old, inputs=inputs, overwrite=overwrite
    )
