"""Thousands of recordings on one machine: all cores, resumable, in memory that does not grow.

>>> from emotone.batch.local import recognise_many
>>> report = recognise_many(["calls"], "results.parquet")             # doctest: +SKIP
>>> report.n_recognised, report.failures                              # doctest: +SKIP
(9998, (Failure('calls/7.wav', 'is empty (0 bytes)', 'NotAudioError'), ...))
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import emotone
from emotone import errors
from emotone.audio import AudioTruncatedWarning
from emotone.batch.journal import Journal
from emotone.batch.locations import LeftOut, find_recordings, is_own_stream
from emotone.batch.worker_pool import WorkerPool
from emotone.cores import available_cores
from emotone.errors import AudioError, EmotoneError, OptionError
from emotone.files import check_replaceable, written_whole
from emotone.listening.options import TimelineOptions
from emotone.listening.speakers import SpeakerSettings
from emotone.model_files.hub import local_model
from emotone.output.formats import check_output, check_table

_LISTED_FAILURES = 100
"""In the report; the file of failures has all of them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that could not be used.

    Attributes:
        file: its location.
        reason: in a sentence.
        kind: the name of the error's class.
    """

    file: str
    reason: str
    kind: str

    @property
    def error(self) -> EmotoneError:
        """The failure as an exception of its class."""
        kind: type[EmotoneError] = getattr(errors, self.kind, EmotoneError)
        return kind(f"{self.file}: {self.reason}")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a batch.

    Attributes:
        n_files: of the whole batch.
        n_done: of these, recognised or failed, `n_resumed` by an earlier run.
        n_failed: of `n_done`, failed.
        n_resumed: recognised by an earlier run.
        audio_s: sound recognised by this run, in seconds.
    """

    n_files: int
    n_done: int
    n_failed: int
    n_resumed: int
    audio_s: float


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The outcome of a batch.

    Attributes:
        output: the table; with a cluster, the folder of tables or its address.
        n_files: number of recordings.
        n_recognised: of these, recognised.
        n_failed: of these, not recognised.
        failures: the first hundred of them.
        failures_file: all of them, as JSON Lines; None without failures.
        audio_s: sound recognised by this run, in seconds.
        left_out: files in folders that were not used.
    """

    output: Path | str
    n_files: int
    n_recognised: int
    n_failed: int
    failures: tuple[Failure, ...]
    failures_file: Path | None
    audio_s: float
    left_out: LeftOut = field(default_factory=LeftOut)


def recognise_many(
    sources: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    unsure_threshold: float | None = None,
    channels: Literal["mix", "split"] = "mix",
    options: TimelineOptions | None = None,
    speakers: SpeakerSettings | None = None,
    fail_fast: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> BatchReport:
    """Recognise many recordings and write one table.

    Results are stored as they come, in `OUTPUT.journal`. A run that was killed continues where it stopped when it is
    started again; recordings that have changed since are recognised again. At the end the table is written, in the
    order of the recordings, and the journal is removed. If no recording could be used, no table is written.

    Earlier results of the same format are replaced; any other file is not, unless `overwrite` is set.

    Args:
        sources: recordings, folders, lists (.txt), patterns, addresses; see `find_recordings`. Or one of these.
        output: a file that ends in .parquet, .csv or .jsonl.
        model: a model file; None for the shipped model.
        workers: processes, each with its model; None for as many as the process may use cores.
        unsure_threshold: in place of the model's own.
        channels: "mix" averages them; "split" recognises each separately.
        options: how to cut and join; None for the defaults.
        speakers: classes, a baseline and turns; None for none of them.
        fail_fast: stop at the first recording that cannot be used.
        overwrite: replace an existing file whatever it is, and discard an unfinished batch of other recordings or of
            another model.
        on_progress: called after every recording.
    Raises:
        AudioError: no recordings; or, with `fail_fast`, the first that cannot be used.
        ModelFileError: the model cannot be used.
        OutputError: the results cannot be written, would replace a file of another kind, or belong to another batch.
        OptionError: fewer than one worker, or standard input among the files: only this process has it.
    """
    sources = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    for one in [*sources, *(speakers.files if speakers is not None else ())]:
        if is_own_stream(os.fspath(one)):
            raise OptionError(f"{one} cannot be read in a batch, which has several processes; save it to a file")
    table = check_table(output)
    path = Path(output)
    check_output(table.name, path, inputs=[os.fspath(one) for one in sources], overwrite=overwrite)
    check_replaceable(_failures_path(path), "a list of failures", _is_failures, overwrite=overwrite)
    n_workers = workers if workers is not None else available_cores()
    if n_workers < 1:
        raise OptionError(f"workers={n_workers}, expected at least 1")
    with WorkerPool(n_workers, setup_of(model, unsure_threshold, channels, options, speakers)) as pool:
        plan = {"version": emotone.__version__, "model": pool.digest, "labels": list(pool.labels)}
        with Journal(path, plan, overwrite=overwrite) as journal:
            left_out = LeftOut(ours=os.path.realpath(journal.path))
            try:
                journal.set_files(find_recordings(sources, left_out))
            except AudioError:
                journal.remove_if_empty()
                raise
            audio_s = _work(pool, journal, fail_fast, on_progress)
            failures_file, failures, n_failed = _write_failures(path, journal)
            if n_failed < journal.n_files:
                journal.merge(pool.labels)
            else:
                journal.remove()
    return BatchReport(
        path,
        journal.n_files,
        journal.n_files - n_failed,
        n_failed,
        failures,
        failures_file,
        round(audio_s, 3),
        left_out,
    )


def setup_of(
    model: str | os.PathLike[str] | None,
    unsure_threshold: float | None,
    channels: Literal["mix", "split"],
    options: TimelineOptions | None,
    speakers: SpeakerSettings | None = None,
) -> dict[str, Any]:
    """The setup of a `worker.BatchRecognizer`, in plain types.

    Raises:
        OptionError: no such treatment of channels.
    """
    if channels not in ("mix", "split"):
        raise OptionError(f"channels={channels!r}; expected 'mix' or 'split'")
    return {
        # A model of the hub is downloaded once, here. A resumed batch must use the same file, not the same name.
        "model": None if model is None else os.fspath(local_model(model)),
        "unsure_threshold": unsure_threshold,
        "channels": channels,
        "options": asdict(options or TimelineOptions()),
        "speakers": asdict(speakers or SpeakerSettings()),
    }


def _work(pool: WorkerPool, journal: Journal, fail_fast: bool, on_progress: Callable[[Progress], None] | None) -> float:
    n_done, n_failed, audio_s = journal.n_resumed, 0, 0.0
    if on_progress is not None:
        on_progress(Progress(journal.n_files, n_done, n_failed, journal.n_resumed, audio_s))
    for answer in pool.answers(journal.open_tasks()):
        journal.write(answer)
        n_done += 1
        if "row" in answer:
            audio_s += answer["row"]["duration_s"]
            for message in answer["warnings"]:
                warnings.warn(message, AudioTruncatedWarning, stacklevel=3)
        else:
            n_failed += 1
            if fail_fast:
                raise Failure(journal.location(answer["index"]), answer["error"], answer["kind"]).error
        if on_progress is not None:
            on_progress(Progress(journal.n_files, n_done, n_failed, journal.n_resumed, audio_s))
    return audio_s


def _write_failures(output: Path, journal: Journal) -> tuple[Path | None, tuple[Failure, ...], int]:
    """Write the recordings that could not be used to a file next to the table; remove the file if there are none."""
    path = _failures_path(output)
    path.unlink(missing_ok=True)
    failures = (Failure(location, answer["error"], answer["kind"]) for location, answer in journal.failures())
    listed = tuple(islice(failures, _LISTED_FAILURES))
    if not listed:
        return None, (), 0
    n_failed = 0
    with written_whole(path) as part, part.open("w", encoding="utf-8") as file:
        for failure in (*listed, *failures):
            file.write(json.dumps({"file": failure.file, "reason": failure.reason, "kind": failure.kind}) + "\n")
            n_failed += 1
    return path, listed, n_failed


def _failures_path(output: Path) -> Path:
    return output.with_name(f"{output.name}.failures.jsonl")


def _is_failures(content: bytes) -> bool:
    return not content.strip() or re.match(rb'{"file": ".*", "reason": ".*", "kind": "\w+"}', content) is not None
