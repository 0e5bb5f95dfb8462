"""How a recording is cut into windows, and how windows are joined to segments."""

from __future__ import annotations

from dataclasses import dataclass

from emotone.errors import OptionError
from emotone.model_files.model_file import ModelMetadata

LONGEST_WINDOW_S = 4.0
"""Emotions change within a sentence or two; a longer window would blur them even where the model allows one."""


@dataclass(frozen=True, slots=True)
class TimelineOptions:
    """What is read of a recording, and how it is cut and joined.

    Attributes:
        window_s: length of a window; None for the model's own, at most 4 s.
        hop_s: from one window to the next; None for half a window.
        vad: find speech first, and say nothing where there is none; in a clip that is judged at once only if it is
            quiet or steady (`speech.is_silent`).
        speech_threshold: probability of speech that begins it.
        min_speech_s: shorter sounds are no speech.
        min_silence_s: shorter pauses do not part speech.
        pad_s: added to speech on both sides.
        min_segment_s: a shorter piece at an edge of speech goes with its neighbour.
        batch: windows to judge at once.
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
    min_segment_s: float = 0.5
    batch: int = 16
    track: int | None = None

    def __post_init__(self) -> None:
        for name in ("window_s", "hop_s"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < float("inf"):
                raise OptionError(f"{name} = {value}; expected a positive number of seconds")
        for name in ("min_speech_s", "min_silence_s", "pad_s", "min_segment_s"):
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
            OptionError: the model cannot judge such a window.
        """
        window_s = min(metadata.window_s, LONGEST_WINDOW_S) if self.window_s is None else self.window_s
        samples = round(window_s * metadata.sample_rate)
        if not metadata.min_samples <= samples <= metadata.window_samples:
            raise OptionError(
                f"window_s = {window_s}; this model judges {metadata.min_samples / metadata.sample_rate:.3f} "
                f"to {metadata.window_s:g} s"
            )
        return samples

    def hop_samples(self, metadata: ModelMetadata) -> int:
        """From one window to the next, in samples.

        Raises:
            OptionError: the hop is longer than the window, or shorter than a sixteenth of it.
        """
        window = self.window_samples(metadata)
        samples = (window + 1) // 2 if self.hop_s is None else round(self.hop_s * metadata.sample_rate)
        if not window / 16 <= samples <= window:
            raise OptionError(
                f"hop_s = {samples / metadata.sample_rate if self.hop_s is None else self.hop_s:g}; expected "
                f"{window / 16 / metadata.sample_rate:g} to {window / metadata.sample_rate:g} s, "
                "a sixteenth of the window to all of it"
            )
        return samples

    def clip_samples(self, metadata: ModelMetadata) -> int:
        """What is no longer is judged once: all that the model takes at once, or one window if one was asked for."""
        return metadata.window_samples if self.window_s is None else self.window_samples(metadata)
