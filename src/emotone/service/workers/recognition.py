"""Recognise one recording, or measure a baseline, within the service's limits; runs in a worker process."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal, cast

from emotone.audio import AudioInfo, AudioTruncatedWarning, stream_audio
from emotone.listening.baseline import Baseline
from emotone.listening.recognizer import Recognizer
from emotone.listening.recording import Recording
from emotone.listening.turns.files import parse_turns
from emotone.output.formats import as_text
from emotone.output.objects import recording_object
from emotone.service.errors import TooLongError
from emotone.service.requests.extras import ExtraFile, baselines_of, turns_of
from emotone.service.requests.settings import RecognitionSettings
from emotone.service.schemas import BaselineReply

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
        kind: recognise the recording, or measure the speaker's baseline from it.
    """

    settings: RecognitionSettings
    text_format: str
    max_duration_s: float
    timeout_s: float
    kind: Literal["recognition", "baseline"] = "recognition"


def perform(
    recognizer: Recognizer, file: BinaryIO, task: Task, progress: Progress, extras: Sequence[ExtraFile]
) -> tuple[str, float]:
    """The answer to a task as text, and the duration of the recording in seconds.

    Args:
        recognizer: the model.
        file: the recording, open for reading.
        task: what to do.
        progress: called while the recording is decoded.
        extras: files that belong to the recording.
    Raises:
        AudioError: the recording cannot be used.
        TooLongError: it is longer than the task allows.
        BaselineError: the model takes no baseline, or a baseline cannot be used.
        TurnsError: the turns cannot be used.
    """
    if task.kind == "baseline":
        return _measured(recognizer, file, extras)
    return _recognized(recognizer, file, task, progress, extras)


def _recognized(
    recognizer: Recognizer, file: BinaryIO, task: Task, progress: Progress, extras: Sequence[ExtraFile]
) -> tuple[str, float]:
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
        content = turns_of(extras)
        turns = None if content is None else parse_turns(content, tiers=task.settings.tiers())
        baseline = _baselines(recognizer, extras)
        # Of the baselines; the recognition has those of the recording.
        notices = list(dict.fromkeys(str(one.message) for one in caught))
        named = cast(BinaryIO, _NamedFile(file))
        channels, options = task.settings.channels, task.settings.options()
        if turns is not None:
            # Counted first: reading by turns has no hook for it, and to decode alone takes a thousandth of the time.
            for _ in stream_audio(named, channels=channels, opened=on_open, decoded=on_decoded):
                pass
            file.seek(0)
            recognition = recognizer(named, channels=channels, options=options, turns=turns, baseline=baseline)
        else:
            recognizer = recognizer.with_baseline(baseline)
            recognition = Recording(
                recognizer, named, channels=channels, options=options, on_open=on_open, on_decoded=on_decoded
            ).recognition()
    note = "; ".join(filter(None, [*notices, recognition.note]))
    recognition = replace(recognition, source=SOURCE, note=note)
    if task.text_format == "json":
        return json.dumps(recording_object(recognition)), recognition.duration_s
    return as_text([recognition], task.text_format), recognition.duration_s


def _measured(recognizer: Recognizer, file: BinaryIO, extras: Sequence[ExtraFile]) -> tuple[str, float]:
    recordings = [one for one in (file.read(), *baselines_of(extras).get(None, ())) if one]
    baseline = _baseline(recognizer, recordings)
    reply = BaselineReply(
        model=recognizer.metadata.name,
        embedding=baseline.embedding.tolist(),
        n_recordings=baseline.n_recordings,
        duration_s=round(baseline.duration_s, 6),
    )
    return reply.model_dump_json(), baseline.duration_s


def _baselines(recognizer: Recognizer, extras: Sequence[ExtraFile]) -> Any:
    """What a recognizer takes: a baseline, baselines by speaker, or None."""
    found = baselines_of(extras)
    if not found:
        return None
    if None in found:
        return _baseline(recognizer, found[None])
    return {speaker: _baseline(recognizer, some).of(speaker) for speaker, some in found.items() if speaker is not None}


def _baseline(recognizer: Recognizer, recordings: Sequence[bytes]) -> Baseline:
    for content in recordings:
        for _ in stream_audio(content, decoded=lambda seconds: _check_duration(seconds, _MAX_BASELINE_S)):
            pass
    name = "baseline" if len(recordings) == 1 else f"{len(recordings)} baseline recordings"
    return recognizer.measure_baseline(list(recordings), name=name)


def _check_duration(duration_s: float, max_duration_s: float) -> None:
    if duration_s > max_duration_s:
        raise TooLongError(f"The recording is longer than {max_duration_s:g} s, the limit here.")


class _NamedFile:
    """A file under the name that messages use."""

    name = SOURCE

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.seekable, self.readable = file.seekable, file.readable
