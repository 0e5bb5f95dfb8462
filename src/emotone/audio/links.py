"""Several Ogg or FLAC recordings joined in one file ("chained"), read one after the other.

FFmpeg reads only the first, or fails at the second if its sample rate or channels differ. Here each is opened as a
recording of its own: for FFmpeg, the file ends where the next recording begins.

Conventions: positions are bytes from the beginning of the current recording.
"""

from __future__ import annotations

from emotone.audio.mpeg_frames import id3_length
from emotone.audio.source import SourceFile

_FLAC_STARTS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""The signature and the header of STREAMINFO, which is always the first block and has 34 bytes."""

_OGG_STARTS = (b"OggS\x00\x02" + bytes(8),)
"""A page that begins a logical stream; its granule position is 0."""

_OGG_HEADER = 27

_READ = 1 << 15


def joined_format(file: SourceFile) -> str | None:
    """The format of a file that may hold several joined recordings: "ogg", "flac", or None."""
    if file.at(0, 4) == b"OggS":
        return "ogg"
    return "flac" if file.at(id3_length(file), 4) == b"fLaC" else None


class Links:
    """A source as a file that ends where the next joined recording begins.

    Args:
        file: at its start.
        joined: its format, as `joined_format` gives it.
    """

    def __init__(self, file: SourceFile, joined: str) -> None:
        self._file = file
        self._is_ogg = joined == "ogg"
        self._starts = _OGG_STARTS if self._is_ogg else _FLAC_STARTS
        self._ahead = b""
        self._exhausted = False
        self._begin()

    def _begin(self) -> None:
        self._given = self._searched = self._own_end = 0
        self._next_at: int | None = None
        # The end of the pages that begin the streams of this recording; a page that begins a stream there is another.
        self._header_end: int | None = None

    def advance(self) -> bool:
        """Go on to the next recording; False if there is none."""
        while self.read(_READ):
            pass
        if self._next_at is None:
            return False
        self._begin()
        return True

    def read(self, size: int) -> bytes:
        """The next bytes of this recording, at most `size`; none at its end."""
        self._search()
        while self._own_end == self._given and self._next_at is None and not self._exhausted:
            data = self._file.read(_READ)
            self._exhausted = not data
            self._ahead += data
            self._search()
        n_bytes = min(size, self._own_end - self._given)
        data, self._ahead = self._ahead[:n_bytes], self._ahead[n_bytes:]
        self._given += n_bytes
        return data

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never: bytes are searched as they are read."""
        return False

    def _search(self) -> None:
        """Find how far the bytes that were read belong to this recording."""
        while self._next_at is None:
            at = self._find_start(self._searched - self._given)
            if at is None:
                end = self._given + len(self._ahead)
                self._searched = max(self._searched, end - len(self._starts[0]) + 1)
                self._own_end = end if self._exhausted else end - self._n_held()
                return
            position = self._given + at
            if self._header_end is not None and position != self._header_end:
                self._next_at = self._own_end = position
                return
            length = self._header_length(at)
            if length is None and not self._exhausted:
                self._searched = self._own_end = position
                return
            self._header_end = position + (length or 0)
            self._searched = position + 1

    def _find_start(self, begin: int) -> int | None:
        found = [at for mark in self._starts if (at := self._ahead.find(mark, max(0, begin))) >= 0]
        return min(found, default=None)

    def _header_length(self, at: int) -> int | None:
        """Bytes of the Ogg page there; 0 for FLAC, which has one stream; None if more has to be read to know."""
        if not self._is_ogg:
            return 0
        header = self._ahead[at : at + _OGG_HEADER]
        n_segments = header[-1] if len(header) == _OGG_HEADER else 256
        segments = self._ahead[at + _OGG_HEADER : at + _OGG_HEADER + n_segments]
        return _OGG_HEADER + n_segments + sum(segments) if len(segments) == n_segments else None

    def _n_held(self) -> int:
        """Bytes at the end that may be the beginning of a start mark."""
        for length in range(len(self._starts[0]) - 1, 0, -1):
            if any(self._ahead.endswith(mark[:length]) for mark in self._starts):
                return length
        return 0
