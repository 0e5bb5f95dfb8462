"""The result for one recording.

Conventions: probabilities are calibrated, add up to 1, and are in the order of the model's labels; times in seconds.

`to_dataframe`, `to_annotation` and `plot` call the public functions of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

import emotone
from emotone.listening.segments import Segment


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every window of a recording, one row each, channel by channel.

    Attributes:
        start_s: where each window begins, shape (n,).
        end_s: where it ends, shape (n,).
        probabilities: shape (n, n_classes); NaN without speech.
        speech: 1 with speech, 0 without, shape (n,).
        channel: shape (n,); -1 where channels were mixed.
    """

    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32]
    speech: npt.NDArray[np.float32]
    channel: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """The middle of each window, shape (n,)."""
        return (self.start_s + self.end_s) / 2


def _no_timeline() -> Timeline:
    none = np.zeros(0)
    return Timeline(none, none, np.zeros((0, 0), np.float32), none.astype(np.float32), none.astype(np.int16))


@dataclass(frozen=True, slots=True)
class Recognition:
    """One recording, as a whole and over time.

    Attributes:
        source: where the sound came from, as given; `<waveform>` and the like where it has no name.
        emotion: the most probable label; None without speech.
        probabilities: of each label, in the order of the model's outputs: the mean over the segments with speech,
            weighted by their durations; empty if there are none.
        unsure: True where the answer is in doubt (see `certainty.UnsureRule`), and without speech.
        duration_s: of the sound, at the model's sample rate.
        embedding: shape (d,), the input of the classifier; left out of comparisons.
        segments: in the order of their times; those of all channels where channels were split.
        timeline: the windows behind the segments.
        channels: one for each channel where channels were split, else none.
        labels: of the model, in the order of its outputs.
        narrow_band: True where the recording has the band of a telephone or less.
        note: further remarks for a reader, such as why it is narrow-band.
        unfamiliar: distance of the speech from the training data, as a quantile over corpora that the model has not
            seen, in [0, 1]; None if the model does not measure it.
        reason: why it is unsure, such as "low confidence"; empty if it is sure.
        baseline: names of the baselines that the answer is relative to; None for none.
        track: number of the audio track that was asked for, from 1; None for the main one.
        model: name of the model; empty if unknown.
        unsure_threshold: a confidence below is unsure; None if unknown.
    """

    source: str
    emotion: str | None
    probabilities: Mapping[str, float]
    unsure: bool
    duration_s: float
    embedding: npt.NDArray[np.float32] = field(compare=False, repr=False)
    segments: tuple[Segment, ...] = field(default=(), repr=False)
    timeline: Timeline = field(default_factory=_no_timeline, compare=False, repr=False)
    channels: tuple[Recognition, ...] = field(default=(), repr=False)
    labels: tuple[str, ...] = ()
    narrow_band: bool = False
    note: str = ""
    unfamiliar: float | None = None
    reason: str = ""
    baseline: str | None = None
    track: int | None = None
    model: str = ""
    unsure_threshold: float | None = None

    def __post_init__(self) -> None:
        # No segments were given, so treat the whole recording as one segment.
        if not self.segments:
            shares, spoken = dict(self.probabilities), self.emotion is not None
            whole = Segment(
                0.0,
                self.duration_s,
                self.emotion,
                shares,
                self.unsure and spoken,
                speech=spoken,
                unfamiliar=self.unfamiliar,
                reason=self.reason,
                baseline=self.baseline,
            )
            object.__setattr__(self, "segments", (whole,))
        if not self.labels:
            object.__setattr__(self, "labels", tuple(self.probabilities))

    @property
    def confidence(self) -> float:
        """The highest probability; 0 without speech."""
        return max(self.probabilities.values(), default=0.0)

    def to_dataframe(self) -> Any:
        """The segments as a `pandas.DataFrame`, one row each, with the columns of the CSV and more.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return emotone.to_dataframe(self)

    def to_annotation(self) -> Any:
        """The segments as a `pyannote.core.Annotation`: labels are emotions, tracks are channels.

        Raises:
            MissingExtraError: pyannote.core is not installed.
        """
        return emotone.to_annotation(self)

    def plot(self, path: str | PathLike[str]) -> None:
        """Draw the recording: its waveform where `source` is a file that can be read again, emotions over time.

        Args:
            path: the picture; its suffix (.png, .svg or .pdf) chooses the format.
        Raises:
            MissingExtraError: Matplotlib is not installed.
            OutputError: the kind is unknown, or the file cannot be written.
        """
        emotone.plot(self, path)
