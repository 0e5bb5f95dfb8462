"""Model files from the Hugging Face hub: `owner/name`, and `owner/name@revision`.

Files on this machine always come first. Of a repository only the ONNX file is downloaded, so nothing that could contain
a pickle. A file that was downloaded once is used without a network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from emotone import __version__
from emotone.errors import MissingExtraError, ModelFileError

USUAL_NAME = "model.onnx"
MAX_BYTES = 512 * 2**20
"""Our files have a few megabytes; a much larger one is a mistake, or an attempt to fill the disk."""

SHIPPED = ("default", "small")
"""Models in the package; the first is the default."""

_TIMEOUT_S = 10.0
_MOST_RESTARTS = 3

# As the hub allows them, with an owner. A name that ends in .onnx is a path.
_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[^\s@]+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub.

    Attributes:
        repo: its repository, `owner/name`.
        revision: a branch, a tag or a commit.

    >>> print(HubModel("owner/name", "v1.0"))
    owner/name@v1.0
    """

    repo: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"


def hub_model(model: str | os.PathLike[str]) -> HubModel | None:
    """The model on the hub that a name refers to; None if it is a file.

    >>> hub_model("owner/name@refs/pr/3")
    HubModel(repo='owner/name', revision='refs/pr/3')
    >>> hub_model("models/best.onnx") is hub_model("../name") is None
    True
    """
    name = model if isinstance(model, str) else Path(model).as_posix()
    found = _HUB_ID.fullmatch(name)
    if found is None or name.endswith(".onnx") or os.path.lexists(model):
        return None
    return HubModel(found["repo"], found["revision"] or "main")


def shipped_model(name: str = SHIPPED[0]) -> Path:
    """The path of one of the models in the package.

    Raises:
        ModelFileError: this installation does not have it.
    """
    path = Path(str(resources.files("emotone"))) / "weights" / f"{name}.onnx"
    if not path.is_file():
        raise ModelFileError(
            f"this installation has no model {name!r} (emotone/weights/{name}.onnx); "
            "give the path of a model file, or install emotone again"
        )
    return path


def local_model(model: str | os.PathLike[str]) -> Path:
    """The path of a model file on this machine; the file is downloaded if necessary.

    Args:
        model: a path, or `owner/name` or `owner/name@revision` of the hub. Where a file exists, it is a path.
    Raises:
        ModelFileError: the hub cannot be reached, and the model was not downloaded before; or there is no such model,
            access to it is refused, or it does not have exactly one ONNX file of a plausible size.
        MissingExtraError: the model is on the hub, and the extra `hub` is not installed.
    """
    if os.fspath(model) in SHIPPED and not os.path.lexists(model):
        return shipped_model(os.fspath(model))
    wanted = hub_model(model)
    if wanted is None:
        return Path(model)
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise MissingExtraError(f"there is no file {model}; loading it from the hub", "hub") from error
    if _COMMIT.fullmatch(wanted.revision) and (known := _cached(wanted)):
        return known
    try:
        return _downloaded(wanted)
    except ModelFileError:
        raise
    except errors.GatedRepoError as error:
        raise ModelFileError(
            f"{wanted}: its owner requires consent; give it on the model's page on the hub, then log in (HF_TOKEN)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelFileError(f"{wanted}: {wanted.repo} has no revision {wanted.revision}") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise ModelFileError(
            f"there is no file {model}, and no model {wanted.repo} on the hub that you can read; "
            "check the name, and log in (HF_TOKEN) if the model is private"
        ) from error
    except errors.RemoteEntryNotFoundError as error:
        raise ModelFileError(f"{wanted}: its ONNX file was removed from the hub; try again") from error
    except Exception as error:  # The client's errors depend on its transport, and share only Exception.
        return _without_hub(wanted, error)


def _downloaded(wanted: HubModel) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    us = {"library_name": "emotone", "library_version": __version__}
    found = HfApi(**us).model_info(wanted.repo, revision=wanted.revision, files_metadata=True, timeout=_TIMEOUT_S)
    sizes = {one.rfilename: one.size for one in found.siblings or []}
    chosen = _the_onnx_file(wanted, sizes)
    size = sizes[chosen]
    if size is not None and size > MAX_BYTES:
        raise _too_large(wanted, chosen)
    return Path(
        hf_hub_download(
            wanted.repo,
            chosen,
            revision=wanted.revision,
            etag_timeout=_TIMEOUT_S,
            tqdm_class=_limit(wanted, chosen),
            **us,
        )
    )


def _the_onnx_file(wanted: HubModel, files: Mapping[str, Any]) -> str:
    onnx = sorted(name for name in files if PurePosixPath(name).suffix == ".onnx")
    if USUAL_NAME in onnx:
        return USUAL_NAME
    if not onnx:
        others = ", ".join(sorted(files)[:5]) or "nothing"
        raise ModelFileError(f"{wanted} has no ONNX file (it has {others}); expected {USUAL_NAME}")
    if len(onnx) > 1:
        raise ModelFileError(
            f"{wanted} has {len(onnx)} ONNX files ({', '.join(onnx[:5])}) and none is called {USUAL_NAME}; "
            "download the one you want and give its path"
        )
    return onnx[0]


def _limit(wanted: HubModel, name: str) -> Any:
    """A progress bar for the client that shows nothing, and stops a download that exceeds the limit.

    The client offers no other hook: it reads whatever the server sends, whatever size was declared, and retries
    without end while every attempt receives some bytes.
    """
    from huggingface_hub.utils import tqdm

    class Limit(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            self.received = int(kwargs.get("initial") or 0)
            self.restarts = 0

        def update(self, n: float | None = 1) -> None:
            self.received += int(n or 0)
            if self.received > MAX_BYTES:
                raise _too_large(wanted, name)
            # The client subtracts the bytes of a failed attempt, unless the server continues from there.
            self.restarts += (n or 0) < 0
            if self.restarts >= _MOST_RESTARTS:
                raise ConnectionError(f"the download failed {self.restarts} times")

    return Limit


def _too_large(wanted: HubModel, name: str) -> ModelFileError:
    return ModelFileError(
        f"{wanted}: {name} is larger than {MAX_BYTES // 2**20} MB; if you trust it, download it and give its path"
    )


def _cached(wanted: HubModel) -> Path | None:
    from huggingface_hub import snapshot_download

    with suppress(Exception):  # The client has many errors for a file that is not cached.
        folder = Path(
            snapshot_download(wanted.repo, revision=wanted.revision, allow_patterns="*.onnx", local_files_only=True)
        )
        return folder / _the_onnx_file(
            wanted, {one.relative_to(folder).as_posix(): 0 for one in folder.rglob("*.onnx")}
        )
    return None


def _without_hub(wanted: HubModel, error: Exception) -> Path:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        raise ModelFileError(
            f"{wanted}: access is refused ({status}); log in (HF_TOKEN) with an account that may read it"
        ) from error
    known = _cached(wanted)
    if known is not None:
        return known
    why = f"the hub answered {status}" if status else f"the hub cannot be reached ({_first_line(error)})"
    raise ModelFileError(
        f"{wanted}: {why}, and it was not downloaded before; try again, or give the path of a model file"
    ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
