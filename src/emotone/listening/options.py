"""How speech is found in a recording, and how it is cut into windows."""

from __future__ import annotations

from dataclasses import dataclass

from emotone.errors import OptionError
from emotone.model_files.metadata import ModelMetadata

MARGIN_S = 0.5
"""Of silence around speech. Recordings of corpora begin and end with a little silence, which the model knows; a second
or two of another room's silence changes its predictions (EXPERIMENTS.md, 2026-11-26)."""


@dataclass(frozen=True, slots=True)
class TimelineOptions:
    """How a recording is read, cut and joined.

    Attributes:
        window_s: the longest speech to classify at once; None for the longest that the model takes.
        hop_s: from one window to the next in longer speech; None for half a window.
        vad: find speech first, and leave the rest out.
        speech_threshold: probability of speech that begins it.
        min_speech_s: shorter sounds are not speech.
        min_silence_s: shorter pauses do not end speech.
        pad_s: added to speech on both sides.
        margin_s: silence around speech that is given to the model with it, at most; chosen on validation speakers.
        min_segment_s: a shorter end of long speech is joined to what comes before it.
        batch: windows to classify at once.
        track: number of the audio track of a file that has several, from 1; None for the one that FFmpeg takes for the
            main one.
    Raises:
        OptionError: an impossible value.
    """

    window_s: float | None = None
    hop_s: float | None = None
    vad: bool = True
    speech_threshold: float = 0.5
    min_speech_s: float = 0.25
    min_silence_s: float = 0.5
    pad_s: float = 0.1
    margin_s: float = MARGIN_S
    min_segment_s: float = 0.5
    batch: int = 16
    track: int | None = None

    def __post_init__(self) -> None:
        for name in ("window_s", "hop_s"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < float("inf"):
                raise OptionError(f"{name} = {value}; expected a positive number of seconds")
        for name in ("min_speech_s", "min_silence_s", "pad_s", "margin_s", "min_segment_s"):
            if not 0.0 <= getattr(self, name) <= 60.0:
                raise OptionError(f"{name} = {getattr(self, name)}; expected 0 to 60 s")
        if not 0.0 < self.speech_threshold < 1.0:
            raise OptionError(f"speech_threshold = {self.speech_threshold}; expected a probability between 0 and 1")
        if self.track is not None and self.track < 1:
            raise OptionError(f"track = {self.track}; expected 1 or more")
        if self.batch < 1:
            raise OptionError(f"batch = {self.batch}; expected at least 1")

    def window_samples(self, metadata: ModelMetadata) -> int:
        """Length of a window of this model's, in samples.

        Raises:
            OptionError: the model cannot take such a window.
        """
        window_s = metadata.window_s if self.window_s is None else self.window_s
        samples = round(min(window_s, 2 * metadata.window_s) * metadata.sample_rate)
        if not metadata.min_samples <= samples <= metadata.window_samples:
            raise OptionError(
                f"window_s = {window_s}; this model takes {metadata.min_samples / metadata.sample_rate:.3f} "
                f"to {metadata.window_s:g} s"
            )
        return samples

    def hop_samples(self, metadata: ModelMetadata) -> int:
        """From one window to the next, in samples.

        Raises:
            OptionError: the hop is longer than the window, or shorter than a fortieth of it.
        """
        window = self.window_samples(metadata)
        most_s = 2 * window / metadata.sample_rate
        samples = (window + 1) // 2 if self.hop_s is None else round(min(self.hop_s, most_s) * metadata.sample_rate)
        if not window / 40 <= samples <= window:
            raise OptionError(
                f"hop_s = {samples / metadata.sample_rate if self.hop_s is None else self.hop_s:g}; expected "
                f"{window / 40 / metadata.sample_rate:g} to {window / metadata.sample_rate:g} s, "
                "a fortieth of the window to all of it"
            )
        return samples
