"""Which format a file has, judged by its first bytes alone.

FFmpeg is told the one demuxer that belongs to the signature and never guesses: its own guessing knows playlists
(concat, HLS, DASH, SDP, image sequences) whose text makes it open other files and connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emotone.audio.source import SourceFile
from emotone.errors import NotAudioError

_EXPECTED = "wav, flac, mp3, m4a/aac, ogg, opus, webm, mkv, mp4, amr, aiff or caf"

_MP4_ATOMS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"})

_MPEG_KBITS = {
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(MPEG 1, or 2 and 2.5; layer) -> bit rates of the indices 1 to 14 (ISO/IEC 11172-3 and 13818-3). Nobody has layer 1,
but the byte order mark of UTF-16 text (FF FE) looks like it."""

_FRAMES_IN_A_ROW = 4
"""Consistent MPEG frame headers that make a stream; one turns up anywhere by chance."""

_MAX_TAGS = 64
"""ID3v2 tags before the audio; taggers write one, careless ones a few. Endless ones would take endless time."""


def demuxer_of(file: SourceFile) -> str:
    """FFmpeg's name of the demuxer for a file.

    Raises:
        NotAudioError: no signature of an allowed format.
    """
    start = id3_length(file)
    head = file.head if start == 0 else file.at(start, 1 << 16)
    name = _by_magic(head) or _by_frames(head)
    # A cover picture can be longer than what is kept of a stream that cannot go back; ID3 is mp3's.
    if name is None and start and not head:
        name = "mp3"
    if name is None:
        raise NotAudioError(
            f"{file.label}: not audio of a known format (starts with {head[:8]!r}); expected {_EXPECTED}"
        )
    return name


def id3_length(file: SourceFile) -> int:
    """Bytes of the ID3v2 tags before the audio, 0 without."""
    start = 0
    for _ in range(_MAX_TAGS):
        tag = file.at(start, 10)
        if tag[:3] != b"ID3" or len(tag) < 10:
            break
        size = 0
        for byte in tag[6:10]:
            size = size << 7 | byte & 0x7F
        start += 10 + size + (10 if tag[5] & 0x10 else 0)
    return start


def _by_magic(head: bytes) -> str | None:
    # Not RIFX: FFmpeg reads its big-endian samples as little-endian noise.
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in _MP4_ATOMS:
        return "mov"
    prefixes = {
        b"fLaC": "flac",
        b"OggS": "ogg",
        b"\x1aE\xdf\xa3": "matroska",
        b"caff": "caf",
        b"#!AMR\n": "amr",
        b"#!AMR-WB\n": "amr",
    }
    return next((name for magic, name in prefixes.items() if head.startswith(magic)), None)


def _by_frames(head: bytes) -> str | None:
    """MPEG audio and ADTS have no signature but the rhythm of their frames, which may start after some junk."""
    start = head.find(b"\xff")
    while 0 <= start < len(head) - 7:
        for name, length_of in (("aac", _adts_length), ("mp3", mpeg_frame_length)):
            frames = list(_chain(head, start, length_of))
            whole = bool(frames) and frames[-1] == len(head)
            if len(frames) >= _FRAMES_IN_A_ROW or (start == 0 and whole):
                return name
        start = head.find(b"\xff", start + 1)
    return None


def _chain(head: bytes, start: int, length_of: Callable[[bytes], int]) -> Iterator[int]:
    """Where the frames that follow one another from `start` end."""
    for _ in range(_FRAMES_IN_A_ROW):
        length = length_of(head[start : start + 7])
        if not length:
            return
        start += length
        yield start


def mpeg_frame_length(header: bytes) -> int:
    """Bytes of the MPEG audio frame (layer 2 or 3) with this header, 0 if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sampling, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer not in (2, 3) or rate_index in (0, 15) or sampling == 3:
        return 0
    generation = 1 if version == 3 else 2
    bits_per_second = 1000 * _MPEG_KBITS[generation, layer][rate_index - 1]
    sample_rate = (44_100, 48_000, 32_000)[sampling] // {3: 1, 2: 2, 0: 4}[version]
    return (72 if layer == 3 and generation == 2 else 144) * bits_per_second // sample_rate + padding


def _adts_length(header: bytes) -> int:
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0
