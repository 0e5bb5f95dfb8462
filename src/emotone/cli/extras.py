"""Which extra brings a package that is not installed."""

from __future__ import annotations

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
    "opensmile": "peers",
}
"""Package as it is imported -> the smallest extra that brings it."""


def missing_extra(error: ModuleNotFoundError, command: str) -> MissingExtraError | None:
    """The error to report for an import that failed; None if the package is not of an extra.

    >>> missing_extra(ModuleNotFoundError("No module named 'torch'", name="torch"), "emotone train").extra
    'train'
    """
    extra = EXTRA_OF_PACKAGE.get((error.name or "").partition(".")[0])
    return None if extra is None else MissingExtraError(command, extra)
