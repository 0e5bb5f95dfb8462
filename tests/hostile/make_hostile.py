"""Broken, strange and hostile recordings, made by a script so that none has to be stored.

    python tests/hostile/make_hostile.py FOLDER

Conventions: `small_files()` are named contents; `make(folder)` writes them and what only a file system can hold (links,
pipes, odd names). Names begin with their kind: `wav-`, `flac-`, `not-audio-`, `name-`, `path-` and so on.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16_000
TONE = 0.4 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)
_LAYOUTS = {1: "mono", 2: "stereo", 8: "7.1"}


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk; `size` is what it claims."""
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes, size: int | None = None, magic: bytes = b"RIFF") -> bytes:
    """A RIFF file of these chunks; `size` is what it claims."""
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def fmt(tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, block: int | None = None) -> bytes:
    """A `fmt ` chunk that says whatever it is told to."""
    block = min(channels * bits // 8, 0xFFFF) if block is None else block
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block & 0xFFFFFFFF, block, bits))


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """A 16-bit WAV of samples in [-1, 1], shape (n,) or (n, n_channels)."""
    samples = np.atleast_2d(samples.T).T
    body = np.clip(np.rint(samples * 32_767), -32_768, 32_767).astype("<i2").tobytes()
    return riff(fmt(channels=samples.shape[1], rate=rate), chunk(b"data", body))


def float_wav(samples: np.ndarray, dtype: str = "<f4") -> bytes:
    """A floating-point WAV."""
    body = samples.astype(dtype).tobytes()
    return riff(fmt(tag=3, bits=8 * np.dtype(dtype).itemsize), chunk(b"data", body))


def encoded(container: str, codec: str, samples: np.ndarray = TONE, rate: int = RATE, picture: str = "") -> bytes:
    """The bytes of a file; `picture` adds a video stream of that codec, first. Samples (n,) or (n_channels, n)."""
    memory = io.BytesIO()
    samples = np.atleast_2d(samples)
    with av.open(memory, "w", format=container) as output:
        image = output.add_stream(picture, rate=25) if picture else None
        if image is not None:
            image.width = image.height = 64
            image.pix_fmt = "yuvj420p" if picture == "mjpeg" else "yuv420p"
        stream = output.add_stream(codec, rate=rate, layout=_LAYOUTS[len(samples)]) if samples.size else None
        if stream is not None:
            stream.codec_context.open()
        if image is not None:
            for i in range(1 if container == "mp3" else 12):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9 * i, np.uint8), format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                output.mux(image.encode(frame))
            output.mux(image.encode(None))
        if stream is not None:
            resampler = av.AudioResampler(
                format=stream.format.name,
                layout=_LAYOUTS[len(samples)],
                rate=rate,
                frame_size=stream.codec_context.frame_size or 1024,
            )
            whole = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples, np.float32), format="fltp", layout=_LAYOUTS[len(samples)]
            )
            whole.sample_rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
            for piece in (*resampler.resample(whole), *resampler.resample(None)):
                output.mux(stream.encode(piece))
            output.mux(stream.encode(None))
    return memory.getvalue()


def overwritten(content: bytes, offset: int, patch: bytes) -> bytes:
    """The same bytes with a patch laid over them."""
    return content[:offset] + patch + content[offset + len(patch) :]


def _wav_headers() -> Iterator[tuple[str, bytes]]:
    """Headers that are cut, lie or ask for the impossible."""
    good = wav(TONE)
    data = chunk(b"data", good[44:])
    for length in range(45):
        yield f"wav-cut-at-{length:02}.wav", good[:length]
    yield "wav-data-size-too-large.wav", overwritten(good, 40, struct.pack("<I", 900_000_000))
    yield "wav-data-size-zero.wav", overwritten(good, 40, b"\0\0\0\0")
    yield "wav-data-size-one.wav", overwritten(good, 40, b"\1\0\0\0")
    yield "wav-riff-size-zero.wav", overwritten(good, 4, b"\0\0\0\0")
    yield "wav-riff-size-all-ones.wav", overwritten(good, 4, b"\xff\xff\xff\xff")
    yield "wav-no-fmt.wav", riff(data)
    yield "wav-data-before-fmt.wav", riff(data, fmt())
    yield "wav-two-fmts.wav", riff(fmt(), fmt(channels=2, rate=8_000), data)
    yield "wav-fmt-of-two-bytes.wav", riff(chunk(b"fmt ", b"\1\0"), data)
    yield "wav-fmt-of-4-gib.wav", riff(chunk(b"fmt ", fmt()[8:], 0xFFFFFFF0), data)
    yield "wav-no-channels.wav", riff(fmt(channels=0), data)
    yield "wav-65535-channels.wav", riff(fmt(channels=65_535), data)
    yield "wav-24-channels.wav", wav(np.tile(TONE[:, None], (1, 24)))
    yield "wav-64-channels.wav", wav(np.tile(TONE[:, None], (1, 64)))
    for rate in (0, 1, 3_999, 4_000, 192_000, 192_001, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"wav-at-{rate}-hz.wav", riff(fmt(rate=rate), data)
    for bits in (0, 1, 7, 12, 20, 24, 32, 48, 64, 65_535):
        yield f"wav-of-{bits}-bits.wav", riff(fmt(bits=bits), data)
    yield "wav-block-zero.wav", riff(fmt(block=0), data)
    yield "wav-block-odd.wav", riff(fmt(block=3), data)
    for tag in (0, 2, 6, 7, 0x11, 0x31, 0x50, 0x55, 0x92, 0xFF, 0x161, 0x2001, 0xABCD, 0xFFFE):
        yield f"wav-tag-{tag:04x}.wav", riff(fmt(tag=tag), data)
    yield "wav-ten-thousand-chunks.wav", riff(fmt(), chunk(b"junk", b"") * 10_000, data)
    yield "wav-list-of-2-gib.wav", riff(fmt(), chunk(b"LIST", b"INFO", 0x7FFFFFFF), data)
    yield (
        "wav-rf64-lies.wav",
        riff(chunk(b"ds64", struct.pack("<QQQI", 1 << 63, 1 << 62, 1 << 61, 0)), fmt(), data, magic=b"RF64"),
    )
    yield "wav-big-endian.wav", riff(fmt(), data, magic=b"RIFX")
    yield "wav-is-avi.wav", good[:8] + b"AVI " + good[12:]
    yield "wav-in-wav.wav", riff(fmt(), chunk(b"data", good))
    yield "wav-with-a-tail-of-junk.wav", good + bytes(range(256)) * 40


def _samples() -> Iterator[tuple[str, bytes]]:
    """Sound that is no speech, or no sound."""
    generator = np.random.default_rng(0)
    yield "samples-none.wav", wav(np.zeros(0))
    yield "samples-1.wav", wav(TONE[:1])
    yield "samples-399.wav", wav(TONE[:399])
    yield "samples-401.wav", wav(TONE[:401])
    yield "samples-silence.wav", wav(np.zeros(RATE))
    yield "samples-dc.wav", wav(np.full(RATE, 0.9))
    yield "samples-square.wav", wav(np.sign(TONE))
    yield "samples-lowest.wav", riff(fmt(), chunk(b"data", b"\0\x80" * RATE))
    yield "samples-noise.wav", wav(generator.uniform(-1, 1, RATE))
    yield "samples-click.wav", wav(np.eye(1, RATE, 8_000)[0])
    yield "samples-odd-byte.wav", riff(fmt(), chunk(b"data", wav(TONE)[44:] + b"\7"))
    for name, value in (("nan", np.nan), ("infinity", np.inf), ("1e30", 1e30), ("1e-40", 1e-40), ("max", 3.4e38)):
        samples = TONE.copy()
        samples[8_000:8_010] = value
        yield f"samples-{name}.wav", float_wav(samples)
    yield "samples-all-nan.wav", float_wav(np.full(RATE, np.nan))
    yield "samples-all-max.wav", float_wav(np.full(RATE, 3.4e38))
    yield "samples-double-1e300.wav", float_wav(np.full(RATE, 1e300), "<f8")
    yield "samples-half-float.wav", float_wav(TONE, "<f2")
    yield "samples-hour-of-silence.flac", encoded("flac", "flac", np.zeros((1, 3_600 * 4_000), np.float32), rate=4_000)


def _compressed() -> Iterator[tuple[str, bytes]]:
    """Real codecs and containers, hurt."""
    flac = encoded("flac", "flac", np.random.default_rng(6).normal(0, 0.1, 3 * RATE))
    yield "flac-header-only.flac", flac[:42]
    yield "flac-cut.flac", flac[: len(flac) // 2]
    yield "flac-declares-too-much.flac", overwritten(flac, 22, b"\xff\xff\xff\xff")
    yield "flac-rate-zero.flac", overwritten(flac, 18, b"\0\0\0")
    yield "flac-block-of-16-mib.flac", overwritten(flac, 5, b"\xff\xff\xff")
    yield "flac-frames-damaged.flac", overwritten(flac, len(flac) // 2, bytes(range(200)))
    yield "flac-noise-for-frames.flac", flac[:86] + np.random.default_rng(1).bytes(20_000)
    mp3 = encoded("mp3", "libmp3lame")
    yield "mp3-cover.mp3", encoded("mp3", "libmp3lame", picture="mjpeg")
    yield "mp3-cut.mp3", mp3[: len(mp3) // 2]
    yield "mp3-one-frame.mp3", mp3[-144:]
    yield "mp3-tag-beyond-the-end.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + mp3
    yield "mp3-hundred-thousand-tags.mp3", b"ID3\4\0\0\0\0\0\0" * 100_000 + mp3
    yield "mp3-rates-change.mp3", mp3 + encoded("mp3", "libmp3lame", rate=44_100) + mp3
    yield "mp3-channels-change.mp3", mp3 + encoded("mp3", "libmp3lame", np.stack([TONE, TONE]))
    yield "mp3-after-junk.mp3", bytes(5_000) + mp3
    yield "mp3-frames-lie.mp3", mp3.replace(b"Info", b"Xing").replace(b"Xing\0\0\0\x0f\0\0", b"Xing\0\0\0\x0f\xff\xff")
    yield "mp3-all-ones.mp3", b"\xff" * 100_000
    yield "mp3-sync-without-end.mp3", b"\xff\xfb\x90\x64" * 50_000
    ogg = encoded("ogg", "libopus", np.tile(TONE, 6), rate=48_000)
    yield "ogg-cut.ogg", ogg[: len(ogg) // 2]
    yield "ogg-header-only.ogg", ogg[:47]
    yield "ogg-preskip-beyond-the-end.opus", overwritten(ogg, ogg.find(b"OpusHead") + 10, b"\xff\xff")
    yield "ogg-gain-128-db.opus", overwritten(ogg, ogg.find(b"OpusHead") + 16, b"\xff\x7f")
    yield "ogg-255-channels.opus", overwritten(ogg, ogg.find(b"OpusHead") + 9, b"\xff")
    yield "ogg-chained.ogg", ogg + encoded("ogg", "libopus", np.stack([TONE, TONE]), rate=48_000)
    yield "ogg-pages-swapped.ogg", ogg[:47] + ogg[-4_000:] + ogg[47:-4_000]
    yield "ogg-granule-all-ones.ogg", ogg[:-4_000] + ogg[-4_000:].replace(b"OggS\0\4", b"OggS\0\4\xff\xff\xff\xff", 1)
    m4a = encoded("ipod", "aac")
    moov = m4a.find(b"moov") - 4
    yield "m4a-no-index.m4a", m4a[:moov]
    yield "m4a-index-cut.m4a", m4a[: moov + 200]
    yield "m4a-index-only.m4a", m4a[moov:]
    for atom in (b"stsz", b"stsc", b"stts", b"stco", b"esds", b"mdhd", b"stsd"):
        yield f"m4a-{atom.decode()}-all-ones.m4a", overwritten(m4a, m4a.find(atom) + 8, b"\xff" * 8)
        yield f"m4a-{atom.decode()}-of-2-gib.m4a", overwritten(m4a, m4a.find(atom) - 4, b"\x7f\xff\xff\xff")
    yield "m4a-samples-without-end.m4a", overwritten(m4a, m4a.find(b"stsz") + 8, b"\0\0\0\1\xff\xff\xff\xff")
    yield "m4a-atom-of-size-0.m4a", b"\0\0\0\0free" * 2_000
    yield "m4a-atom-of-size-1.m4a", b"\0\0\0\1free" * 2_000
    yield (
        "m4a-atoms-in-atoms.m4a",
        m4a[:32] + b"".join(struct.pack(">I", 90_000 - 8 * i) + b"moov" for i in range(9_999)),
    )
    yield "mp4-video-with-sound.mp4", encoded("mp4", "aac", picture="mpeg4")
    yield "mp4-silent-video.mp4", encoded("mp4", "aac", np.zeros((0, 0)), picture="mpeg4")
    yield "mkv-silent-video.mkv", encoded("matroska", "aac", np.zeros((0, 0)), picture="mpeg4")
    webm = encoded("webm", "libopus", np.tile(TONE, 6), rate=48_000)
    yield "webm-cut.webm", webm[: len(webm) // 2]
    yield "webm-header-only.webm", webm[:40]
    yield "webm-of-unknown-size.webm", overwritten(webm, webm.find(b"\x18\x53\x80\x67") + 4, b"\x01" + b"\xff" * 7)
    yield "webm-elements-without-end.webm", webm[:40] + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" * 4_000
    yield "webm-noise.webm", webm[:300] + np.random.default_rng(2).bytes(20_000)
    amr = encoded("amr", "libopencore_amrnb", TONE[::2], rate=8_000)
    yield "amr-header-only.amr", amr[:6]
    yield "amr-cut.amr", amr[: len(amr) // 2]
    yield "amr-all-frames-reserved.amr", amr[:6] + b"\x6c" * 5_000
    yield "amr-all-frames-empty.amr", amr[:6] + b"\x7c" * 5_000
    yield "amr-noise.amr", amr[:6] + np.random.default_rng(3).bytes(5_000)
    caf = encoded("caf", "pcm_s16le")
    yield "caf-negative-chunk.caf", caf[:8] + b"desc" + b"\xff" * 8 + caf[20:]
    yield "caf-cut.caf", caf[: len(caf) // 2]
    aiff = encoded("aiff", "pcm_s16be")
    yield "aiff-rate-is-nan.aiff", overwritten(aiff, aiff.find(b"COMM") + 16, b"\x7f\xff" + b"\xff" * 8)
    yield "aiff-no-sound.aiff", aiff[: aiff.find(b"SSND")]
    aac = encoded("adts", "aac")
    yield "aac-cut.aac", aac[: len(aac) // 2 + 3]
    yield "aac-noise.aac", aac[:300] + np.random.default_rng(4).bytes(20_000)


def _not_audio() -> Iterator[tuple[str, bytes]]:
    """What people and attackers rename to .wav."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sound.wav", wav(TONE))
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde"
    texts = {
        "empty": b"",
        "one-byte": b"R",
        "zip": archive.getvalue(),
        "gzip": b"\x1f\x8b\x08\0" + bytes(500),
        "png": png + bytes(500),
        "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(500),
        "gif": b"GIF89a\1\0\1\0" + bytes(50),
        "pdf": b"%PDF-1.7\n%%EOF\n",
        "html": b"<!doctype html><title>404</title>",
        "json": b'{"error": "not found"}',
        "elf": b"\x7fELF\2\1\1" + bytes(500),
        "sqlite": b"SQLite format 3\0" + bytes(500),
        "utf-16": "a text of no great length, many times over".encode("utf-16") * 200,
        "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        "m3u8": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        "mpd": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
        "zeros": bytes(1_000_000),
        "random": np.random.default_rng(5).bytes(1_000_000),
        "midi": b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0",
    }
    for name, content in texts.items():
        yield f"not-audio-{name}.wav", content


def small_files() -> dict[str, bytes]:
    """Name -> content of everything that is only bytes."""
    kinds: tuple[Callable[[], Iterator[tuple[str, bytes]]], ...] = (_wav_headers, _samples, _compressed, _not_audio)
    return {name: content for kind in kinds for name, content in kind()}


STRANGE_NAMES = (
    b"name-two\nlines.wav",
    b"name-tab\tand\rreturn.wav",
    "name-\N{GRINNING FACE}\N{ZERO WIDTH JOINER}.wav".encode(),
    b"name-latin1-\xe9\xff.wav",
    b"name-\x1b[31mred\x07.wav",
    b"name-%s%n%d.wav",
    b"name-'quoted\" $(x) `y`;&.wav",
    b"name-a:b.wav",
    b"name-file:etc.wav",
    b"name- ends in a space ",
    b"name-*?[!a].wav",
    b"-name-like-an-option.wav",
    b"name-" + b"x" * 240 + b".wav",
    "name-\N{RIGHT-TO-LEFT OVERRIDE}vaw.exe".encode(),
    b".name-hidden.wav",
)
"""Names of whole recordings, as bytes; some are no UTF-8."""


def make(folder: Path) -> list[Path]:
    """Write them all.

    Args:
        folder: is made.
    Returns:
        the paths, sorted; some lead nowhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in small_files().items():
        (folder / name).write_bytes(content)
    good = wav(TONE)
    for raw in STRANGE_NAMES:
        # Some file systems take only UTF-8, or fewer letters.
        with suppress(OSError):
            (folder / os.fsdecode(raw)).write_bytes(good)
    _make_strange_paths(folder, good)
    return sorted(folder.iterdir())


def _make_strange_paths(folder: Path, good: bytes) -> None:
    (folder / "path-folder.wav").mkdir(exist_ok=True)
    for name, target in {
        "path-link-to-itself.wav": "path-link-to-itself.wav",
        "path-link-to-a-loop.wav": "path-link-back.wav",
        "path-link-back.wav": "path-link-to-a-loop.wav",
        "path-link-to-nothing.wav": "nothing.wav",
        "path-link-to-a-folder.wav": ".",
        "path-link-to-zeros.wav": "/dev/zero",
        "path-link-to-null.wav": "/dev/null",
    }.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    unreadable = folder / "path-unreadable.wav"
    if not unreadable.exists():
        unreadable.write_bytes(good)
    unreadable.chmod(0)
    pipe = folder / "path-pipe-without-writer.wav"
    if not pipe.exists():
        os.mkfifo(pipe)
    # A socket's path must be short; from within the folder it is.
    here = Path.cwd()
    try:
        os.chdir(folder)
        Path("path-socket.wav").unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("path-socket.wav")
    finally:
        os.chdir(here)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(f"{len(make(Path(sys.argv[1])))} files in {sys.argv[1]}\n")
