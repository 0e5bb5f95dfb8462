"""Recordings joined in one file, several tracks, channels that cancel, surround sound, and headers that lie."""

from __future__ import annotations

import io
import struct
import warnings
from fractions import Fraction

import av
import numpy as np
import pytest

from emotone.audio import CANCELLATION_NOTE, AudioTruncatedWarning, load_audio, probe_audio, stream_audio
from emotone.audio.mixing import downmix_weights
from emotone.errors import AudioError, NoAudioStreamError, NotAudioError


def without_warning(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioTruncatedWarning)
        return load_audio(data)


class Pipe:
    """A file that cannot go back."""

    def __init__(self, data):
        self._memory = io.BytesIO(data)

    def read(self, size=-1):
        return self._memory.read(min(size, 999))


def peak(waveform, start_s):
    """The frequency that is strongest in half a second."""
    part = waveform[round(start_s * 16_000) :][:8_000]
    return np.argmax(np.abs(np.fft.rfft(part))) * 2


@pytest.mark.parametrize(
    ("container", "codec", "first", "second"),
    [
        ("ogg", "libopus", (48_000, 1), (48_000, 2)),
        ("ogg", "vorbis", (44_100, 2), (22_050, 2)),
        ("ogg", "flac", (16_000, 1), (44_100, 2)),
        ("flac", "flac", (16_000, 1), (44_100, 2)),
        ("flac", "flac", (16_000, 1), (16_000, 1)),
        ("mp3", "libmp3lame", (16_000, 1), (16_000, 1)),
        ("wav", "pcm_s16le", (16_000, 1), (44_100, 2)),
        ("wav", "pcm_mulaw", (8_000, 1), (8_000, 1)),
    ],
)
def test_joined_recordings_are_read_one_after_the_other(container, codec, first, second, encode, tone):
    data = b"".join(
        encode(container, codec, tone(rate, frequency, n_channels=n_channels), rate)
        for (rate, n_channels), frequency in ((first, 500.0), (second, 900.0), (first, 1_300.0))
    )
    waveform = without_warning(data)
    # MP3 encoders pad both ends of a file, and only the first file's header says by how much.
    assert len(waveform) / 16_000 == pytest.approx(6.0, abs=0.3 if codec == "libmp3lame" else 0.15)
    for start_s, frequency in ((0.5, 500), (2.7, 900), (4.7, 1_300)):
        assert peak(waveform, start_s) in (frequency, 2 * frequency)
    assert np.array_equal(load_audio(Pipe(data)), waveform)


def test_bytes_behind_a_wav_that_are_no_wav_are_not_a_second_recording(encode, tone):
    data = encode("wav", "pcm_s16le", tone(16_000), 16_000)
    whole = without_warning(data)
    for junk in (b"RIFF", b"RIFF\0\0\0\0WAVE", b"ID3\3\0\0\0\0\0\0", bytes(10_000)):
        assert np.array_equal(without_warning(data + junk), whole)
        assert np.array_equal(load_audio(Pipe(data + junk)), whole)


def test_the_second_of_joined_recordings_may_be_damaged(encode, tone):
    data = encode("flac", "flac", tone(16_000), 16_000)
    broken = data[:8] + b"\xff" * 34 + data[42:]
    with pytest.warns(AudioTruncatedWarning, match="damaged|truncated"):
        assert len(load_audio(data[:-1] + broken)) >= 30_000


def test_an_mp3_header_counts_the_file_that_it_was_made_for(encode, tone):
    data = encode("mp3", "libmp3lame", tone(44_100), 44_100)
    assert probe_audio(data).duration_s == pytest.approx(2.0, abs=0.001)
    assert probe_audio(data + data).duration_s == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize("size", [1_000_000_000, 2_000_000_000, 0x80000000 + 36])
def test_round_sizes_of_streaming_writers_are_placeholders(size, encode, tone):
    whole = encode("wav", "pcm_s16le", tone(8_000), 8_000)
    at = whole.index(b"data") + 4
    data = whole[:at] + struct.pack("<I", size) + whole[at + 4 :]
    assert probe_audio(data).declared_samples is None
    assert len(without_warning(data)) == 32_000


def two_tracks(first, second, rate=48_000, container="matroska", codec="libopus"):
    """A file with two audio tracks of one channel each, of the same length."""
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as output:
        streams = [output.add_stream(codec, rate=rate, layout="mono") for _ in range(2)]
        for stream in streams:
            stream.codec_context.open()
        step = streams[0].codec_context.frame_size
        for start in range(0, len(first) // step * step, step):
            for stream, samples in zip(streams, (first, second), strict=True):
                piece = np.ascontiguousarray(samples[None, start : start + step], np.float32)
                if stream.format.name == "s16":
                    piece = (piece * 32_767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(piece, format=stream.format.name, layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    return memory.getvalue()


@pytest.mark.parametrize(("container", "codec"), [("matroska", "libopus"), ("mp4", "aac"), ("mpegts", "aac")])
def test_one_of_two_audio_tracks_can_be_chosen(container, codec, tone):
    voice = tone(48_000)[0]
    data = two_tracks(np.zeros_like(voice), voice, container=container, codec=codec)
    assert np.abs(load_audio(data, track=1)).max() < 1e-3
    assert np.abs(load_audio(data, track=2)).max() > 0.4
    assert np.array_equal(load_audio(data), load_audio(data, track=probe_audio(data).track))
    assert (probe_audio(data).n_tracks, probe_audio(data, track=1).track, probe_audio(data, track=2).track) == (2, 1, 2)
    with pytest.raises(NoAudioStreamError, match="has no audio track 3; it has 2"):
        load_audio(data, track=3)
    with pytest.raises(ValueError, match="track=0"):
        load_audio(data, track=0)


def notes_of(data, **options):
    notes = []
    for _ in stream_audio(data, noted=notes.append, **options):
        pass
    return notes


def test_several_tracks_are_noted_unless_one_was_chosen(tone, encode):
    voice = tone(48_000)[0]
    data = two_tracks(voice, voice)
    assert [note.startswith("2 audio tracks, of which track 1 was read") for note in notes_of(data)] == [True]
    assert notes_of(data, track=2) == []
    assert notes_of(encode("flac", "flac", tone(16_000), 16_000)) == []


@pytest.mark.parametrize(("gain", "noted"), [(-1.0, True), (-0.97, True), (0.0, False), (-0.3, False), (1.0, False)])
def test_channels_that_cancel_are_noted(gain, noted, encode, tone):
    voice = tone(16_000)[0]
    data = encode("flac", "flac", np.stack([voice, gain * voice]), 16_000)
    assert notes_of(data) == ([CANCELLATION_NOTE] if noted else [])
    assert notes_of(data, channels="split") == []


def test_two_speakers_do_not_cancel(encode, tone):
    both = np.random.default_rng(0).normal(0, 0.1, (2, 16_000))
    assert notes_of(encode("flac", "flac", both, 16_000)) == []


def surround(samples, layout="5.1", rate=16_000):
    memory = io.BytesIO()
    with av.open(memory, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=rate, layout=layout)
        packed = np.ascontiguousarray((samples * 32_767).astype(np.int16).T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return memory.getvalue()


def test_surround_sound_is_mixed_as_ffmpeg_mixes_it_without_the_low_frequency_channel():
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 4_000))
    mixed = load_audio(surround(samples))
    # ITU-R BS.775: the centre at 1 / sqrt(2) into both sides, the surrounds too, all scaled to a sum of 1.
    weights = np.array([0.5, 0.5, 2**-0.5, 0.0, 2**-0.5 / 2, 2**-0.5 / 2])
    expected = (weights / weights.sum()) @ np.rint(samples * 32_767 - 0.5) / 32_768
    assert np.abs(mixed - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("container", "codec", "sample_format", "layout"),
    [
        ("adts", "aac", "fltp", "7.1"),
        ("ipod", "aac", "fltp", "hexadecagonal"),
        ("ipod", "alac", "s16p", "7.1(wide)"),
        ("ogg", "libopus", "flt", "7.1"),
    ],
)
def test_eight_channels_and_more_are_read(container, codec, sample_format, layout):
    # PyAV's own conversion to an array reads beyond the eighth plane, and crashes.
    n_channels = av.AudioLayout(layout).nb_channels
    samples = np.zeros((n_channels, 24_000))
    sounding = n_channels - 2
    samples[sounding] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 48_000)
    memory = io.BytesIO()
    with av.open(memory, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout=layout)
        packed = np.ascontiguousarray((samples * 32_767).astype(np.int16).T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        for one in av.AudioResampler(sample_format, layout, 48_000).resample(frame):
            output.mux(stream.encode(one))
        output.mux(stream.encode(None))
    power = np.square(load_audio(memory.getvalue(), channels="split")).mean(axis=1)
    assert power.shape == (n_channels,)
    assert np.argmax(power) == sounding
    assert np.delete(power, sounding).max() < power[sounding] / 100
    assert load_audio(memory.getvalue()).ndim == 1


@pytest.mark.parametrize(("layout", "n_channels"), [("5.1", 6), ("7.1", 8), ("quad", 4), ("5.0", 5), ("3 channels", 3)])
def test_no_mix_is_louder_than_full_scale(layout, n_channels):
    weights = downmix_weights(layout, n_channels)
    assert weights.shape == (n_channels,)
    assert weights.min() >= 0.0
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)


def test_an_mp4_whose_index_is_at_its_end_says_so_in_a_pipe(encode, tone):
    data = encode("ipod", "aac", tone(16_000), 16_000)
    assert data.index(b"moov") > data.index(b"mdat")
    with pytest.raises(NotAudioError, match="its index is at the end and a pipe cannot seek; save it to a file"):
        load_audio(Pipe(data))
    assert len(load_audio(data)) >= 32_000


def test_big_endian_wav_is_refused(encode, tone):
    with pytest.raises(AudioError):
        load_audio(encode("wav", "pcm_s16le", tone(8_000), 8_000).replace(b"RIFF", b"RIFX"))


@pytest.mark.parametrize(("container", "codec"), [("amr", "libopencore_amrnb"), ("3gp", "libopencore_amrnb")])
def test_amr_with_frames_of_silence_is_read_whole(container, codec, tone):
    memory = io.BytesIO()
    samples = np.concatenate([tone(8_000, duration_s=1.0)[0], np.zeros(24_000), tone(8_000, duration_s=1.0)[0]])
    with av.open(memory, "w", format=container) as output:
        stream = output.add_stream(codec, rate=8_000, layout="mono", options={"dtx": "1"})
        frame = av.AudioFrame.from_ndarray((samples[None] * 32_767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8_000, 0, Fraction(1, 8_000)
        stream.codec_context.open()
        fifo = av.AudioFifo()
        fifo.write(frame)
        for piece in fifo.read_many(160):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    data = memory.getvalue()
    assert len(data) < 32 * 250 * 0.8, "the encoder must have left out frames"
    waveform = without_warning(data)
    assert len(waveform) / 16_000 == pytest.approx(5.0, abs=0.1)
    assert np.abs(waveform[16_000 * 2 : 16_000 * 3]).max() < 0.05
    assert np.abs(waveform[-8_000:-3_000]).max() > 0.2
