"""`emotone predict`: the emotion of each recording, as a table, JSON or CSV."""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli import exit_status
from emotone.errors import AudioError

if TYPE_CHECKING:
    from emotone.listening.recognition import Recognition


class Format(StrEnum):
    """How the results are written."""

    table = "table"
    json = "json"
    csv = "csv"


def predict(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Recordings of any audio format.")],
    model: Annotated[
        Path | None, typer.Option(help="A model file made by `emotone export`. [default: the shipped model]")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Call a highest probability below this unsure. [default: the model's own]"),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to write the results.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write the results to this file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the one recording to this picture (.png, .svg or .pdf).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads for the model.")] = 1,
) -> None:
    """Recognise the emotion in each recording.

    A recording that cannot be used is listed with its reason at the end and makes the exit status non-zero; the others
    are still written.
    """
    if plot is not None and len(files) != 1:
        raise typer.BadParameter(f"draws one recording; got {len(files)}", param_hint="--plot")
    if plot is not None:
        from emotone.listening.plots import check_picture

        check_picture(plot)
    from emotone.listening.recognizer import load

    recognizer = load(model, threads=threads, unsure_threshold=threshold)
    recognitions: list[Recognition] = []
    failures: list[tuple[str, AudioError]] = []
    for file in files:
        try:
            recognitions.append(recognizer(file))
        except AudioError as error:
            failures.append((file, error))
    if recognitions or not failures:
        _write(recognitions, format, output)
    if plot is not None and recognitions:
        from emotone.audio import load_audio
        from emotone.listening.plots import plot_recognition

        waveform = load_audio(files[0], sample_rate=recognizer.sample_rate)
        plot_recognition(waveform, recognizer.sample_rate, recognitions[0], plot)
    if failures:
        _list_failures(failures, total=len(files))
        raise typer.Exit(exit_status.status_of(failures[0][1]))


def _write(recognitions: list[Recognition], format: Format, output: Path | None) -> None:
    from emotone.files import write_text
    from emotone.listening.formats import FORMATS, as_table

    if output is not None:
        write_text(output, FORMATS[format.value](recognitions))
    elif format is Format.table and sys.stdout.isatty():
        print(as_table(recognitions, width=shutil.get_terminal_size().columns, colour=True), end="")
    else:
        print(FORMATS[format.value](recognitions), end="")


def _list_failures(failures: list[tuple[str, AudioError]], *, total: int) -> None:
    from emotone.listening.formats import printable

    sys.stdout.flush()
    print(f"{len(failures)} of {total} recordings could not be used:", file=sys.stderr)
    for file, error in failures:
        reason = str(error).removeprefix(f"{file}: ")
        print(f"  {printable(file)}: {printable(reason)}", file=sys.stderr)
