"""A picture of one recording: its waveform, its spectrogram, and the probability of each emotion.

Conventions: `waveform (n_samples,)` mono float32; colours are those of `pictures`. Needs the extra `plot`.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from emotone.audio import load_audio
from emotone.files import written_whole
from emotone.listening.recognition import Recognition
from emotone.output.names import printable
from emotone.output.pictures import COLOURS, FAINT, INK, OTHER, check_picture, quiet
from emotone.output.timeline_plot import plot_timeline

# Levels 80 dB below the loudest are inaudible beside it.
_RANGE_DB = 80.0
_ENVELOPE_POINTS = 1_600
_PICTURE_RATE = 16_000
_SHORT_S = 10.0


def plot(recognition: Recognition, path: str | PathLike[str]) -> None:
    """Draw a recording: with its spectrogram if it is short and has one segment of speech at most, else over time.

    The sound is read again from `recognition.source`; where that is not a file, the drawing is over time.

    Raises:
        MissingExtraError: Matplotlib is not installed.
        OutputError: the kind of picture is unknown, or the file cannot be written.
    """
    check_picture(path)
    n_spoken = sum(segment.speech for segment in recognition.segments)
    is_short = n_spoken <= 1 and recognition.duration_s <= _SHORT_S and not recognition.channels
    if is_short and Path(recognition.source).is_file():
        waveform = load_audio(recognition.source, sample_rate=_PICTURE_RATE, track=recognition.track)
        plot_recognition(waveform, _PICTURE_RATE, recognition, path)
        return
    plot_timeline(recognition, path)


def plot_recognition(
    waveform: npt.NDArray[np.float32], sample_rate: int, recognition: Recognition, path: str | PathLike[str]
) -> None:
    """Draw one recording and what was recognised in it.

    Args:
        waveform: the sound that was classified, shape (n_samples,).
        sample_rate: in Hz.
        recognition: the result to show.
        path: the picture; its suffix chooses the format.
    Raises:
        MissingExtraError: Matplotlib is not installed.
        OutputError: the kind is unknown, or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    colour = COLOURS.get(recognition.emotion or "", OTHER)
    layout = ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.1)
    figure = Figure(figsize=(11, 5.6), dpi=140, facecolor="white", layout=layout)
    grid = figure.add_gridspec(2, 2, width_ratios=(2.5, 1), height_ratios=(1, 1.5))
    sound = figure.add_subplot(grid[0, 0])
    spectrum = figure.add_subplot(grid[1, 0], sharex=sound)
    _title(figure, recognition, colour)
    _draw_waveform(sound, waveform, sample_rate, colour)
    _draw_spectrogram(figure, spectrum, waveform, sample_rate)
    _draw_bars(figure.add_subplot(grid[:, 1]), recognition)
    with written_whole(Path(path)) as part:
        figure.savefig(part)


def log_spectrogram(waveform: npt.NDArray[np.float32], sample_rate: int) -> tuple[npt.NDArray[np.float32], float]:
    """Level of each frequency over time, for a picture.

    Args:
        waveform: shape (n_samples,).
        sample_rate: in Hz.
    Returns:
        the level in dB below the loudest, shape (n_frequencies, n_frames), frequencies from 0 to half the rate, and the
        step between frames in seconds.

    >>> tone = np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000).astype(np.float32)
    >>> level_db, step_s = log_spectrogram(tone, 16_000)
    >>> round(int(level_db[:, 40].argmax()) * 8_000 / (len(level_db) - 1), -2)
    1000.0
    """
    size = 1 << max(5, round(0.032 * sample_rate).bit_length() - 1)
    # A picture has some 1,600 columns: longer sounds take longer steps, so that an hour costs what a minute does.
    hop = max(size // 4, len(waveform) // _ENVELOPE_POINTS)
    padded = np.pad(waveform, (size // 2, size // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)) ** 2
    level_db = 10.0 * np.log10(np.maximum(power, 1e-12))
    return np.asarray(level_db.T - level_db.max(), dtype=np.float32), hop / sample_rate


def _title(figure: Any, recognition: Recognition, colour: str) -> None:
    answer = recognition.emotion or "no speech"
    if recognition.unsure and recognition.emotion:
        answer = f"perhaps {answer}"
    figure.suptitle(answer, x=0.03, ha="left", fontsize=24, fontweight="bold", color=colour)
    name = printable(PurePath(recognition.source).name)
    detail = f"{name} · {recognition.duration_s:.1f} s" + (" · narrow-band" if recognition.narrow_band else "")
    figure.text(0.985, 0.955, detail, ha="right", fontsize=11, color=FAINT, parse_math=False)


def _draw_waveform(axes: Any, waveform: npt.NDArray[np.float32], sample_rate: int, colour: str) -> None:
    block = max(1, len(waveform) // _ENVELOPE_POINTS)
    starts = np.arange(0, len(waveform), block)
    times_s = (starts + block / 2) / sample_rate
    low, high = np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)
    axes.fill_between(times_s, low, high, color=colour, linewidth=0.4)
    loudest = max(float(np.abs(waveform).max()), 1e-3)
    axes.set(
        xlim=(0.0, len(waveform) / sample_rate), ylim=(-1.05 * loudest, 1.05 * loudest), yticks=[], ylabel="waveform"
    )
    axes.tick_params(labelbottom=False, length=0)
    quiet(axes)


def _draw_spectrogram(figure: Any, axes: Any, waveform: npt.NDArray[np.float32], sample_rate: int) -> None:
    level_db, step_s = log_spectrogram(waveform, sample_rate)
    n_frames = level_db.shape[1]
    image = axes.imshow(
        level_db,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-_RANGE_DB,
        vmax=0.0,
        extent=(-step_s / 2, (n_frames - 0.5) * step_s, 0.0, sample_rate / 2_000),
        interpolation="bilinear",
    )
    axes.set(xlabel="time (s)", ylabel="frequency (kHz)", xlim=(0.0, len(waveform) / sample_rate))
    axes.tick_params(colors=FAINT, labelcolor=INK)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.04, aspect=30)
    bar.set_label("level (dB)", color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=FAINT, labelcolor=INK)
    quiet(axes)


def _draw_bars(axes: Any, recognition: Recognition) -> None:
    labels = list(recognition.probabilities)
    shares = [recognition.probabilities[label] for label in labels]
    places = np.arange(len(labels))
    axes.barh(places, [1.0] * len(labels), color="#f0f0f0", height=0.3)
    axes.barh(places, shares, color=[COLOURS.get(label, OTHER) for label in labels], height=0.3)
    for place, label, share in zip(places, labels, shares, strict=True):
        weight = "bold" if label == recognition.emotion else "normal"
        axes.text(0.0, place - 0.22, label, ha="left", va="bottom", fontsize=11, fontweight=weight, color=INK)
        axes.text(1.0, place - 0.22, f"{share:.0%}", ha="right", va="bottom", fontsize=11, fontweight=weight, color=INK)
    axes.set_title("probability", loc="left", fontsize=10, color=FAINT)
    axes.set(xlim=(0.0, 1.0), ylim=(len(labels) - 0.5, -0.7), xticks=[], yticks=[])
    quiet(axes)
