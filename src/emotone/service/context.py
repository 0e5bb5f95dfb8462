"""What all routes of one service share: options, recognizer, places to work in, jobs and figures."""

from __future__ import annotations

import copy
import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, BinaryIO, Literal, cast

from emotone.audio import AudioInfo, AudioTruncatedWarning
from emotone.listening.options import TimelineOptions
from emotone.listening.predictions import Predictions
from emotone.listening.reading import Reading
from emotone.listening.recognizer import Recognizer
from emotone.listening.sources import Waveform
from emotone.service.errors import BadSettingError, TooLongError
from emotone.service.jobs import JobStore
from emotone.service.limits import CancellableFile, Counter, Deadline, RecognitionQueue
from emotone.service.metrics import Metrics
from emotone.service.options import ServiceOptions
from emotone.service.replies import reply_of
from emotone.service.schemas import RecognitionReply

SOURCE = "recording"
"""What every recording is called: the client's name for it is nobody's business."""

_log = logging.getLogger("emotone.service")


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """How a recording shall be judged.

    Attributes:
        channels: mixed to one, or each on its own.
        window_s: length of a window; None for the model's own.
        threshold: a confidence below is unsure; None for the model's own.
    """

    channels: Literal["mix", "split"] = "mix"
    window_s: float | None = None
    threshold: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is kept with a job."""
        return {"channels": self.channels, "window_s": self.window_s, "threshold": self.threshold}


class ServiceContext:
    """The middle of a service.

    Args:
        options: of the service.
        recognizer: that judges.
        jobs: that are kept.
    """

    def __init__(self, options: ServiceOptions, recognizer: Recognizer, jobs: JobStore) -> None:
        self.options = options
        self.recognizer = recognizer
        self.jobs = jobs
        self.metrics = Metrics()
        self.queue = RecognitionQueue(options.max_running, options.max_waiting)
        self.receiving = Counter("uploads", options.max_receiving)
        self.arriving = Counter("live streams that have not begun", options.max_receiving)
        self.streams = Counter("live streams", options.max_streams)
        self.hosts = frozenset(options.hosts)
        self.ready = True

    def judge(
        self,
        file: BinaryIO,
        settings: RecognitionSettings,
        cancelled: threading.Event,
        *,
        max_duration_s: float,
        timeout_s: float,
    ) -> RecognitionReply:
        """Judge one recording; called in a thread.

        Args:
            file: on disk, opened for reading.
            settings: how.
            cancelled: ends the work once it is set.
            max_duration_s: of sound.
            timeout_s: of work.
        Raises:
            AudioError: the recording cannot be used.
            TooLongError: it is longer than allowed.
            TimeLimitError: `cancelled` was set, or the time is over.
        """
        begun = monotonic()
        deadline = Deadline(cancelled, timeout_s)
        judge = _CancellableRecognizer(self.recognizer_with(settings.threshold), deadline)
        watched = CancellableFile(file, SOURCE, deadline)
        with _notices() as notices:
            recognition = _BoundedReading(judge, cast(BinaryIO, watched), settings, max_duration_s).recognition()
        _check_length(recognition.duration_s, max_duration_s)
        self.metrics.judging_seconds.observe(monotonic() - begun)
        self.metrics.audio_seconds.inc(recognition.duration_s)
        return reply_of(recognition, self.recognizer.metadata, judge.unsure_rule.confidence, notices)

    def recognizer_with(self, threshold: float | None) -> Recognizer:
        """The recognizer with a threshold of its own; the network is shared."""
        if threshold is None:
            return self.recognizer
        recognizer = copy.copy(self.recognizer)
        recognizer.unsure_threshold = threshold
        return recognizer

    def check_settings(self, settings: RecognitionSettings) -> None:
        """Refuse settings that the model cannot do, before a recording is read.

        Raises:
            BadSettingError: the window does not fit the model.
        """
        try:
            TimelineOptions(window_s=settings.window_s).hop_samples(self.recognizer.metadata)
        except ValueError as error:
            raise BadSettingError(str(error)) from error


class _CancellableRecognizer:
    """A recognizer that ends when it is told to."""

    def __init__(self, recognizer: Recognizer, deadline: Deadline) -> None:
        self.metadata = recognizer.metadata
        self.labels = recognizer.labels
        self.unsure_rule = recognizer.unsure_rule
        self.baseline_name = recognizer.baseline_name
        self._recognizer = recognizer
        self._watch = deadline

    def judge(self, waveforms: Sequence[Waveform]) -> Predictions:
        self._watch.check()
        return self._recognizer.judge(waveforms)


class _BoundedReading(Reading):
    """A reading that is given up at once where the recording itself says that it is too long.

    It is opened once: to open a WAV takes longer than to judge it.
    """

    def __init__(
        self, judge: _CancellableRecognizer, file: BinaryIO, settings: RecognitionSettings, max_duration_s: float
    ) -> None:
        self._max_duration_s = max_duration_s
        super().__init__(judge, file, channels=settings.channels, options=TimelineOptions(window_s=settings.window_s))

    def _open(self, info: AudioInfo) -> None:
        if info.duration_s is not None:
            _check_length(info.duration_s, self._max_duration_s)
        super()._open(info)


def _check_length(duration_s: float, max_duration_s: float) -> None:
    if duration_s > max_duration_s:
        raise TooLongError(f"{duration_s:.0f} s of sound; {max_duration_s:g} s are the most here")


_collected = threading.local()


@contextmanager
def _notices() -> Iterator[list[str]]:
    """What the decoder warns of in this thread; `warnings.catch_warnings` would take that of other threads too."""
    if warnings.showwarning is not _show_warning:
        warnings.filterwarnings("always", category=AudioTruncatedWarning)
        warnings.showwarning = _show_warning
    _collected.notices = []
    try:
        yield _collected.notices
    finally:
        _collected.notices = None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    notices = getattr(_collected, "notices", None)
    if notices is not None and isinstance(message, AudioTruncatedWarning):
        notices.append(str(message))
    else:
        _log.warning("%s", message)
