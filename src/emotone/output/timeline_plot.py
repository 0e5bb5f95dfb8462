"""A picture of a recording over time: for each channel the waveform in the colours of its segments, and probabilities.

Conventions: colours are those of `pictures.COLOURS`; parts without speech are grey, unsure ones pale. The sound is
read once more, block by block, so that a picture of ten hours needs no more memory than one of a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from emotone.audio import stream_audio
from emotone.errors import AudioError
from emotone.files import written_whole
from emotone.listening.recognition import Recognition, Timeline
from emotone.listening.segments import Segment
from emotone.output.names import printable
from emotone.output.pictures import COLOURS, FAINT, INK, OTHER, check_picture, quiet

_POINTS = 1_600
_RATE = 16_000
_SILENCE = "#c9c9c9"
# More rows than these are too thin to read.
_MOST_CHANNELS = 8


def plot_timeline(recognition: Recognition, path: str | PathLike[str]) -> None:
    """Draw a recording over time; without its waveform if `source` is not a file that can be read again.

    Raises:
        MissingExtraError: Matplotlib is not installed.
        OutputError: the kind of picture is unknown, or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    sides = list(recognition.channels or (recognition,))[:_MOST_CHANNELS]
    envelopes = envelope_of(recognition)
    ratios = [1.0, 1.25] if envelopes is not None else [0.25, 1.25]
    height = 1.5 + (3.6 if envelopes is not None else 2.6) * len(sides)
    layout = ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.08, rect=(0.0, 0.0, 1.0, 1.0 - 0.75 / height))
    figure = Figure(figsize=(11, height), dpi=140, facecolor="white", layout=layout)
    rows = figure.add_gridspec(2 * len(sides), 1, height_ratios=ratios * len(sides)).subplots(
        sharex=True, squeeze=False
    )
    scale, unit = _time_scale(recognition.duration_s)
    for number, side in enumerate(sides):
        sound, chances = rows[2 * number, 0], rows[2 * number + 1, 0]
        _draw_segments(sound, side.segments, envelopes[number] if envelopes is not None else None, side, scale)
        _draw_probabilities(chances, side.timeline, recognition.labels, scale)
        if recognition.channels:
            sound.set_title(f"channel {number + 1}", loc="left", fontsize=10, color=INK)
    rows[-1, 0].set(xlabel=f"time ({unit})", xlim=(0.0, max(recognition.duration_s, 1e-3) / scale))
    _title(figure, recognition, height)
    with written_whole(Path(path)) as part:
        figure.savefig(part)


def envelope_of(recognition: Recognition) -> npt.NDArray[np.float32] | None:
    """Lowest and highest sample over time.

    Returns:
        shape (n_channels or 1, 2, n_points); None if the sound cannot be read again.
    """
    if not Path(recognition.source).is_file():
        return None
    n_samples = max(1, round(recognition.duration_s * _RATE))
    step = -(-n_samples // _POINTS)
    parts: list[npt.NDArray[np.float32]] = []
    channels = "split" if recognition.channels else "mix"
    try:
        # Blocks are whole steps, so that none is torn.
        blocks = stream_audio(
            recognition.source,
            sample_rate=_RATE,
            track=recognition.track,
            channels=channels,  # type: ignore[arg-type]
            block_s=step * max(1, 160_000 // step) / _RATE,
        )
        for block in blocks:
            rows = np.atleast_2d(block)
            starts = np.arange(0, rows.shape[1], step)
            low, high = np.minimum.reduceat(rows, starts, axis=1), np.maximum.reduceat(rows, starts, axis=1)
            parts.append(np.stack([low, high], axis=1))
    except (AudioError, OSError):
        return None
    return np.concatenate(parts, axis=2)


def _draw_segments(
    axes: Any,
    segments: Sequence[Segment],
    envelope: npt.NDArray[np.float32] | None,
    side: Recognition,
    scale: float,
) -> None:
    """The waveform in the colours of the segments, on bands of the same colours; the longer ones are named."""
    loudest = max(float(np.abs(envelope).max()), 1e-3) if envelope is not None else 1.0
    if envelope is not None:
        edges_s = np.linspace(0.0, side.duration_s, envelope.shape[1] + 1)
        middles_s = (edges_s[1:] + edges_s[:-1]) / 2
    for segment in segments:
        colour = COLOURS.get(segment.emotion or "", OTHER) if segment.speech else _SILENCE
        start, end = segment.start_s / scale, segment.end_s / scale
        if segment.speech:
            axes.axvspan(start, end, color=colour, alpha=0.12 if segment.unsure else 0.3, linewidth=0)
        if envelope is not None:
            inside = (middles_s >= segment.start_s) & (middles_s < segment.end_s)
            axes.fill_between(
                middles_s[inside] / scale,
                envelope[0, inside],
                envelope[1, inside],
                color=colour,
                alpha=0.5 if segment.unsure else 1.0,
                linewidth=0.5,
            )
        name = f"perhaps {segment.emotion}" if segment.unsure else segment.emotion
        if segment.emotion and segment.duration_s > 0.0075 * len(str(name)) * side.duration_s:
            at = 1.12 * loudest if envelope is not None else 0.0
            axes.text((start + end) / 2, at, name, ha="center", va="center", fontsize=9, color=INK, clip_on=True)
    axes.set(ylim=(-1.05 * loudest, 1.3 * loudest), yticks=[])
    axes.tick_params(labelbottom=False, length=0)
    quiet(axes)


def _draw_probabilities(axes: Any, timeline: Timeline, labels: Sequence[str], scale: float) -> None:
    """One line per emotion, broken where there is no speech; a single window is a dot."""
    times = timeline.times / scale
    few = len(times) < 60
    for place, label in enumerate(labels):
        colour = COLOURS.get(label, OTHER)
        marker = {"marker": "o", "markersize": 4} if few else {}
        axes.plot(times, timeline.probabilities[:, place], color=colour, linewidth=2, label=label, **marker)
    axes.set(ylim=(-0.02, 1.02), yticks=[0.0, 0.5, 1.0], ylabel="probability")
    axes.grid(axis="y", color="#ececec")
    axes.tick_params(colors=FAINT, labelcolor=INK)
    quiet(axes)


def _title(figure: Any, recognition: Recognition, height: float) -> None:
    answer = recognition.emotion or "no speech"
    if recognition.emotion:
        answer = f"perhaps mostly {answer}" if recognition.unsure else f"mostly {answer}"
    top = 1.0 - 0.14 / height
    colour = COLOURS.get(recognition.emotion or "", INK)
    figure.text(
        0.02,
        top,
        answer,
        va="top",
        fontsize=18,
        fontweight="bold",
        color=colour,
    )
    name = printable(PurePath(recognition.source).name)
    minutes, seconds = divmod(recognition.duration_s, 60)
    detail = f"{name} · {minutes:.0f} min {seconds:.0f} s" if minutes else f"{name} · {seconds:.1f} s"
    if recognition.narrow_band:
        detail += " · narrow-band"
    figure.text(0.985, top, detail, ha="right", va="top", fontsize=11, color=FAINT, parse_math=False)
    handles, names = figure.axes[1].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="upper right",
        bbox_to_anchor=(0.99, top - 0.26 / height),
        ncols=len(names),
        frameon=False,
        fontsize=10,
        handlelength=1.2,
        columnspacing=1.4,
    )


def _time_scale(duration_s: float) -> tuple[float, str]:
    """What to divide seconds by, and what it is called then."""
    if duration_s > 2 * 3_600:
        return 3_600.0, "h"
    return (60.0, "min") if duration_s > 300 else (1.0, "s")
