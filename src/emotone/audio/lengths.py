"""The number of samples that a container declares, and whether its end is missing.

FFmpeg shortens a WAV's declared size to what is there and estimates the length of an MP3 from its size, so that a
recording cut off in a transfer looks whole. Lengths that writers to a pipe leave as a placeholder count as undeclared.
"""

from __future__ import annotations

import struct

from emotone.audio.mpeg_frames import id3_length, xing_samples
from emotone.audio.source import SourceFile

_PCM_TAGS = frozenset({0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE})
"""PCM, float, A-law, mu-law and `extensible`: one block is one sample of every channel."""

_MAX_CHUNKS = 4096

_AMR_NB_BYTES = (12, 13, 15, 17, 19, 20, 26, 31, 5, 0, 0, 0, 0, 0, 0, 0)
_AMR_WB_BYTES = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5, 0, 0, 0, 0, 0, 0)
"""Bytes of a frame behind its first, by frame type (RFC 4867, section 5.3)."""

_AMR_READ = 1 << 20

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""The objects that begin an ASF file, and that declare its size (16 + 8 + 16 bytes from their start)."""

_OGG_PAGE = 65_307
"""The largest page: 27 + 255 + 255 * 255 bytes, so that the last one starts in the last 65,307."""


def wav_samples(file: SourceFile) -> int | None:
    """Samples per channel that a WAV (RIFF, RF64, BW64) declares; None if it declares none."""
    tag = block = 0
    long_size = fact = None
    offset = 12
    for _ in range(_MAX_CHUNKS):
        header = file.at(offset, 8)
        if len(header) < 8:
            return None
        name, size = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"data":
            if long_size is not None and size == 0xFFFFFFFF:
                size = long_size
            elif is_placeholder(size):
                return None
            if tag not in _PCM_TAGS or not block:
                return fact
            return int(size) // block
        body = file.at(offset + 8, min(size, 40))
        if name == b"fmt " and len(body) >= 14:
            tag, block = struct.unpack("<H10xH", body[:14])
        elif name == b"ds64" and len(body) >= 16:
            long_size = struct.unpack("<Q", body[8:16])[0]
            long_size = long_size if 0 < long_size < 1 << 62 else None
        elif name == b"fact" and len(body) >= 4:
            fact = struct.unpack("<I", body[:4])[0]
            fact = None if fact in (0, 0xFFFFFFFF) else fact
        offset += 8 + size + size % 2
    return None


def is_placeholder(size: int) -> bool:
    """Sizes that programs write when they cannot know: 0, next to 2 or 4 GiB, or a round number of 100 MB and more."""
    return size == 0 or 0x7FFFF000 <= size <= 0x80001000 or size >= 0xFFFFF000 or size % 100_000_000 == 0


def flac_samples(file: SourceFile) -> int | None:
    """Samples per channel in a FLAC's STREAMINFO; None if it leaves them open."""
    info = file.at(id3_length(file), 26)
    if len(info) < 26 or info[4] & 0x7F:
        return None
    return int.from_bytes(info[21:26], "big") & 0xFFFFFFFFF or None


def caf_samples(file: SourceFile) -> int | None:
    """Samples per channel of a CAF with packets of one size; None if its data are open-ended or its packets vary."""
    packet_bytes = packet_samples = 0
    offset = 8
    for _ in range(_MAX_CHUNKS):
        header = file.at(offset, 12)
        if len(header) < 12:
            return None
        name, size = header[:4], int.from_bytes(header[4:], "big", signed=True)
        if name == b"desc":
            packet_bytes, packet_samples = struct.unpack(">16xII", file.at(offset + 12, 24).ljust(24, b"\0"))
        if name == b"data":
            # The data begin with an edit count of 4 bytes.
            return (size - 4) // packet_bytes * packet_samples if size > 4 and packet_bytes else None
        if size < 0:
            return None
        offset += 12 + size
    return None


def amr_seconds(file: SourceFile) -> float | None:
    """The length of an AMR file by its frames of 20 ms each; None if it cannot seek.

    FFmpeg estimates it from the bit rate, which frames of silence make far too long.
    """
    is_wide = file.at(0, 9) == b"#!AMR-WB\n"
    sizes = _AMR_WB_BYTES if is_wide else _AMR_NB_BYTES
    offset, n_frames = 9 if is_wide else 6, 0
    if file.size is None:
        return None
    while data := file.at(offset, _AMR_READ):
        position = 0
        while position < len(data):
            position += 1 + sizes[data[position] >> 3 & 15]
            n_frames += 1
        offset += position
    return n_frames / 50


def mp3_samples(file: SourceFile) -> int | None:
    """Samples per channel that an MP3 declares in a Xing, Info or VBRI header; None if it has none."""
    return xing_samples(file.at(id3_length(file), 200))


def ogg_samples(file: SourceFile) -> int | None:
    """Samples per channel of an Ogg file, by the position on its last page; None if it cannot be known.

    Opus counts at 48 kHz. In a file of several joined recordings this is the length of the last one, and is given only
    if that has the stream number of the first.
    """
    stream = _ogg_stream(file.head)
    if stream is None or file.size is None:
        return None
    serial, skipped = stream
    tail = file.at(max(0, file.size - _OGG_PAGE), _OGG_PAGE)
    page = tail.rfind(b"OggS\0")
    while page >= 0:
        granule = int.from_bytes(tail[page + 6 : page + 14], "little", signed=True)
        if tail[page + 14 : page + 18] == serial and granule > skipped and _is_whole_page(tail, page):
            return granule - skipped
        page = tail.rfind(b"OggS\0", 0, page)
    return None


def _ogg_stream(head: bytes) -> tuple[bytes, int] | None:
    """The number of the only audio stream, and the samples that its decoder drops at the start."""
    found = []
    page = 0
    while head[page : page + 6] == b"OggS\0\2" and len(head) >= page + 28:
        n_segments = head[page + 26]
        start = page + 27 + n_segments
        packet = head[start : start + 12]
        if packet.startswith(b"OpusHead"):
            found.append((head[page + 14 : page + 18], int.from_bytes(packet[10:12], "little")))
        elif packet.startswith((b"\x01vorbis", b"\x7fFLAC", b"Speex   ")):
            found.append((head[page + 14 : page + 18], 0))
        page = start + sum(head[page + 27 : start])
    return found[0] if len(found) == 1 else None


def index_at_end(file: SourceFile) -> bool:
    """Whether the index of an MP4 comes behind its samples, as far as its start shows."""
    offset = 0
    for _ in range(_MAX_CHUNKS):
        header = file.at(offset, 16)
        if len(header) < 8 or header[4:8] == b"moov":
            return False
        if header[4:8] == b"mdat":
            return True
        size = int.from_bytes(header[:4], "big")
        offset += int.from_bytes(header[8:16], "big") if size == 1 else max(8, size)
    return False


def cut_in(file: SourceFile) -> str | None:
    """The part of an MP4, Ogg, ASF or AVI file that its end cuts; None if there is none, or it cannot be known."""
    if file.size is None:
        return None
    if file.head[:4] == b"RIFF":
        size = int.from_bytes(file.head[4:8], "little")
        return "its RIFF chunk" if not is_placeholder(size) and 8 + size > file.size else None
    if file.head[:4] == _ASF[:4]:
        return _cut_asf(file, file.size)
    if file.head[:4] == b"OggS":
        return _cut_ogg_page(file, file.size)
    return _cut_mp4_atom(file, file.size)


def _cut_mp4_atom(file: SourceFile, file_size: int) -> str | None:
    offset = 0
    for _ in range(_MAX_CHUNKS):
        header = file.at(offset, 16)
        if len(header) < 8 or not header[4:8].isascii():
            return None
        size, name = int.from_bytes(header[:4], "big"), header[4:8].decode("ascii")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # 0: up to the end
            return None
        offset += size
        if offset > file_size:
            return f"its {name!r} atom"
    return None


def _cut_asf(file: SourceFile, file_size: int) -> str | None:
    properties = file.head[max(0, file.head.find(_ASF_PROPERTIES)) :][:92]
    is_broadcast = properties[88:89] and properties[88] & 1
    if not properties.startswith(_ASF_PROPERTIES) or is_broadcast:
        return None
    return "its packets" if int.from_bytes(properties[40:48], "little") > file_size else None


def _cut_ogg_page(file: SourceFile, file_size: int) -> str | None:
    tail = file.at(max(0, file_size - _OGG_PAGE), _OGG_PAGE)
    page = tail.rfind(b"OggS\0")
    if page < 0:
        return None
    return None if _is_whole_page(tail, page) else "its last page"


def _is_whole_page(data: bytes, page: int) -> bool:
    n_segments = data[page + 26 : page + 27]
    segments = data[page + 27 : page + 27 + (n_segments[0] if n_segments else 0)]
    is_whole = n_segments and len(segments) == n_segments[0]
    return bool(is_whole and page + 27 + len(segments) + sum(segments) <= len(data))
