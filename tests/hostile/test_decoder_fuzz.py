"""Whatever is done to a real recording's bytes, decoding gives finite samples or an error of ours."""

from __future__ import annotations

import io
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotone.audio import AudioTruncatedWarning, load_audio, stream_audio
from emotone.errors import EmotoneError
from hostile.make_hostile import encoded, wav

CLIP = Path(__file__).parents[2] / "src" / "emotone" / "clips" / "emodb" / "03a01Wa.flac"
FORMATS = ("wav", "flac", "mp3", "m4a", "ogg", "opus", "webm", "amr", "aac", "aiff", "caf", "mp4")


@cache
def recording(name: str) -> bytes:
    """Half a second of a bundled clip in a format."""
    speech = load_audio(CLIP, end_s=0.5)
    if name == "wav":
        return wav(speech)
    container, codec, rate = {
        "flac": ("flac", "flac", 16_000),
        "mp3": ("mp3", "libmp3lame", 16_000),
        "m4a": ("ipod", "aac", 16_000),
        "ogg": ("ogg", "flac", 16_000),
        "opus": ("ogg", "libopus", 48_000),
        "webm": ("webm", "libopus", 48_000),
        "amr": ("amr", "libopencore_amrnb", 8_000),
        "aac": ("adts", "aac", 16_000),
        "aiff": ("aiff", "pcm_s16be", 16_000),
        "caf": ("caf", "pcm_s16le", 16_000),
        "mp4": ("mp4", "aac", 16_000),
    }[name]
    return encoded(container, codec, speech, rate, picture="mpeg4" if name == "mp4" else "")


INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
OFFSETS = st.one_of(st.integers(0, 127), st.integers(0, 1_023), st.integers(0, 1 << 20))
"""Most of what a parser trusts stands at the start."""

MUTATION = st.one_of(
    st.tuples(st.just("bytes"), OFFSETS, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("number"), OFFSETS, st.sampled_from(INTERESTING), st.sampled_from([2, 3, 4, 8]), st.booleans()),
    st.tuples(st.just("cut"), OFFSETS),
    st.tuples(st.just("drop"), OFFSETS, st.integers(1, 64)),
    st.tuples(st.just("insert"), OFFSETS, st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("repeat"), OFFSETS, st.integers(1, 600), st.integers(2, 50)),
    st.tuples(st.just("noise"), OFFSETS, st.integers(1, 2_000), st.integers(0, 1 << 16)),
)


def mutated(content: bytes, mutation: tuple) -> bytes:
    kind, offset, *rest = mutation
    offset %= max(1, len(content))
    before, after = content[:offset], content[offset:]
    if kind == "bytes":
        return before + rest[0] + after[len(rest[0]) :]
    if kind == "number":
        value, width, big = rest
        patch = (value & (1 << 8 * width) - 1).to_bytes(width, "big" if big else "little")
        return before + patch + after[width:]
    if kind == "cut":
        return before
    if kind == "drop":
        return before + after[rest[0] :]
    if kind == "insert":
        return before + rest[0] + after
    if kind == "repeat":
        return before + after[: rest[0]] * rest[1] + after[rest[0] :]
    return before + np.random.default_rng(rest[1]).bytes(rest[0]) + after[rest[0] :]


def decode(content: bytes, channels: str = "mix", seekable: bool = True) -> None:
    """Finite samples or an error of ours, in the time that is allowed."""
    source: bytes | io.BytesIO = content
    if not seekable:
        source = io.BytesIO(content)
        source.seekable = lambda: False  # type: ignore[method-assign]
    started, n_samples = time.process_time(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioTruncatedWarning)
        try:
            for block in stream_audio(source, channels=channels):
                assert block.dtype == np.float32
                assert np.isfinite(block).all()
                n_samples += block.shape[-1]
        except EmotoneError:
            pass
    assert time.process_time() - started < 5 + n_samples / 16_000 / 100


FUZZ = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, **FUZZ)
@given(st.lists(MUTATION, min_size=1, max_size=4), st.sampled_from(["mix", "split"]), st.booleans())
def test_mutated_recordings_give_samples_or_an_error_of_ours(name, mutations, channels, seekable):
    content = recording(name)
    for mutation in mutations:
        content = mutated(content, mutation)
    decode(content, channels, seekable)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=1_000, **FUZZ | {"derandomize": False})
@given(st.lists(MUTATION, min_size=1, max_size=8), st.sampled_from(["mix", "split"]), st.booleans())
def test_many_more_mutations_give_samples_or_an_error_of_ours(name, mutations, channels, seekable):
    content = recording(name)
    for mutation in mutations:
        content = mutated(content, mutation)
    decode(content, channels, seekable)


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_cut_at_every_header_byte_gives_samples_or_an_error_of_ours(name):
    content = recording(name)
    for length in range(min(160, len(content))):
        decode(content[:length])


@settings(max_examples=200, **FUZZ)
@given(
    st.binary(max_size=400),
    st.sampled_from(
        [
            b"",
            b"RIFF0000WAVE",
            b"fLaC",
            b"OggS",
            b"ID3",
            b"\xff\xfb",
            b"caff",
            b"\0\0\0\x18ftyp",
            b"\x1aE\xdf\xa3",
            b"#!AMR\n",
            b"#!AMR-WB\n",
            b"FORM0000AIFF",
            b"\xff\xf1",
            b"RF64\xff\xff\xff\xffWAVE",
        ]
    ),
)
def test_any_bytes_after_a_signature_give_samples_or_an_error_of_ours(content, magic):
    decode(magic + content)
