"""Sound stays where the container's timestamps put it; gaps and late starts are silence."""

from __future__ import annotations

import io
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from emotone.audio import AudioTruncatedWarning, load_audio, probe_audio, stream_audio
from emotone.audio.clock import LONGEST_GAP_S, Clock

CASES = Path(__file__).parent / "cases"


def regions(waveform, rate=16_000):
    """Where there is sound, as (start, end) in seconds; pauses of less than a second do not count."""
    step = rate // 20
    blocks = waveform[: len(waveform) // step * step].reshape(-1, step)
    level = np.sqrt((blocks**2).mean(axis=1))
    loud = np.flatnonzero(level > 0.1 * level.max())
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > 20) + 1)
    return [(part[0] / 20, (part[-1] + 1) / 20) for part in parts]


def remuxed(data, container, *, shift_s=0.0, gap_s=None, picture=False):
    """The same packets in another container, later by `shift_s`, without those in `gap_s`; a picture from 0 on."""
    memory = io.BytesIO()
    with av.open(io.BytesIO(data)) as given, av.open(memory, "w", format=container) as output:
        sound = output.add_stream_from_template(given.streams.audio[0])
        if picture:
            video = output.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            for i in range(75):
                image = av.VideoFrame.from_ndarray(np.full((64, 64, 3), i, np.uint8), format="rgb24")
                image.pts, image.time_base = i, Fraction(1, 25)
                output.mux(video.encode(image))
            output.mux(video.encode(None))
        for packet in given.demux(given.streams.audio[0]):
            if packet.dts is None or (gap_s and gap_s[0] <= packet.pts * packet.time_base < gap_s[1]):
                continue
            packet.pts += round(shift_s / packet.time_base)
            packet.dts += round(shift_s / packet.time_base)
            packet.stream = sound
            output.mux(packet)
    return memory.getvalue()


def without_warning(data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioTruncatedWarning)
        return load_audio(data, **options)


@pytest.fixture(scope="module")
def aac(encode, tone):
    return encode("mp4", "aac", tone(16_000, duration_s=5.0), 16_000)


@pytest.fixture(scope="module")
def opus(encode, tone):
    return encode("webm", "libopus", tone(48_000, duration_s=5.0), 48_000)


@pytest.mark.parametrize(
    "name", ["dtx.amr", "joined.mp3", "chain_mono_then_stereo.opus", "gap.webm", "late_sound.mkv", "speech.ts"]
)
def test_both_stretches_of_speech_are_where_they_were_spoken(name):
    waveform = without_warning(CASES / name)
    assert len(waveform) / 16_000 == pytest.approx(16.94, abs=0.15)
    for found, spoken in zip(regions(waveform), [(2.9, 7.6), (9.8, 14.6)], strict=True):
        assert found == pytest.approx(spoken, abs=0.25)


def test_the_length_of_amr_is_that_of_its_frames():
    assert probe_audio(CASES / "dtx.amr").duration_s == pytest.approx(16.94, abs=0.05)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_sound_that_begins_after_the_picture_begins_with_silence(container, aac):
    data = remuxed(aac, container, shift_s=1.5, picture=True)
    waveform = without_warning(data)
    assert regions(waveform) == [(pytest.approx(1.5, abs=0.1), pytest.approx(6.5, abs=0.1))]
    assert probe_audio(data).duration_s == pytest.approx(6.5, abs=0.1)


@pytest.mark.parametrize("container", ["mp4", "matroska", "webm"])
def test_a_late_start_without_a_picture_is_silence_too(container, aac, opus):
    waveform = without_warning(remuxed(opus if container == "webm" else aac, container, shift_s=1.5))
    assert regions(waveform) == [(pytest.approx(1.5, abs=0.1), pytest.approx(6.5, abs=0.1))]


def test_the_clock_of_a_transport_stream_begins_where_it_does(aac):
    assert regions(without_warning(remuxed(aac, "mpegts", shift_s=7.0)))[0][0] == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("container", ["mp4", "matroska", "webm", "mpegts"])
def test_a_gap_is_silence_of_its_length(container, aac, opus):
    data = remuxed(opus if container == "webm" else aac, container, gap_s=(1.5, 3.5))
    waveform = without_warning(data)
    expected = [(0.0, 1.5), (3.5, 5.0)]
    assert [pytest.approx(one, abs=0.15) for one in expected] == regions(waveform)
    split = np.concatenate(list(stream_audio(data, channels="split", block_s=0.3)), axis=1)
    assert np.array_equal(split[0], waveform)


def test_a_gap_in_a_live_recording_is_silence_too(opus):
    live = io.BytesIO(remuxed(opus, "webm", gap_s=(1.5, 3.5)))
    live.seekable = lambda: False
    assert [pytest.approx((0.0, 1.5), abs=0.15), pytest.approx((3.5, 5.0), abs=0.15)] == regions(load_audio(live))


def ogg_pages(data):
    start, pages = 0, []
    while start < len(data):
        n_segments = data[start + 26]
        end = start + 27 + n_segments + sum(data[start + 27 : start + 27 + n_segments])
        pages.append(data[start:end])
        start = end
    return pages


@pytest.mark.parametrize(("codec", "rate", "n_headers"), [("libopus", 48_000, 2), ("flac", 16_000, 2)])
@pytest.mark.parametrize("lost", ["first", "middle", "last but one"])
def test_a_lost_ogg_page_is_silence_in_its_place(codec, rate, n_headers, lost, encode, tone):
    click = np.zeros((1, 8 * rate))
    seconds = np.arange(0.5, 8.0)
    for second in seconds:
        click[0, round(second * rate) : round((second + 0.1) * rate)] = tone(rate, duration_s=0.1)[0]
    pages = ogg_pages(encode("ogg", codec, click, rate))
    at = {"first": n_headers, "middle": n_headers + 3, "last but one": len(pages) - 2}[lost]
    waveform = without_warning(b"".join(pages[:at] + pages[at + 1 :]))
    assert len(waveform) / 16_000 == pytest.approx(8.0, abs=0.1)
    level = np.abs(waveform[: 8 * 16_000 - 800]).reshape(-1, 800).max(axis=1)
    found = np.flatnonzero((level > 0.2) & (np.r_[0.0, level[:-1]] <= 0.2)) / 20
    nearest = np.abs(found[:, None] - seconds).min(axis=1)
    assert len(found) >= 6
    assert nearest.max() < 0.11


def test_wild_timestamps_do_not_make_hours_of_silence(opus):
    waveform = load_audio(remuxed(opus, "matroska", shift_s=50_000.0))
    assert len(waveform) / 16_000 == pytest.approx(5.0, abs=0.1)


class TestClock:
    def clock(self, **options):
        return Clock(0.0, **{"has_timestamps": True, "origin_s": 0.0} | options)

    def test_jitter_is_not_a_gap(self):
        clock = self.clock()
        assert [clock.place(i * 0.02 + 0.003 * (-1) ** i, 0.02) for i in range(500)] == [0.0] * 500
        assert clock.position_s == pytest.approx(10.0)

    def test_small_gaps_add_up(self):
        clock = self.clock()
        silence = sum(clock.place(i * 0.03, 0.02) for i in range(1_000))
        assert silence == pytest.approx(10.0, abs=0.1)

    def test_a_clock_that_is_set_back_goes_on_from_where_it_is(self):
        clock = self.clock()
        assert [clock.place(at, 1.0) for at in (0.0, 1.0, 0.0, 1.0, 4.0)] == [0.0, 0.0, 0.0, 0.0, 2.0]

    def test_a_jump_of_hours_is_not_a_gap(self):
        clock = self.clock()
        assert [clock.place(at, 1.0) for at in (0.0, LONGEST_GAP_S + 10, LONGEST_GAP_S + 13)] == [0.0, 0.0, 2.0]

    def test_silence_is_limited_over_a_whole_recording(self):
        clock = self.clock()
        assert sum(clock.place(i * 3_000.0, 1.0) for i in range(1_000)) <= 24 * 3_600

    def test_packets_that_cannot_be_decoded_leave_a_gap_where_there_are_no_timestamps(self):
        clock = self.clock(has_timestamps=False, origin_s=None)
        clock.place(0.0, 1.0)
        clock.lose(0.5)
        assert clock.place(None, 1.0) == 0.5
        assert clock.place(None, 1.0) == 0.0
