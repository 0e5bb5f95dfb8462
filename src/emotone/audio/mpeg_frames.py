"""Frame headers of MPEG audio and ADTS, and the ID3v2 tags before them.

Both formats have no signature, only frames that follow one another, so FFmpeg takes other files for them now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emotone.audio.source import SourceFile

_KBITS = {
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""(MPEG 1, or 2 and 2.5; layer) -> bit rates of the indices 1 to 14 (ISO/IEC 11172-3 and 13818-3). Layer 1 is left out:
it is not used, and the byte order mark of UTF-16 text (FF FE) looks like it."""

_FRAMES_IN_A_ROW = 4
"""Consistent frame headers that make a stream; a single one occurs by chance in any file."""

_MAX_TAGS = 64
"""ID3v2 tags before the audio. Taggers write one or a few; a file of nothing but tags would take endless time."""


def id3_length(file: SourceFile) -> int:
    """Bytes of the ID3v2 tags before the audio; 0 if there are none."""
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


def has_frames(file: SourceFile, demuxer: str) -> bool:
    """Whether the file holds frames of this format in a row, perhaps after some other bytes.

    Args:
        file: the source.
        demuxer: "mp3" or "aac".
    """
    start = id3_length(file)
    head = file.at(start, 1 << 16)
    if start and not head:
        # A cover picture can be longer than what is kept of a source that cannot seek; only MP3 files have ID3 tags.
        return demuxer == "mp3"
    length_of = mpeg_frame_length if demuxer == "mp3" else _adts_length
    begin = head.find(b"\xff")
    while 0 <= begin < len(head) - 7:
        ends = list(_chain(head, begin, length_of))
        if len(ends) >= _FRAMES_IN_A_ROW or (begin == 0 and ends and ends[-1] == len(head)):
            return True
        begin = head.find(b"\xff", begin + 1)
    return False


def _chain(head: bytes, start: int, length_of: Callable[[bytes], int]) -> Iterator[int]:
    """The ends of the frames that follow one another from `start`."""
    for _ in range(_FRAMES_IN_A_ROW):
        length = length_of(head[start : start + 7])
        if not length:
            return
        start += length
        yield start


def mpeg_frame_length(header: bytes) -> int:
    """Bytes of the MPEG audio frame (layer 2 or 3) with this header; 0 if it is not one."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sampling, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer not in (2, 3) or rate_index in (0, 15) or sampling == 3:
        return 0
    generation = 1 if version == 3 else 2
    bits_per_second = 1000 * _KBITS[generation, layer][rate_index - 1]
    sample_rate = (44_100, 48_000, 32_000)[sampling] // {3: 1, 2: 2, 0: 4}[version]
    return (72 if layer == 3 and generation == 2 else 144) * bits_per_second // sample_rate + padding


def xing_samples(frame: bytes) -> int | None:
    """Samples per channel that the first frame of an MP3 declares in a Xing, Info or VBRI header.

    Args:
        frame: its first 200 bytes.
    Returns:
        without the encoder's delay and padding where the header has them; None if no length is declared.
    """
    if not mpeg_frame_length(frame[:4]):
        return None
    mpeg1, mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    frame_samples = 1152 if mpeg1 or 4 - (frame[1] >> 1 & 3) == 2 else 576
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54], "big") * frame_samples or None
    at = 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))
    if frame[at : at + 4] not in (b"Xing", b"Info") or not frame[at + 7] & 1:
        return None
    flags = frame[at + 7]
    n_samples = int.from_bytes(frame[at + 8 : at + 12], "big") * frame_samples
    # After the number of frames: bytes (4), a table of contents (100) and a quality (4), each only if flagged.
    lame = at + 12 + (4 if flags & 2 else 0) + (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    if frame[lame : lame + 4] in (b"LAME", b"Lavf", b"Lavc"):
        delay = int.from_bytes(frame[lame + 21 : lame + 24], "big")
        n_samples -= (delay >> 12) + (delay & 0xFFF)
    return n_samples if n_samples > 0 else None


def is_xing_frame(packet: bytes) -> bool:
    """Whether an MP3 frame holds a header about the file instead of sound."""
    return any(mark in packet[:64] for mark in (b"Xing", b"Info", b"VBRI"))


def _adts_length(header: bytes) -> int:
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0
