"""Several Ogg, FLAC or WAV recordings joined in one file ("chained"), read one after the other.

FFmpeg reads only the first, or fails at the second if its sample rate or channels differ. Here each is opened
separately: for FFmpeg, the file ends where the next recording begins.

Conventions: positions are bytes from the beginning of the current recording.
"""

from __future__ import annotations

from emotone.audio.lengths import is_placeholder
from emotone.audio.mpeg_frames import id3_length
from emotone.audio.source import SourceFile

_FLAC_STARTS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""The signature and the header of STREAMINFO, which is always the first block and has 34 bytes."""

_OGG_STARTS = (b"OggS\x00\x02" + bytes(8),)
"""A page that begins a logical stream; its granule position is 0."""

_OGG_HEADER = 27

_WAV_HEADER = 12
_SMALLEST_WAV = 36
"""The size of a RIFF chunk with a format and no samples."""

_READ = 1 << 15


def links_of(file: SourceFile) -> Links | WavLinks | None:
    """A source that may hold several joined recordings as such; None if its format cannot be joined.

    Args:
        file: at its start.
    """
    if file.at(0, 4) == b"OggS":
        return Links(file, "ogg")
    if file.at(id3_length(file), 4) == b"fLaC":
        return Links(file, "flac")
    end = _wav_end(file.at(0, _WAV_HEADER))
    # FFmpeg may seek in a WAV that is not joined.
    if end is not None and (file.size is None or _wav_end(file.at(end, _WAV_HEADER)) is not None):
        return WavLinks(file)
    return None


def _wav_end(header: bytes) -> int | None:
    """Where a WAV ends by its header; None if that does not begin a WAV or declares no usable size."""
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return None
    size = int.from_bytes(header[4:8], "little")
    return None if size < _SMALLEST_WAV or is_placeholder(size) else 8 + size + size % 2


class WavLinks:
    """A source as a file that ends where the size of its RIFF chunk says, if another WAV begins there.

    Where something else follows, the size is wrong or there is junk behind, and the rest belongs to the recording.

    Args:
        file: at its start.
    """

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._ahead = b""
        self._begin()

    def _begin(self) -> None:
        self._fill(_WAV_HEADER)
        self._left = _wav_end(self._ahead[:_WAV_HEADER])
        self._is_joined = False

    def advance(self) -> bool:
        """Go on to the next recording; False if there is none."""
        while self.read(_READ):
            pass
        if not self._is_joined:
            return False
        self._begin()
        return True

    def read(self, size: int) -> bytes:
        """The next bytes of this recording, at most `size`; none at its end."""
        if self._left == 0 and not self._is_joined:
            self._fill(_WAV_HEADER)
            self._is_joined = _wav_end(self._ahead[:_WAV_HEADER]) is not None
            if not self._is_joined:
                self._left = None
        n_bytes = size if self._left is None else min(size, self._left)
        self._fill(min(n_bytes, 1))
        data, self._ahead = self._ahead[:n_bytes], self._ahead[n_bytes:]
        if self._left is not None:
            self._left -= len(data)
        return data

    def _fill(self, n_bytes: int) -> None:
        while len(self._ahead) < n_bytes and (data := self._file.read(_READ)):
            self._ahead += data

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Never: what was read is not kept."""
        return False


class Links:
    """An Ogg or FLAC source as a file that ends where the next joined recording begins.

    Args:
        file: at its start.
        joined: its format, "ogg" or "flac".
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
