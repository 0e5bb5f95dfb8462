"""Paths, bytes and file objects give the same samples, and nothing in a file reaches beyond it."""

import contextlib
import io
import socket
import struct
import tracemalloc
import wave

import av
import numpy as np
import pytest

import emotone.audio.opening
from emotone.audio import load_audio, probe_audio, stream_audio
from emotone.errors import AudioError, AudioTooShortError, NotAudioError


class Pipe:
    """A file that cannot go back."""

    def __init__(self, data):
        self._memory = io.BytesIO(data)

    def read(self, size=-1):
        return self._memory.read(size)


@pytest.fixture(scope="module")
def flac(encode, tone):
    return encode("flac", "flac", tone(16_000), 16_000)


def test_path_bytes_and_file_objects_give_the_same(flac, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(flac)
    wanted = load_audio(path)
    assert np.array_equal(load_audio(str(path)), wanted)
    assert np.array_equal(load_audio(flac), wanted)
    with path.open("rb") as file:
        file.seek(100)
        assert np.array_equal(load_audio(file), wanted)
        assert not file.closed
        assert np.array_equal(np.concatenate(list(stream_audio(file))), wanted)


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("ogg", "flac")])
def test_a_pipe_is_read_without_going_back(container, codec, encode, tone):
    data = encode(container, codec, tone(44_100, duration_s=5.0), 44_100)
    assert np.array_equal(load_audio(Pipe(data)), load_audio(data))


def test_a_name_with_a_colon_is_a_file(flac, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.wav", "http:x.wav", "concat:one|two", "%03d.wav", "-"):
        (tmp_path / name).write_bytes(flac)
        assert len(load_audio(name)) == 32_000


def test_a_text_file_object_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("RIFF")
    with (tmp_path / "a.wav").open() as file, pytest.raises(NotAudioError, match="binary"):
        load_audio(file)


def test_a_file_object_that_returns_too_much_or_fails_is_caught(flac):
    class Greedy(Pipe):
        def read(self, size=-1):
            return super().read(size + 1)

    class Broken(Pipe):
        def read(self, size=-1):
            raise OSError("the disk is gone")

    with pytest.raises(NotAudioError):
        load_audio(Greedy(flac + bytes(1 << 17)))
    with pytest.raises(AudioError, match="the disk is gone"):
        load_audio(Broken(flac))


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.2)
        yield server


def playlists(port, other):
    url = f"http://127.0.0.1:{port}/a.wav"
    return {
        "concat": f"ffconcat version 1.0\nfile '{other}'\nfile '{url}'\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>{url}'
        "</BaseURL></MPD>",
        "image2": "%d.wav",
    }


@pytest.mark.parametrize("kind", ["concat", "hls", "sdp", "dash", "image2"])
def test_a_playlist_opens_no_file_and_no_connection(kind, listener, flac, tmp_path):
    other = tmp_path / "other.flac"
    other.write_bytes(flac)
    trap = tmp_path / "trap.wav"
    trap.write_text(playlists(listener.getsockname()[1], other)[kind])
    with pytest.raises(NotAudioError):
        load_audio(trap)
    with pytest.raises(TimeoutError):
        listener.accept()


@pytest.mark.parametrize("kind", ["concat", "hls"])
def test_even_the_playlist_demuxers_would_get_nothing(kind, listener, flac, tmp_path, monkeypatch):
    """The second lock: if the list of demuxers were ever wrong, what the file asks for is still refused."""
    other = tmp_path / "other.flac"
    other.write_bytes(flac)
    trap = tmp_path / "trap.wav"
    trap.write_text(playlists(listener.getsockname()[1], other)[kind])
    monkeypatch.setattr(emotone.audio.opening, "DEMUXERS", f"{emotone.audio.opening.DEMUXERS},{kind}")
    with pytest.raises(AudioError):
        load_audio(trap)
    with pytest.raises(TimeoutError):
        listener.accept()


def movie_with_samples_elsewhere(movie, path):
    """A QuickTime file whose track says, in an alias record, that its data are in the file at `path`."""
    place = str(path).encode()
    place += b"\0" * (len(place) % 2)
    alias = bytes(10) + b"\1v" + bytes(26) + bytes(12) + b"\1f" + bytes(62) + bytes(16)
    alias += bytes(20) + struct.pack(">hH", 2, len(place)) + place + struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    moov = movie.index(b"moov") - 4
    head, tail = movie[:moov], bytearray(movie[moov:])
    dref = tail.index(b"dref") - 4
    old = tail[dref + 16 : dref + int.from_bytes(tail[dref : dref + 4], "big")]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = tail.rindex(name, 0, dref + 8) - 4
        size = int.from_bytes(tail[at : at + 4], "big") + len(entry) - len(old)
        tail[at : at + 4] = size.to_bytes(4, "big")
    tail[dref + 16 : dref + 16 + len(old)] = entry
    return head + bytes(tail)


def test_a_movie_whose_samples_lie_in_another_file_gets_none_of_it(encode, tone, tmp_path):
    other = tmp_path / "other.raw"
    other.write_bytes(bytes(100_000))
    trap = movie_with_samples_elsewhere(encode("mov", "pcm_s16le", tone(16_000), 16_000), other)

    asked = []

    def note(url, flags, options):
        asked.append(url)
        raise OSError("refused")

    with (
        contextlib.suppress(OSError),
        av.open(io.BytesIO(trap), options={"enable_drefs": "1", "use_absolute_path": "1"}, io_open=note),
    ):
        pass
    assert any(str(other) in url for url in asked), "the trap must be a real one"
    with pytest.raises(AudioError):
        load_audio(trap)


def test_a_part_is_the_slice_of_the_whole(encode, tone):
    for rate in (16_000, 44_100):
        data = encode("wav", "pcm_s16le", tone(rate), rate)
        whole = load_audio(data)
        assert np.array_equal(load_audio(data, start_s=0.3, end_s=1.21), whole[4_800:19_360])
        assert np.array_equal(load_audio(data, start_s=1.5), whole[24_000:])
        assert np.array_equal(load_audio(data, end_s=0.5), whole[:8_000])
        assert np.array_equal(load_audio(data, start_s=1.5, end_s=9.0), whole[24_000:])
        with pytest.raises(AudioTooShortError, match=r"ends at 2\.000 s"):
            load_audio(data, start_s=2.5)


def test_a_part_is_read_from_a_recording_that_is_damaged_behind_it(encode, tone):
    data = encode("wav", "pcm_s16le", tone(16_000), 16_000)[:40_000]
    assert len(load_audio(data, end_s=0.5, truncated="error")) == 8_000


def test_a_stream_needs_no_more_memory_for_a_longer_recording(tmp_path):
    peaks = []
    for minutes in (1, 6):
        path = tmp_path / f"{minutes}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 22_050, 0, "NONE", ""))
            file.writeframes(bytes(2 * 22_050 * 60 * minutes))
        tracemalloc.start()
        for _ in stream_audio(path):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_probe_tells_what_there_is(flac):
    info = probe_audio(flac)
    assert (info.container, info.codec, info.sample_rate, info.n_channels) == ("flac", "flac", 16_000, 1)
    assert (info.duration_s, info.declared_samples) == (2.0, 32_000)


def flac_without_a_length(encode, minutes):
    """Silence at 4 kHz whose STREAMINFO leaves the number of samples open."""
    data = bytearray(encode("flac", "flac", np.zeros((1, 240_000 * minutes)), 4_000))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    return bytes(data)


def test_a_limit_holds_for_decoded_seconds_where_no_length_is_declared(encode):
    class TooLongError(Exception):
        pass

    reached = []

    def limit(decoded_s):
        reached.append(decoded_s)
        if decoded_s > 60:
            raise TooLongError

    data = flac_without_a_length(encode, 5)
    assert probe_audio(data).declared_samples is None
    for read in (load_audio, lambda *args, **options: list(stream_audio(*args, **options))):
        reached.clear()
        with pytest.raises(TooLongError):
            read(data, decoded=limit)
        assert reached == sorted(reached)
        assert 60 < reached[-1] < 65


def test_the_decoded_seconds_reach_the_length_of_the_recording(encode, tone):
    for rate in (8_000, 44_100):
        reached = []
        load_audio(encode("wav", "pcm_s16le", tone(rate), rate), decoded=reached.append)
        assert reached[-1] == pytest.approx(2.0)
