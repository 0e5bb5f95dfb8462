"""Files that are written whole or not at all.

A reader never sees half a file: the new content is written beside the old, synced to the disk, then renamed over it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emotone.errors import OutputError


@contextmanager
def written_whole(path: str | os.PathLike[str], *, synced: bool = True) -> Iterator[Path]:
    """A path to write to; on leaving without an error it becomes `path`, else it vanishes.

    Args:
        path: of the finished file; its folder is made.
        synced: wait until the disk has it; False for files that can be made again and are checked when read.
    Yields:
        a path in the same folder, with the same suffix, which does not exist yet.
    Raises:
        OutputError: the folder cannot be made, the file cannot be written, or `path` is a folder or a device.
    """
    # A link keeps pointing where it did: what it points at is replaced. A device would be replaced by a plain file.
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OutputError(f"cannot write {path}: it is a folder or a device; name a file")
    part = target.with_name(f".{target.stem}.{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if synced:
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
        part.replace(target)
        if synced:
            _sync_folder(target.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}; an existing file was not changed"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


_HEAD, _TAIL = 4_096, 1 << 16


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check, before any work is done, that a new file or folder can be made at a path.

    Raises:
        OutputError: the folder that it would be in cannot be written to.
    """
    try:
        folder = Path(os.path.realpath(path)).parent
        while not os.path.lexists(folder):
            folder = folder.parent
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {folder}")


def check_replaceable(
    path: str | os.PathLike[str],
    kind: str,
    is_kind: Callable[[bytes], bool],
    *,
    inputs: Iterable[str | os.PathLike[str]] = (),
    overwrite: bool = False,
) -> None:
    """Refuse to replace a file that is not of the kind that is to be written, or that is being read.

    Args:
        path: where to write.
        kind: what is to be written, for the message.
        is_kind: whether content is of that kind; it gets the beginning and the end of the file.
        inputs: what is being read.
        overwrite: replace anything.
    Raises:
        OutputError: it must not be replaced, or its folder cannot be written to.
    """
    check_writable(path)
    try:
        if overwrite or not os.path.isfile(path):  # noqa: PTH113 - False where a folder may not be searched
            return
        for one in inputs:
            if os.path.exists(one) and os.path.samefile(one, path):  # noqa: PTH110, PTH121
                raise OutputError(f"{path} is an input of this command; name another output, or add --overwrite")
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read(_HEAD)
            size = os.fstat(file.fileno()).st_size
            if size > _HEAD:
                file.seek(max(_HEAD, size - _TAIL))
                content += file.read(_TAIL)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    if not is_kind(content):
        raise OutputError(
            f"{path} exists and is not {kind} written by emotone; name another output, or add --overwrite"
        )


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, whole or not at all.

    Raises:
        OutputError: it could not be written.
    """
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_bytes(path: str | os.PathLike[str], content: bytes, *, synced: bool = True) -> None:
    """Write bytes, whole or not at all; see `written_whole`.

    Raises:
        OutputError: it could not be written.
    """
    with written_whole(path, synced=synced) as part:
        part.write_bytes(content)


def _sync_folder(folder: Path) -> None:
    # Without this the rename itself can be lost with the power; not every file system allows it.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_address(location: str) -> bool:
    """Whether a location names a remote file system; `a:b.wav` is a file.

    >>> is_address("s3://bucket/a.wav")
    True
    """
    scheme, separator, _ = location.partition("://")
    return bool(separator) and scheme.isalnum() and not Path(location).exists()


def require_local(output: str) -> None:
    """Refuse an address where only a file of this machine can be written.

    Raises:
        OutputError: it is one.
    """
    if is_address(output):
        raise OutputError(
            f"cannot write to {output} from here: name a file on this machine, "
            "or add --ray local, which writes a folder of Parquet files to an address"
        )
