"""Recognise one recording within the service's limits; runs in a worker process."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from emotone.audio import AudioInfo, AudioTruncatedWarning, stream_audio
from emotone.listening.baseline import Baseline
from emotone.listening.reading import Reading
from emotone.listening.recognizer import Recognizer
from emotone.listening.turn_files import parse_turns
from emotone.output.formats import as_text
from emotone.service.errors import TooLongError
from emotone.service.replies import recognition_of, reply_of
from emotone.service.schemas import RecognitionReply
from emotone.service.settings import RecognitionSettings

SOURCE = "recording"
"""What every recording is called: the client's name for it is not kept."""

_MAX_BASELINE_S = 300.0

Progress = Callable[[float, float | None], None]
"""Called with the seconds decoded so far, and the declared duration where there is one."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker process is asked to do with a recording.

    Attributes:
        settings: how to recognise it.
        text_format: of the answer, a name from the output formats.
        max_duration_s: more decoded seconds than this are refused, whatever the header declares.
        timeout_s: after this the process is killed.
    """

    settings: RecognitionSettings
    text_format: str
    max_duration_s: float
    timeout_s: float


def recognize(
    recognizer: Recognizer, file: BinaryIO, task: Task, progress: Progress, extras: Mapping[str, bytes]
) -> tuple[str, float]:
    """The answer to a task as text, and the duration of the recording in seconds.

    Args:
        recognizer: the model.
        file: the recording, open for reading.
        task: what to do.
        progress: called while the recording is decoded.
        extras: other files, see `EXTRA_FILES`.
    Raises:
        AudioError: the recording cannot be used.
        TooLongError: it is longer than the task allows.
    """
    recognizer = recognizer.with_classes(task.settings.classes)
    threshold = task.settings.threshold
    if threshold is not None:
        recognizer = copy.copy(recognizer)
        recognizer.unsure_threshold = threshold
    declared_s: float | None = None

    def on_open(info: AudioInfo) -> None:
        nonlocal declared_s
        declared_s = info.duration_s
        # A duration that is only estimated, from the size of the file, must not refuse a recording.
        if info.declared_samples is not None:
            _check_duration(info.declared_samples / info.sample_rate, task.max_duration_s)

    def on_decoded(seconds: float) -> None:
        _check_duration(seconds, task.max_duration_s)
        progress(seconds, declared_s)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", AudioTruncatedWarning)
        turns = parse_turns(extras["turns"]) if "turns" in extras else None
        if "baseline" in extras:
            recognizer = recognizer.with_baseline(_baseline(recognizer, extras["baseline"]))
        named = cast(BinaryIO, _NamedFile(file))
        channels, options = task.settings.channels, task.settings.options()
        if turns is not None:
            # Counted first: reading by turns has no hook for it, and to decode alone takes a thousandth of the time.
            for _ in stream_audio(named, channels=channels, opened=on_open, decoded=on_decoded):
                pass
            file.seek(0)
            recognition = recognizer(named, channels=channels, options=options, turns=turns)
        else:
            recognition = Reading(
                recognizer, named, channels=channels, options=options, on_open=on_open, on_decoded=on_decoded
            ).recognition()
    notices = list(dict.fromkeys(str(one.message) for one in caught))
    reply = reply_of(recognition, recognizer.metadata, recognizer.unsure_threshold, notices)
    return as_format(reply, task.text_format), recognition.duration_s


def as_format(reply: RecognitionReply, text_format: str) -> str:
    """An answer in one of the text formats."""
    if text_format == "json":
        return reply.model_dump_json()
    return as_text([recognition_of(reply, SOURCE)], text_format)


def _baseline(recognizer: Recognizer, content: bytes) -> Baseline:
    for _ in stream_audio(content, decoded=lambda seconds: _check_duration(seconds, _MAX_BASELINE_S)):
        pass
    return recognizer.measure_baseline(content, name="baseline")


def _check_duration(duration_s: float, max_duration_s: float) -> None:
    if duration_s > max_duration_s:
        raise TooLongError(f"The recording is longer than {max_duration_s:g} s, the limit here.")


class _NamedFile:
    """A file under the name that messages use."""

    name = SOURCE

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.seekable, self.readable = file.seekable, file.readable
