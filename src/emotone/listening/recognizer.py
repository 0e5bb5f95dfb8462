"""A model file, loaded: sound in, emotions out. NumPy, PyAV and ONNX Runtime, nothing else.

Conventions: `waveform (n_samples,)` mono float32 in [-1, 1] at the model's sample rate; probabilities in the order of
`Recognizer.labels`. A recording scores the same alone and in a batch: the graph masks what the batch padded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Literal, Self, overload

import numpy as np
import numpy.typing as npt

from emotone.errors import (
    AudioError,
    BaselineError,
    NotAudioError,
    OptionError,
    TurnsError,
)
from emotone.listening.baseline import Baseline, is_speaker_mapping, measure_baseline
from emotone.listening.model.certainty import UnsureRule
from emotone.listening.model.classes import CERTAINLY_UNFAMILIAR, beyond_subset, choose, over_subset
from emotone.listening.model.predictions import Predictions
from emotone.listening.model.session import BATCH, Model
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Recognition
from emotone.listening.recording import Recording
from emotone.listening.sound.inputs import as_source, as_waveforms
from emotone.listening.sound.sources import Source, Waveform, name_of
from emotone.listening.turns.baselines import recognizers_of
from emotone.listening.turns.files import Turns, as_turns
from emotone.listening.turns.recognition import recognise_turns
from emotone.model_files.metadata import ModelMetadata


class Recognizer:
    """Recognises emotions in recordings with one model; made by `load`, and safe to share between threads.

    Args:
        content: the bytes of the model file.
        metadata: those of the model file.
        threads: of ONNX Runtime.
        unsure_threshold: in place of the model's own.
    Raises:
        ModelFileError: ONNX Runtime cannot use the graph, or its inputs or outputs are not those of our models.
    """

    def __init__(
        self, content: bytes, metadata: ModelMetadata, *, threads: int = 1, unsure_threshold: float | None = None
    ) -> None:
        if unsure_threshold is not None and not 0.0 <= unsure_threshold <= 1.0:
            raise OptionError(f"unsure_threshold = {unsure_threshold}; expected 0 to 1")
        self.metadata = metadata
        self.unsure_threshold = metadata.unsure_threshold if unsure_threshold is None else unsure_threshold
        self._model = Model(content, metadata, threads=threads)
        self._chosen: tuple[int, ...] | None = None
        self._sharpness = 1.0
        self._baseline: Baseline | None = None

    def __repr__(self) -> str:
        metadata = self.metadata
        return (
            f"Recognizer({metadata.name!r}: {', '.join(self.labels)}; {metadata.sample_rate} Hz, "
            f"windows up to {metadata.window_s:g} s, unsure below {self.unsure_threshold:g})"
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities: the model's, or the subset that was asked for."""
        return self.metadata.labels if self._chosen is None else tuple(self.metadata.labels[i] for i in self._chosen)

    @property
    def unsure_rule(self) -> UnsureRule:
        """When an answer is unsure."""
        unfamiliar = self.metadata.unsure_unfamiliar
        if self._chosen is not None:
            unfamiliar = min(unfamiliar, CERTAINLY_UNFAMILIAR)
        return UnsureRule(self.unsure_threshold, self.metadata.unsure_margin, unfamiliar)

    @property
    def takes_baseline(self) -> bool:
        """Whether the model accepts a baseline of the speaker."""
        return self.metadata.baseline

    @property
    def baseline_name(self) -> str | None:
        """The baseline that answers are relative to; None for none."""
        return self._baseline.name if self._baseline else None

    def with_classes(self, classes: Iterable[str] | None) -> Self:
        """A recognizer for some of the model's classes; both share one session.

        Probabilities are renormalised over the subset, with the temperature that was fitted for it where the model has
        one.

        Args:
            classes: at least two of the model's, in any order, synonyms such as "happy" included; None for all.
        Raises:
            UnknownEmotionError: a name that the model does not have, or fewer than two classes.
        """
        other = copy(self)
        other._chosen, other._sharpness = (None, 1.0) if classes is None else choose(self.metadata, classes)
        return other

    def measure_baseline(self, recordings: Any, *, name: str | None = None) -> Baseline:
        """A speaker's baseline, to be used for many recordings.

        Args:
            recordings: one or more neutral recordings of the speaker, a few seconds each; or an embedding, shape (d,).
            name: to show in answers; None for the names of the recordings.
        Raises:
            AudioError: a recording cannot be used.
            BaselineError: the model takes no baseline, a recording has no speech, or the embedding is another model's.
        """
        if not self.takes_baseline:
            raise BaselineError(
                f"the model {self.metadata.name!r} takes no baseline; use a model that does, or leave the baseline out"
            )
        return measure_baseline(self.with_baseline(None), self.metadata.embedding_dim, recordings, name=name)

    def with_baseline(self, baseline: Any) -> Self:
        """A recognizer whose answers are relative to a speaker's baseline; both share one session.

        Args:
            baseline: a `Baseline`, or what `measure_baseline` takes; None for none.
        Raises:
            AudioError: a recording cannot be used.
            BaselineError: as `measure_baseline`.
        """
        measured = None if baseline is None else self.measure_baseline(baseline)
        other = copy(self)
        other._baseline = measured
        return other

    @property
    def sample_rate(self) -> int:
        """Of the waveforms that the model takes, in Hz; sources of other rates are resampled."""
        return self.metadata.sample_rate

    @overload
    def __call__(
        self,
        source: list[Any],
        sample_rate: int | None = None,
        *,
        channels: Literal["mix", "split"] = "mix",
        track: int | None = None,
        options: TimelineOptions | None = None,
        classes: Iterable[str] | None = None,
        baseline: Any = None,
    ) -> list[Recognition]: ...

    @overload
    def __call__(
        self,
        source: Source,
        sample_rate: int | None = None,
        *,
        channels: Literal["mix", "split"] = "mix",
        track: int | None = None,
        options: TimelineOptions | None = None,
        classes: Iterable[str] | None = None,
        baseline: Any = None,
        turns: Turns | None = None,
    ) -> Recognition: ...

    def __call__(
        self,
        source: Source | list[Any],
        sample_rate: int | None = None,
        *,
        channels: Literal["mix", "split"] = "mix",
        track: int | None = None,
        options: TimelineOptions | None = None,
        classes: Iterable[str] | None = None,
        baseline: Any = None,
        turns: Turns | None = None,
    ) -> Recognition | list[Recognition]:
        """Recognise the emotions in one recording of any length, as a whole and over time.

        The same rule holds for all lengths, and live: see `emotone.listening.timeline`.

        Args:
            source: path, bytes or file object of any audio format; or a waveform or tensor, float in [-1, 1] or int16,
                of shape (n_samples,) or (n_channels, n_samples); or (waveform, sample rate); or a dictionary of
                Hugging Face datasets or pyannote; or a list of any of these, which gives a list.
            sample_rate: of a bare waveform, in Hz.
            channels: "mix" averages them; "split" classifies each separately, as the two sides of a call.
            track: number of the audio track of a file that has several, from 1; None for the main one.
            options: how to cut and join; None for the defaults.
            classes: some of the model's, renormalised; None for all. See `with_classes`.
            baseline: one or more neutral recordings of the speaker, or an embedding; with turns also a mapping of
                speaker to these. See `measure_baseline`.
            turns: who speaks when: a file for `read_turns`, or a list of (start, end[, speaker[, text]]) in seconds.
                Then there is one segment per turn, in their order.
        Raises:
            AudioError: the source is not audio, too short, or damaged.
            TurnsError: the turns cannot be used.
            BaselineError: the model takes no baseline, or not this one.
            UnknownEmotionError: a class that the model does not have.
            OptionError: an impossible option, or one that does not fit the model.
        """
        options = _with_track(options, track)
        view = self if classes is None else self.with_classes(classes)
        if turns is not None:
            return view._with_turns(source, sample_rate, turns, channels, options, baseline)
        if is_speaker_mapping(baseline):
            raise BaselineError("baselines by speaker go with turns; give recordings of the one speaker")
        if baseline is not None:
            view = view.with_baseline(baseline)
        if isinstance(source, list):
            if source and isinstance(source[0], int | float):
                raise NotAudioError("a list of numbers; expected recordings, or one waveform: numpy.array(samples)")
            sources = (one if sample_rate is None else as_source(one, sample_rate) for one in source)
            return list(view.batch(sources, channels=channels, options=options))
        return Recording(view, source, sample_rate, channels=channels, options=options).recognition()

    def _with_turns(
        self,
        source: Source,
        sample_rate: int | None,
        turns: Turns,
        channels: str,
        options: TimelineOptions | None,
        baseline: Any,
    ) -> Recognition:
        if isinstance(source, list):
            raise TurnsError("turns belong to one recording; got a list of recordings")
        if channels != "mix":
            raise TurnsError("turns are classified in the mix of all channels; leave channels='split' out")
        found = as_turns(turns, recording=name_of(source))
        return recognise_turns(
            self, source, sample_rate, found, options=options, classifier_of=recognizers_of(self, found, baseline)
        )

    def batch(
        self,
        sources: Iterable[Source],
        *,
        channels: Literal["mix", "split"] = "mix",
        track: int | None = None,
        options: TimelineOptions | None = None,
        on_error: Callable[[Source, AudioError], None] | None = None,
    ) -> Iterator[Recognition]:
        """Recognise many recordings, in their order; they share batches, so this is faster than one call after another.

        Memory does not grow with their number: results come as soon as their batch is classified.

        Args:
            sources: each as for a call.
            channels: as for a call.
            track: as for a call.
            options: as for a call.
            on_error: called with each source that cannot be used, which is then left out; None to raise the error.
        Raises:
            AudioError: a source is not audio, too short, or damaged, and there is no `on_error`.
            OptionError: an impossible option, or one that does not fit the model.
        """
        if isinstance(sources, str | bytes | os.PathLike):
            raise NotAudioError("one recording; expected several: recognizer.batch([source])")
        options = _with_track(options, track)
        waiting: list[Recording] = []
        for source in sources:
            try:
                waiting.append(Recording(self, source, channels=channels, options=options))
            except AudioError as error:
                if on_error is None:
                    raise
                on_error(source, error)
            if sum(len(one.waiting) for one in waiting) >= BATCH or len(waiting) >= BATCH:
                yield from self._classified(waiting)
                waiting = []
        yield from self._classified(waiting)

    def _classified(self, recordings: Sequence[Recording]) -> Iterator[Recognition]:
        sounds = [sound for one in recordings for sound in one.waiting]
        predictions = iter(self.classify(sounds).rows() if sounds else ())
        for one in recordings:
            yield one.recognition([next(predictions) for _ in one.waiting])

    def probabilities(self, waveforms: Sequence[Waveform]) -> npt.NDArray[np.float32]:
        """Probabilities of many waveforms, in batches.

        Args:
            waveforms: each mono floats in [-1, 1] at `sample_rate`, shape (n_samples,), lengths may differ. One that is
                longer than the model's window gets the mean over windows of that length; a call of the recognizer
                finds speech first.
        Returns:
            shape (len(waveforms), n_classes).
        Raises:
            AudioTooShortError: one is shorter than the model needs; the message says which.
            AudioSamplesError: one holds NaN or infinite samples, or integers.
            NotAudioError: a single waveform instead of several, or one with channels.
        """
        return self.classify(as_waveforms(waveforms)).probabilities

    def embed(self, source: Source, sample_rate: int | None = None) -> npt.NDArray[np.float32]:
        """The embedding of one recording, the input of the classifier.

        Args:
            source: as for a call.
            sample_rate: of a bare waveform, in Hz.
        Returns:
            shape (d,); the mean over the segments of speech, weighted by their durations; zero if there are none.
        Raises:
            AudioError: the source is not audio, too short, or damaged.
        """
        recognition: Recognition = self(source, sample_rate)
        return recognition.embedding

    def classify(self, waveforms: Sequence[Waveform]) -> Predictions:
        """Predictions for whole waveforms, in batches; one that is longer than the window gets the mean over windows.

        Args:
            waveforms: as for `probabilities`.
        Returns:
            probabilities, embeddings, and how unfamiliar each waveform is.
        Raises:
            AudioTooShortError: one is shorter than the model needs; the message says which.
        """
        baseline = None if self._baseline is None else self._baseline.embedding
        found = self._model(waveforms, baseline=baseline)
        if self._chosen is None:
            return found
        return found._replace(
            probabilities=over_subset(found.probabilities, self._chosen, self._sharpness),
            unfamiliar=beyond_subset(found.probabilities, self._chosen, found.unfamiliar),
        )


def _with_track(options: TimelineOptions | None, track: int | None) -> TimelineOptions | None:
    return options if track is None else replace(options or TimelineOptions(), track=track)
