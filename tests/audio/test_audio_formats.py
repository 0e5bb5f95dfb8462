"""Every format a person has comes out as the sound that went in."""

import io
import wave

import numpy as np
import pytest

from emotone.audio import AudioTruncatedWarning, load_audio, probe_audio, stream_audio

# container, codec, rate, channels, largest error (None: the encoder shifts phases or leaves its delay undeclared)
FORMATS = [
    ("wav", "pcm_u8", 16_000, 1, 0.005),
    ("wav", "pcm_s16le", 44_100, 2, 1e-4),
    ("wav", "pcm_s24le", 48_000, 1, 1e-4),
    ("wav", "pcm_s32le", 8_000, 1, 1e-4),
    ("wav", "pcm_f32le", 16_000, 2, 1e-6),
    ("wav", "pcm_f64le", 192_000, 1, 1e-4),
    ("wav", "pcm_alaw", 8_000, 1, 0.02),
    ("wav", "pcm_mulaw", 8_000, 1, 0.02),
    ("wav", "adpcm_ms", 16_000, 1, 0.03),
    ("flac", "flac", 16_000, 1, 1e-4),
    ("mp3", "libmp3lame", 44_100, 2, 0.05),
    ("mp3", "libmp3lame", 16_000, 1, 0.05),
    ("ipod", "aac", 44_100, 1, 0.05),
    ("ipod", "alac", 44_100, 1, 1e-4),
    ("adts", "aac", 44_100, 1, None),
    ("ogg", "libopus", 48_000, 1, 0.03),
    ("ogg", "flac", 16_000, 1, 1e-4),
    ("ogg", "vorbis", 44_100, 2, None),
    ("webm", "libopus", 48_000, 1, 0.03),
    ("webm", "vorbis", 44_100, 2, None),
    ("matroska", "flac", 44_100, 2, 1e-4),
    ("matroska", "aac", 44_100, 1, 0.05),
    ("mov", "pcm_s16le", 16_000, 1, 1e-4),
    ("aiff", "pcm_s16be", 44_100, 1, 1e-4),
    ("caf", "pcm_s16le", 44_100, 1, 1e-4),
    ("asf", "wmav2", 44_100, 1, None),
    ("asf", "wmav1", 16_000, 1, None),
    ("avi", "pcm_s16le", 16_000, 2, 1e-4),
    ("avi", "libmp3lame", 44_100, 1, None),
    ("au", "pcm_s16be", 44_100, 1, 1e-4),
    ("au", "pcm_mulaw", 8_000, 1, 0.02),
    ("w64", "pcm_s16le", 16_000, 1, 1e-4),
    ("amr", "libopencore_amrnb", 8_000, 1, None),
    ("3gp", "libopencore_amrnb", 8_000, 1, None),
]


@pytest.mark.parametrize(("container", "codec", "rate", "n_channels", "error"), FORMATS)
def test_every_format_gives_the_sound_that_went_in(container, codec, rate, n_channels, error, encode, tone):
    data = encode(container, codec, tone(rate, n_channels=n_channels), rate)
    waveform = load_audio(data)
    info = probe_audio(data)
    assert waveform.dtype == np.float32
    assert info.sample_rate == rate
    assert info.n_channels == n_channels
    # WMA encoders fill the last of their frames, which are longer than others.
    assert len(waveform) / 16_000 == pytest.approx(2.0, abs=0.1 if container == "asf" else 0.05)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    spectrum = np.abs(np.fft.rfft(waveform[:16_000]))
    assert np.argmax(spectrum) in range(440, 440 * n_channels + 1, 440)
    if error is not None:
        expected = tone(16_000, n_channels=n_channels).mean(axis=0)[200:28_000]
        assert np.abs(waveform[200:28_000] - expected).max() < error


@pytest.mark.parametrize(("container", "codec", "rate", "n_channels", "error"), FORMATS)
def test_a_stream_joined_is_the_whole_to_the_bit(container, codec, rate, n_channels, error, encode, tone):
    data = encode(container, codec, tone(rate, n_channels=n_channels), rate)
    whole = load_audio(data, channels="split")
    blocks = list(stream_audio(data, channels="split", block_s=0.37))
    assert {block.shape[1] for block in blocks[:-1]} == {5_920}
    assert 0 < blocks[-1].shape[1] <= 5_920
    assert np.array_equal(np.concatenate(blocks, axis=1), whole)


@pytest.mark.parametrize(
    ("container", "codec"), [("asf", "wmav2"), ("avi", "pcm_s16le"), ("avi", "aac"), ("au", "pcm_s16be")]
)
def test_half_of_a_file_is_truncated(container, codec, encode, tone):
    data = encode(container, codec, tone(16_000), 16_000)
    with pytest.warns(AudioTruncatedWarning, match="truncated"):
        waveform = load_audio(data[: len(data) // 2])
    assert 0.5 < len(waveform) / 16_000 < 1.5


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "aac"), ("matroska", "aac"), ("mov", "pcm_s16le"), ("avi", "aac"), ("asf", "wmav2")],
)
def test_the_sound_of_a_video_is_read(container, codec, encode, tone):
    waveform = load_audio(encode(container, codec, tone(48_000), 48_000, picture=True))
    assert np.sqrt(np.mean(waveform[1_000:30_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_the_cover_of_an_mp3_is_not_its_sound(encode, tone):
    data = encode("mp3", "libmp3lame", tone(44_100), 44_100, picture=True)
    assert b"APIC" in data
    assert probe_audio(data).codec.startswith("mp3")
    assert len(load_audio(data)) == 32_000


def test_16_bit_at_the_wanted_rate_is_exact(tmp_path):
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 20_000, dtype=np.int16)
    path = tmp_path / "exact.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    assert np.array_equal(load_audio(path), samples.astype(np.float32) / 32_768)


def test_24_bit_at_the_wanted_rate_is_exact():
    samples = np.random.default_rng(0).integers(-(1 << 23), 1 << 23, 5_000, dtype=np.int32)
    memory = io.BytesIO()
    with wave.open(memory, "wb") as file:
        file.setparams((1, 3, 16_000, 0, "NONE", ""))
        file.writeframes(samples.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    assert np.array_equal(load_audio(memory), samples.astype(np.float32) / (1 << 23))


def test_floats_beyond_full_scale_stay(encode, tone):
    loud = 6 * tone(16_000)
    assert np.array_equal(load_audio(encode("wav", "pcm_f32le", loud, 16_000)), loud[0].astype(np.float32))


def test_channels_are_averaged_without_weights_or_kept(encode, tone):
    stereo = tone(16_000, n_channels=2).astype(np.float32)
    data = encode("wav", "pcm_f32le", stereo, 16_000)
    assert np.array_equal(load_audio(data, channels="split"), stereo)
    assert np.array_equal(load_audio(data), (stereo[0] + stereo[1]) / 2)


def test_many_channels_are_averaged():
    samples = np.random.default_rng(0).integers(-3_000, 3_000, (1_600, 11), dtype=np.int16)
    memory = io.BytesIO()
    with wave.open(memory, "wb") as file:
        file.setparams((11, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    assert np.allclose(load_audio(memory.getvalue()), samples.mean(axis=1) / 32_768, atol=1e-7)


def test_the_bundled_clips_are_read(clips_dir):
    clips = sorted(path for path in clips_dir.rglob("*") if path.suffix in (".flac", ".opus"))
    assert clips
    for clip in clips:
        assert 1.0 < len(load_audio(clip, truncated="error")) / 16_000 < 6.0


def test_a_change_of_format_on_the_way_is_followed(encode, tone):
    data = encode("adts", "aac", tone(16_000), 16_000) + encode("adts", "aac", tone(44_100, n_channels=2), 44_100)
    waveform = load_audio(data)
    assert len(waveform) / 16_000 == pytest.approx(4.1, abs=0.1)
    second = waveform[40_000:56_000]
    assert np.argmax(np.abs(np.fft.rfft(second))) in (440, 880)
    with pytest.raises(ValueError, match="1 channels become 2"):
        load_audio(data, channels="split")


def test_wav_sizes_beyond_4_gib_are_read_from_rf64():
    samples = np.arange(-8_000, 8_000, dtype=np.int16)
    sizes = (32_000 + 72).to_bytes(8, "little") + (32_000).to_bytes(8, "little") + (16_000).to_bytes(8, "little")
    header = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + sizes + bytes(4)
    header += b"fmt \x10\0\0\0" + bytes.fromhex("01000100803e0000007d000002001000") + b"data\xff\xff\xff\xff"
    assert probe_audio(header + samples.tobytes()).declared_samples == 16_000
    assert np.array_equal(load_audio(header + samples.tobytes(), truncated="error"), samples / np.float32(32_768))
    with pytest.warns(AudioTruncatedWarning, match=r"declares 1.000 s\); 0.500 s"):
        load_audio(header + samples[:8_000].tobytes())
