"""Which recordings are meant by a folder, a list, a pattern or an address, and how each is opened.

Conventions: a location is a path, or an address such as `s3://bucket/key.wav` or `gs://bucket/key.wav`. Locations come
one by one and in an order that does not change, so that millions take no memory.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from emotone.batch.remote import opened_remote, remote_folder
from emotone.errors import AudioError, AudioNotFoundError
from emotone.files import is_address

_MARK = b"\xef\xbb\xbf"

SUFFIXES = frozenset(
    {".aac", ".aif", ".aifc", ".aiff", ".amr", ".caf", ".flac", ".m4a", ".m4b", ".mp2", ".mp3", ".oga", ".ogg", ".opus"}
    | {".wav", ".wave", ".weba", ".3gp", ".mka", ".mkv", ".mov", ".mp4", ".webm"}
)
"""What is taken for a recording in a folder. A file that is named itself may have any name: its content decides."""


def is_many(source: str) -> bool:
    """Whether a word of the command line stands for many recordings: a folder, a list (.txt) or a pattern.

    >>> is_many("calls/**/*.wav"), is_many("call.wav"), is_many("s3://bucket/calls")
    (True, False, True)
    """
    path = Path(source)
    try:
        if path.exists():
            return path.is_dir() or path.suffix.lower() == ".txt"
    except (OSError, ValueError):
        return False
    return not _has_suffix(source) if is_address(source) else glob.has_magic(source)


def find_recordings(sources: Sequence[str | os.PathLike[str]]) -> Iterator[str]:
    """The recordings that sources stand for.

    Args:
        sources: recordings; folders, searched to the bottom for names with an audio suffix, hidden ones left out; lists
            (.txt), one location a line, relative to the current folder, or with a NUL after each as `find -print0`
            writes them; patterns such as `calls/**/*.wav`; addresses of recordings or, without a suffix, of folders.
    Yields:
        locations; a folder's in alphabetical order.
    Raises:
        AudioNotFoundError: a source that stands for no recording at all.
        AudioError: a list or a folder that cannot be read.
    """
    for given in sources:
        source = os.fspath(given)
        found = _found_in(source)
        first = next(found, None)
        if first is None:
            if source.lower().endswith(".txt") and Path(source).is_file():
                raise AudioNotFoundError(f"{source}: holds no recordings; expected a name on each line")
            raise AudioNotFoundError(f"{source}: holds no recordings (looked for {' '.join(sorted(SUFFIXES))})")
        yield first
        yield from found


def _found_in(source: str) -> Iterator[str]:
    path = Path(source)
    if not is_many(source):
        yield source
    elif is_address(source):
        yield from remote_folder(source, _has_suffix)
    elif path.is_dir():
        yield from _folder(source)
    elif path.exists():
        yield from _list(path)
    else:
        matches = sorted(name for name in glob.glob(source, recursive=True) if not Path(name).is_dir())  # noqa: PTH207 - `Path.glob` needs a base
        if not matches:
            raise AudioNotFoundError(f"{source}: matches no file")
        yield from matches


def _folder(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise AudioError(f"{error.filename}: cannot be searched: {error.strerror}") from error

    for where, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if _has_suffix(name) and not name.startswith("."):
                yield os.path.join(where, name)  # noqa: PTH118 - a Path would tidy `./` away and cost more


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - the same


def _list(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as lines:
            head = lines.read(1 << 16)
            ending = b"\0" if b"\0" in head else b"\n"
            # Editors of one system put a byte order mark before the first name.
            lines.seek(len(_MARK) if head.startswith(_MARK) else 0)
            for line in _lines(lines, ending):
                name = line.removesuffix(b"\r") if ending == b"\n" else line
                if name.strip():
                    yield os.fsdecode(name)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error


def _lines(file: BinaryIO, ending: bytes) -> Iterator[bytes]:
    rest = b""
    while block := file.read(1 << 16):
        *whole, rest = (rest + block).split(ending)
        yield from whole
    yield rest


@contextmanager
def opened(location: str) -> Iterator[str | BinaryIO]:
    """What a recognizer reads: a path as it is, an address as an open file of that name.

    Raises:
        AudioNotFoundError: nothing at the address.
        AudioError: it cannot be reached.
    """
    if not is_address(location):
        yield location
        return
    with opened_remote(location) as file:
        yield file
