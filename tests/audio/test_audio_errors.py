"""Bad recordings give errors of ours that say what is wrong; nothing is lost without a word."""

import io
import struct
import subprocess
import sys
import warnings
import wave

import numpy as np
import pytest

from emotone.audio import AudioTruncatedWarning, load_audio, probe_audio, stream_audio
from emotone.errors import (
    AudioError,
    AudioNotFoundError,
    AudioSamplesError,
    AudioTooShortError,
    AudioTruncatedError,
    NoAudioStreamError,
    NotAudioError,
)


def wav(samples, rate=16_000):
    memory = io.BytesIO()
    with wave.open(memory, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.asarray(samples, np.int16).tobytes())
    return memory.getvalue()


SECOND = wav(np.arange(16_000) % 1_000)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioNotFoundError, match=r"none\.wav: no such file"):
        load_audio(tmp_path / "none.wav")
    with pytest.raises(AudioNotFoundError):
        load_audio("http://127.0.0.1/a.wav")
    with pytest.raises(AudioNotFoundError):
        load_audio("a\0b.wav")


def test_a_folder_and_an_empty_file_are_no_audio(tmp_path):
    with pytest.raises(NotAudioError, match="folder"):
        load_audio(tmp_path)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(NotAudioError, match="empty"):
        load_audio(tmp_path / "empty.wav")
    with pytest.raises(NotAudioError, match="empty"):
        load_audio(b"")


def test_content_decides_not_the_suffix(tmp_path):
    (tmp_path / "text.wav").write_text("This is a text.\n" * 100)
    with pytest.raises(NotAudioError, match="not audio"):
        load_audio(tmp_path / "text.wav")
    (tmp_path / "sound.txt").write_bytes(SECOND)
    assert len(load_audio(tmp_path / "sound.txt")) == 16_000


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        "Grüße, as Windows writes it.\r\n".encode("utf-16"),
        b"\xff" * 70_000,
        bytes(70_000),
        np.random.default_rng(1).bytes(200_000),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\x10\0\0\0AVI LIST",
        b"ID3\x04\0\0\0\0\0\x0a" + bytes(10),
        b"fLaC",
        b"OggS",
        b"#!AMR\n",
        b"\x1aE\xdf\xa3",
        b"\0\0\0\x18ftypmp42" + bytes(12),
        b"caff\0\1\0\0",
        b"FORM\0\0\0\0AIFF",
    ],
    ids=lambda data: repr(data[:6]),
)
def test_what_is_no_recording_gives_an_error_of_ours(data):
    with pytest.raises(AudioError):
        load_audio(data)
    with pytest.raises(AudioError):
        list(stream_audio(data))


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame")])
def test_random_damage_gives_samples_or_an_error_of_ours(container, codec, encode, tone):
    whole = encode(container, codec, tone(16_000), 16_000)
    generator = np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(whole)
        for position in generator.integers(0, len(data), 20):
            data[position] = generator.integers(256)
        for position in generator.integers(0, 60, 2):
            data[position] = generator.integers(256)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioTruncatedWarning)
                load_audio(bytes(data))
        except AudioError:
            pass


def test_a_video_without_sound_has_no_audio_stream():
    import av

    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        output.mux(video.encode(None))
    with pytest.raises(NoAudioStreamError, match="no sound"):
        load_audio(memory.getvalue())


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 16_000),
        ("wav", "adpcm_ms", 16_000),
        ("flac", "flac", 16_000),
        ("mp3", "libmp3lame", 16_000),
        ("ogg", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("aiff", "pcm_s16be", 16_000),
        ("caf", "pcm_s16le", 16_000),
        ("adts", "aac", 16_000),
        ("amr", "libopencore_amrnb", 8_000),
    ],
)
def test_a_cut_recording_warns_with_what_could_be_read_or_is_refused(container, codec, rate, keep, encode, tone):
    whole = encode(container, codec, tone(rate, duration_s=4.0), rate)
    cut = whole[: int(len(whole) * keep) - 1]
    with pytest.warns(AudioTruncatedWarning, match="could be read"):
        waveform = load_audio(cut)
    assert len(waveform) / 16_000 < 4 * keep + 0.1
    with pytest.raises(AudioTruncatedError, match="could be read"):
        load_audio(cut, truncated="error")
    with pytest.raises(AudioTruncatedError, match="could be read"):
        list(stream_audio(cut, truncated="error"))


@pytest.mark.parametrize("container", ["mp4", "mov", "ipod"])
def test_an_mp4_cut_before_its_index_says_so(container, encode, tone):
    whole = encode(container, "aac", tone(16_000), 16_000)
    with pytest.raises(AudioTruncatedError, match="mdat"):
        load_audio(whole[: len(whole) // 2])


@pytest.mark.parametrize(("container", "codec"), [("flac", "flac"), ("ipod", "aac"), ("mp3", "libmp3lame")])
def test_damage_in_the_middle_is_never_silent(container, codec, encode, tone):
    data = bytearray(encode(container, codec, tone(44_100), 44_100))
    middle = len(data) // 2
    data[middle : middle + 2_000] = np.random.default_rng(0).bytes(2_000)
    with pytest.warns(AudioTruncatedWarning, match="truncated|damaged"):
        load_audio(bytes(data))


def test_a_tag_after_the_declared_end_is_no_damage(encode, tone):
    data = encode("mp3", "libmp3lame", tone(44_100), 44_100)
    assert len(load_audio(data + b"TAG" + b"a" * 125)) == 32_000
    assert len(load_audio(data + b"lyrics" * 20)) == 32_000


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_sizes_that_a_pipe_leaves_open_are_no_truncation(size):
    streamed = SECOND[:40] + struct.pack("<I", size) + SECOND[44:]
    assert probe_audio(streamed).declared_samples is None
    assert np.array_equal(load_audio(streamed, truncated="error"), load_audio(SECOND))


def test_a_header_without_its_samples_is_truncated_even_where_warnings_are_wanted():
    with pytest.raises(AudioTruncatedError, match=r"declares 1.000 s\); 0.000 s"):
        load_audio(SECOND[:44])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(value, encode, tone):
    samples = tone(44_100, n_channels=2)
    samples[1, 22_050] = value
    with pytest.raises(AudioSamplesError, match=r"0\.500 s"):
        load_audio(encode("wav", "pcm_f32le", samples, 44_100))


def test_less_than_a_window_is_too_short():
    with pytest.raises(AudioTooShortError, match=r"0\.0249 s of sound, expected at least 0\.025 s"):
        load_audio(wav(np.ones(399)))
    assert len(load_audio(wav(np.ones(400)))) == 400
    assert len(load_audio(wav(np.ones(5)), min_duration_s=0)) == 5
    with pytest.raises(AudioTooShortError):
        load_audio(wav([]), min_duration_s=0)
    with pytest.raises(AudioTooShortError):
        list(stream_audio(wav([])))


def test_impossible_options_are_refused():
    for options in ({"channels": "left"}, {"truncated": "ignore"}, {"start_s": -1.0}, {"start_s": 2.0, "end_s": 1.0}):
        with pytest.raises(ValueError, match="expected"):
            load_audio(SECOND, **options)
    with pytest.raises(ValueError, match="block_s"):
        stream_audio(SECOND, block_s=0)
    with pytest.raises(TypeError, match="got int"):
        load_audio(3)


def test_ffmpeg_prints_nothing(tmp_path, encode, tone):
    path = tmp_path / "cut.mp3"
    path.write_bytes(encode("mp3", "libmp3lame", tone(16_000), 16_000)[1_000:-500] + bytes(999))
    code = f"import warnings; warnings.simplefilter('ignore'); import emotone.audio as a; a.load_audio({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""
