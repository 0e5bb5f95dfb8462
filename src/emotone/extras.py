"""The optional extras: which of them brings a package, and whether a package is installed."""

from __future__ import annotations

from importlib.util import find_spec

from emotone.errors import MissingExtraError

EXTRA_OF_PACKAGE = {
    "accelerate": "train",
    "onnx": "convert",
    "onnxscript": "train",
    "safetensors": "train",
    "scipy": "train",
    "sklearn": "train",
    "torch": "train",
    "matplotlib": "plot",
    "audformat": "formats",
    "pandas": "formats",
    "pyannote": "formats",
    "pyarrow": "formats",
    "fastapi": "serve",
    "multipart": "serve",
    "prometheus_client": "serve",
    "python_multipart": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "websockets": "serve",
    "fsspec": "remote",
    "gcsfs": "remote",
    "s3fs": "remote",
    "ray": "ray",
    "sounddevice": "live",
    "huggingface_hub": "hub",
    "mlflow": "track",
    "sqlalchemy": "track",
    "tensorboard": "track",
    "optuna": "tune",
    "opensmile": "opensmile",
}
"""Package as it is imported -> the smallest extra that brings it."""


def missing_extra(error: ModuleNotFoundError, command: str) -> MissingExtraError | None:
    """The error to report for an import that failed; None if the package is not of an extra.

    >>> missing_extra(ModuleNotFoundError("No module named 'torch'", name="torch"), "emotone train").extra
    'train'
    """
    extra = EXTRA_OF_PACKAGE.get((error.name or "").partition(".")[0])
    return None if extra is None else MissingExtraError(command, extra)


def require_library(library: str, what: str, extra: str) -> None:
    """Check that a library is installed.

    Args:
        library: its import name, such as "pyannote.core".
        what: that needs it, for the message.
        extra: that installs it.
    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        found = find_spec(library)
    except ModuleNotFoundError:  # a package in a package that is not there
        found = None
    if found is None:
        raise MissingExtraError(what, extra)
