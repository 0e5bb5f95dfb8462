"""`emotone predict`: the emotion of each recording, as a whole and over time."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli import exit_status
from emotone.cli.listening.speakers import BaselineOption, ClassesOption, TierOption, TurnsOption, speaker_settings
from emotone.cli.options import (
    Channels,
    ChannelsOption,
    HopOption,
    ModelOption,
    OverwriteOption,
    ThresholdOption,
    TrackOption,
    VadOption,
    WindowOption,
    timeline_options,
    window_error,
)
from emotone.cli.terminal import printing
from emotone.errors import AudioError, EmotoneError, TurnsError
from emotone.output.formats import FORMATS, as_text, check_format, check_output, format_of, write_results

if TYPE_CHECKING:
    from emotone.listening.recognition import Recognition


Format = StrEnum("Format", {name: name for name in FORMATS})  # type: ignore[misc]


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Recordings of any audio format (`-`: standard input), folders, lists (.txt), patterns, or s3:// and "
            "gs:// addresses.",
        ),
    ],
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    window: WindowOption = None,
    hop: HopOption = None,
    vad: VadOption = True,
    channels: ChannelsOption = Channels.MIX,
    track: TrackOption = None,
    classes: ClassesOption = None,
    baseline: BaselineOption = None,
    turns: TurnsOption = None,
    tier: TierOption = None,
    format: Annotated[
        Format | None,
        typer.Option(help="Format of the results. [default: by the suffix of --output, else a table]"),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File for the results (`-`: standard output); a new folder for audformat and --ray.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Picture of a single recording, over time if it is long (.png, .svg or .pdf)."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads for the model.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Processes for a folder, a list or a pattern. [default: one per core]"),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first recording that cannot be used.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Use this Ray cluster (`local` starts one); --output is a folder."),
    ] = None,
) -> None:
    """Recognise the emotion in each recording.

    Speech is found first. Speech between two pauses becomes a segment with start, end, emotion and
    probabilities; the emotion of the recording is the mean of its segments by duration.

    Recordings that cannot be used are listed at the end with the reason, and make the exit status non-zero; the others
    are still written.

    With --turns the result has one row per turn, with its speaker and text.

    A folder, a list or a pattern with --output FILE (.parquet, .csv or .jsonl) is processed on all cores. After an
    interruption, the same command continues where it stopped.
    """
    from emotone.batch.locations import LeftOut, is_own_stream, opened
    from emotone.cli.listening.predict_many import check_left_out, found_in, list_left_out, predict_many, table_of_batch
    from emotone.files import require_local

    options = timeline_options(window=window, hop=hop, vad=vad, track=track)
    speakers = speaker_settings(classes, baseline, turns, tier)
    if turns is not None and channels is Channels.SPLIT:
        raise typer.BadParameter("turns are classified in the mix of all channels", param_hint="--channels")
    files = [_recording(word) for word in files]
    output = _output(output)
    # The suffix alone makes a batch; another --format means that no batch was asked for.
    asked = format.value if format is not None else "table"
    table = table_of_batch(files, output, format=asked, workers=workers, ray=ray)
    kind = format.value if format is not None else _format_of(output)
    if output is not None and ray is None:
        check_output(kind, output, inputs=files if turns is None else [*files, str(turns)], overwrite=overwrite)
    if table is not None and plot is not None:
        raise typer.BadParameter("draws one recording, not a batch", param_hint="--plot")
    if table is not None and threads != 1:
        raise typer.BadParameter("a batch uses processes of one thread each: --workers", param_hint="--threads")
    if table is not None and any(map(is_own_stream, [*files, *speakers.files])):
        raise typer.BadParameter("a batch reads files in several processes; save standard input to a file first")
    if table is not None:
        predict_many(
            files,
            table,
            model=model,
            threshold=threshold,
            channels=channels.value,
            options=options,
            speakers=speakers,
            workers=workers,
            fail_fast=fail_fast,
            overwrite=overwrite,
            ray=ray,
        )
        return
    if output is not None:
        require_local(output)
    left_out = LeftOut()
    files = found_in(files, left_out)
    if plot is not None and len(files) != 1:
        raise typer.BadParameter(f"draws one recording; got {len(files)}", param_hint="--plot")
    if plot is not None:
        from emotone.output.pictures import check_picture

        check_picture(plot, inputs=files, overwrite=overwrite)
    check_format(kind, n_recordings=len(files), output=output)
    from emotone.listening.loading import load
    from emotone.listening.speakers import SpeakerRecognizer

    recognizer = load(model, threads=threads, unsure_threshold=threshold)
    recognise = SpeakerRecognizer(recognizer, speakers)
    try:
        options.hop_samples(recognizer.metadata)
    except ValueError as error:
        raise window_error(error) from error
    failures: list[tuple[str, EmotoneError]] = []
    recognitions: list[Recognition] = []
    for file in files:
        try:
            with opened(file) as source:
                recognitions.append(
                    recognise(source, file, channels=channels.value, options=options, only_recording=len(files) == 1)
                )
        except (AudioError, TurnsError) as error:
            if fail_fast or (isinstance(error, TurnsError) and len(files) == 1):
                raise
            failures.append((file, error))
    if recognitions or not failures:
        _write(recognitions, kind, output)
    if plot is not None and recognitions:
        recognitions[0].plot(plot)
    if failures:
        _list_failures(failures, total=len(files))
    list_left_out(left_out)
    if failures:
        raise typer.Exit(exit_status.status_of(failures[0][1]))
    check_left_out(left_out)


_OF_OTHERS = (
    ".arrow",
    ".doc",
    ".docx",
    ".feather",
    ".html",
    ".md",
    ".ods",
    ".pdf",
    ".png",
    ".svg",
    ".tsv",
    ".xls",
    ".xlsx",
    ".xml",
)
"""Suffixes of formats that somebody may expect; a table as text would not be what the name says."""


def _recording(word: str) -> str:
    if not word:
        raise typer.BadParameter("an empty name; expected a recording, a folder, a list or a pattern")
    return "/dev/stdin" if word == "-" else word


def _output(word: str | None) -> str | None:
    """The output file; None for standard output, which is written to even where it is a file."""
    if word == "":
        raise typer.BadParameter("an empty name; expected a file", param_hint="--output")
    return None if word in ("-", "/dev/stdout") else word


def _format_of(output: str | None) -> str:
    """The format that the suffix of the output asks for, else a table."""
    found = None if output is None else format_of(output)
    if found is None and output is not None and (suffix := Path(output).suffix.lower()) in _OF_OTHERS:
        raise typer.BadParameter(f"{suffix} is not a format that emotone writes; see --format", param_hint="--output")
    return "table" if found is None else found.name


def _write(recognitions: list[Recognition], kind: str, output: str | None) -> None:
    if output is not None:
        write_results(recognitions, kind, output)
        return
    if kind == "table" and sys.stdout.isatty():
        from emotone.output.text import as_table

        text = as_table(recognitions, width=shutil.get_terminal_size().columns, colour=True)
    else:
        text = as_text(recognitions, kind)
    with printing():
        print(text, end="")


def _list_failures(failures: list[tuple[str, EmotoneError]], *, total: int) -> None:
    from emotone.output.names import printable

    sys.stdout.flush()
    print(f"{len(failures)} of {total} recordings could not be used:", file=sys.stderr)
    for file, error in failures:
        reason = str(error).removeprefix(f"{file}: ")
        print(f"  {printable(file)}: {printable(reason)}", file=sys.stderr)
