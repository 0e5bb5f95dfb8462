"""Mixing channels into one: the mean of stereo, FFmpeg's downmix of surround sound.

Stereo whose sides are each other's negative, as after a wrongly wired cable, cancels in the mean. The mean is returned
all the same; `CancellationMeter` detects such recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

_MEASURED = 8
"""Every eighth sample is enough to compare powers."""

_CANCELLED = 0.2
"""Part of the power of unrelated channels' mean. A mean with less is what is left over when channels cancel, 7 dB below
what two speakers on two channels give."""


@lru_cache(maxsize=32)
def downmix_weights(layout: str, n_channels: int) -> NDArray[np.float32]:
    """The weight of each channel in a mono mix.

    Args:
        layout: FFmpeg's name of the channel layout, such as "5.1".
        n_channels: number of channels.
    Returns:
        shape (n_channels,). FFmpeg's weights for layouts of more than two channels, at which the low-frequency channel
        (LFE) is left out and full scale stays full scale; equal weights for others, and where the layout is unknown.

    >>> downmix_weights("stereo", 2).tolist()
    [0.5, 0.5]
    """
    equal = np.full(n_channels, 1 / n_channels, np.float32)
    if n_channels <= 2 or layout.endswith("channels"):
        return equal
    graph = av.filter.Graph()
    source = graph.add("abuffer", sample_rate="48000", sample_fmt="flt", channel_layout=layout, time_base="1/48000")
    mix = graph.add("aresample", out_chlayout="mono", rematrix_maxval="1.0", lfe_mix_level="0")
    sink = graph.add("abuffersink")
    source.link_to(mix)
    mix.link_to(sink)
    try:
        graph.configure()
        # One sample for each channel, at full scale in that channel alone.
        each_alone = np.eye(n_channels, dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(each_alone, format="flt", layout=layout)
        frame.sample_rate = 48_000
        graph.push(frame)
        mixed = graph.pull()
    except (av.FFmpegError, ValueError):
        return equal
    if not isinstance(mixed, av.AudioFrame) or mixed.samples != n_channels:
        return equal
    weights = np.asarray(mixed.to_ndarray(), np.float32).reshape(-1)
    return weights if np.isfinite(weights).all() and weights.any() else equal


def cancels(channels: NDArray[np.float32], mixed: NDArray[np.float32]) -> bool:
    """Whether the mean of two channels has lost most of what they hold.

    Args:
        channels: shape (n_channels, n).
        mixed: their mean, shape (n,).
    """
    meter = CancellationMeter()
    if len(channels) == 2:
        meter.push(list(channels), mixed)
    return meter.cancels


class CancellationMeter:
    """Compares the power of a mix with that of its channels, over a whole recording."""

    def __init__(self) -> None:
        self._mix = self._unrelated = 0.0

    def push(self, channels: Sequence[NDArray[Any]], mixed: NDArray[np.float32]) -> None:
        """Count a block.

        Args:
            channels: each of shape (n,), in the unit of the mix.
            mixed: their mean, shape (n,).
        """
        if len(channels) < 2:
            return
        # A float64 sum of squares cannot overflow on samples that will be refused as too loud later.
        sampled = [np.asarray(row[::_MEASURED], np.float64) for row in channels]
        self._unrelated += sum(float(row @ row) for row in sampled) / len(channels) ** 2
        mix = np.asarray(mixed[::_MEASURED], np.float64)
        self._mix += float(mix @ mix)

    @property
    def cancels(self) -> bool:
        """Whether the mix has lost most of what the channels hold."""
        return self._mix < _CANCELLED * self._unrelated
