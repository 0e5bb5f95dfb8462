"""A worker of a batch: one process, one model, one recording after the other.

Run as `python -P -m emotone.batch.worker`. It is a separate program, not a fork, so nothing of the caller is copied or
imported again. When the caller dies, even by kill -9, its end of the pipe closes and the worker exits.

Conventions: requests and answers are lines of JSON. First comes the setup, answered by `{"labels", "digest"}` or
`{"error", "kind"}`; then `{"index", "file"}`, answered by `{"index", "row", "warnings", "stamp"}` or
`{"index", "error", "kind"}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from emotone.errors import EmotoneError


def main() -> None:
    """Answer requests until the input ends."""
    # In a terminal every process gets the interrupt; the caller handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever else writes to standard output must not end up between the answers.
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        # The caller is gone. A normal exit would report the broken pipe again when Python flushes it.
        os._exit(0)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each line of requests with one line."""

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content).encode() + b"\n")
        answers.flush()

    wanted = json.loads(requests.readline() or b"null")
    if wanted is None:
        return
    try:
        recognizer = BatchRecognizer(wanted)
    except (EmotoneError, ValueError) as error:
        kind = type(error).__name__ if isinstance(error, EmotoneError) else "EmotoneError"
        answer({"error": str(error), "kind": kind})
        return
    answer({"labels": recognizer.labels, "digest": recognizer.digest})
    for line in requests:
        task = json.loads(line)
        answer({"index": task["index"], **recognizer(task["file"])})


class BatchRecognizer:
    """A model with the settings of a batch.

    Args:
        setup: `model` (a path or None), `unsure_threshold`, `channels`, `options`, those of `TimelineOptions`, and
            `speakers`, those of `SpeakerSettings`.
    Raises:
        ModelFileError: the model cannot be used.
        ValueError: the options are invalid, or do not fit the model.

    Attributes:
        labels: of the model.
        digest: of everything that determines the results.
    """

    def __init__(self, setup: Mapping[str, Any]) -> None:
        from emotone.listening.loading import load
        from emotone.listening.options import TimelineOptions
        from emotone.listening.speakers import SpeakerRecognizer, SpeakerSettings

        speakers = SpeakerSettings(**setup.get("speakers", {}))
        recognise = SpeakerRecognizer(load(setup["model"], unsure_threshold=setup["unsure_threshold"]), speakers)
        self._recognise, self._recognizer = recognise, recognise.recognizer
        self._channels = setup["channels"]
        self._options = TimelineOptions(**setup["options"])
        self._options.hop_samples(self._recognizer.metadata)
        self.labels = self._recognizer.labels
        rules = (self._recognizer.metadata, self._recognizer.unsure_threshold, self._channels, self._options)
        digest = hashlib.sha256(repr(rules).encode())
        if speakers != SpeakerSettings():
            digest.update(speakers.digest().encode())
        if setup["model"] is not None and Path(setup["model"]).is_file():
            digest.update(Path(setup["model"]).read_bytes())
        self.digest = digest.hexdigest()

    def __call__(self, location: str) -> dict[str, Any]:
        """Recognise one recording; faults of the recording are returned, not raised.

        Returns:
            `{"row", "warnings", "stamp"}` or `{"error", "kind"}`.
        """
        from emotone.batch.locations import file_stamp, is_own_stream, opened
        from emotone.output.objects import recording_object

        if is_own_stream(location):
            # A worker's own standard input holds its tasks.
            return {"error": "cannot be read in a batch; save the sound to a file", "kind": "NotAudioError"}
        stamp = file_stamp(location)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with opened(location) as source:
                    recognition = self._recognise(source, location, channels=self._channels, options=self._options)
            except EmotoneError as error:
                return {"error": str(error).removeprefix(f"{location}: "), "kind": type(error).__name__}
            except Exception as error:  # A bug that one recording triggers must not end a batch of millions.
                return {"error": f"unexpected {type(error).__name__}: {error}", "kind": "EmotoneError"}
        row = recording_object(recognition) | {"file": location}
        return {"row": row, "warnings": [str(one.message) for one in caught], "stamp": stamp}


if __name__ == "__main__":
    main()
