"""The recordings in folders, lists, patterns and addresses, and how each is opened.

Conventions: a location is a path, or an address such as `s3://bucket/key.wav` or `gs://bucket/key.wav`. Locations are
found one by one, always in the same order, so that millions take no memory.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from emotone.audio import AUDIO_SUFFIXES, is_recording
from emotone.batch.remote import opened_remote, remote_folder
from emotone.errors import AudioError, AudioNotFoundError
from emotone.files import is_address

_MARK = b"\xef\xbb\xbf"

_NAMED_EACH = 20
"""Files and folders named in the report for each reason; the others are counted."""

UNREADABLE = "cannot be read"
LINKED = "linked folder, not searched; to search it, give its name"


@dataclass(slots=True)
class LeftOut:
    """Files and folders that a search did not use, without hidden ones.

    Attributes:
        counts: for each reason, how many files or folders.
        names: for each reason, the first of them.
        ours: path of the journal of the batch itself, which is not counted, nor the files that SQLite keeps beside it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)
    ours: str | None = None

    def add(self, name: str, reason: str) -> None:
        """Count a file or folder."""
        if self.ours is not None and os.path.realpath(name).startswith(self.ours):
            return
        self.counts[reason] += 1
        named = self.names.setdefault(reason, [])
        if len(named) < _NAMED_EACH:
            named.append(name)

    @property
    def lines(self) -> list[str]:
        """The report for a reader: a line for each reason, followed by indented names; empty if nothing was left out.

        >>> left_out = LeftOut()
        >>> left_out.add("calls/notes.docx", "no suffix of a recording (.docx)")
        >>> left_out.lines
        ['1 left out: no suffix of a recording (.docx)', '  calls/notes.docx']
        """
        lines = []
        for reason, count in sorted(self.counts.items()):
            lines.append(f"{count} left out: {reason}")
            lines += [f"  {name}" for name in self.names[reason]]
            if count > len(self.names[reason]):
                lines.append(f"  … and {count - len(self.names[reason])} more")
        return lines


def is_many(source: str) -> bool:
    """Whether an argument means many recordings: a folder, a list (.txt) or a pattern.

    A recording whose name ends in .txt is one recording.

    >>> is_many("calls/**/*.wav"), is_many("call.wav"), is_many("s3://bucket/calls")
    (True, False, True)
    """
    path = Path(source)
    try:
        if path.exists():
            return path.is_dir() or (path.suffix.lower() == ".txt" and not is_recording(path))
    except (OSError, ValueError):
        return False
    return not _has_suffix(source) if is_address(source) else glob.has_magic(source)


def is_own_stream(location: str) -> bool:
    """Whether a path means an open file of this process, such as standard input, which other processes do not have.

    >>> is_own_stream("/dev/stdin"), is_own_stream("/dev/fd/63"), is_own_stream("calls/stdin.wav")
    (True, True, False)
    """
    return location == "/dev/stdin" or location.startswith(("/dev/fd/", "/proc/self/fd/"))


def file_stamp(location: str) -> list[int] | None:
    """Size and time of the last change of a file, by which another content is noticed; None where it has none."""
    try:
        found = os.stat(location)  # noqa: PTH116 - an address is not a path
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]


def find_recordings(sources: Sequence[str | os.PathLike[str]], left_out: LeftOut | None = None) -> Iterator[str]:
    """The recordings in some sources.

    Args:
        sources: recordings; folders, searched with their subfolders for names with an audio suffix, without hidden
            ones; lists (.txt), one location per line, relative to the current folder, or each followed by NUL, as
            `find -print0` writes them; patterns such as `calls/**/*.wav`; addresses of recordings or, without a suffix,
            of folders.
        left_out: where to count what is not used in folders: files with other suffixes, linked folders, and folders
            that cannot be read.
    Yields:
        locations; a folder's in alphabetical order.
    Raises:
        AudioNotFoundError: a source without recordings.
        AudioError: a list or a folder that cannot be read.
    """
    left_out = LeftOut() if left_out is None else left_out
    for given in sources:
        source = os.fspath(given)
        found = _found_in(source, left_out)
        first = next(found, None)
        if first is None:
            if source.lower().endswith(".txt") and Path(source).is_file():
                raise AudioNotFoundError(f"{source} has no recordings; expected one name per line")
            what = "; ".join(line for line in left_out.lines if not line.startswith(" "))
            looked_for = f"looked for {' '.join(sorted(AUDIO_SUFFIXES))}"
            raise AudioNotFoundError(f"{source} has no recordings ({looked_for}){what and f'; {what}'}")
        yield first
        yield from found


def _found_in(source: str, left_out: LeftOut) -> Iterator[str]:
    path = Path(source)
    if not is_many(source):
        yield source
    elif is_address(source):
        yield from remote_folder(source, lambda name: _is_wanted(name, name, left_out))
    elif path.is_dir():
        yield from _folder(source, left_out)
    elif path.exists():
        yield from _list(path)
    else:
        matches = sorted(name for name in glob.glob(source, recursive=True) if not Path(name).is_dir())  # noqa: PTH207 - `Path.glob` needs a base
        if not matches:
            raise AudioNotFoundError(f"{source} matches no file")
        yield from matches


def _folder(folder: str, left_out: LeftOut) -> Iterator[str]:
    def pass_over(error: OSError) -> None:
        if error.filename == folder:
            raise AudioError(f"{folder}: cannot be searched: {error.strerror}") from error
        left_out.add(str(error.filename), UNREADABLE)

    for where, folders, names in os.walk(folder, onerror=pass_over):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            path = os.path.join(where, name)  # noqa: PTH118 - a Path would tidy `./` away and cost more
            if os.path.islink(path):  # noqa: PTH114
                left_out.add(path, LINKED)
        for name in sorted(names):
            path = os.path.join(where, name)  # noqa: PTH118
            if not name.startswith(".") and _is_wanted(name, path, left_out):
                yield path


def _is_wanted(name: str, path: str, left_out: LeftOut) -> bool:
    if _has_suffix(name):
        return True
    left_out.add(path, f"no suffix of a recording ({os.path.splitext(name)[1].lower() or 'none'})")  # noqa: PTH122
    return False


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES  # noqa: PTH122 - the same


def _list(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as lines:
            head = lines.read(1 << 16)
            ending = b"\0" if b"\0" in head else b"\n"
            # Some editors write a byte order mark before the first name.
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
    """What a recognizer reads: a path as it is, or the open file at an address.

    Raises:
        AudioNotFoundError: there is no file at the address.
        AudioError: the store cannot be reached.
    """
    if not is_address(location):
        yield location
        return
    with opened_remote(location) as file:
        yield file
