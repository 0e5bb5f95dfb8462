"""`emotone adapt`: fit a model to the user's own recordings, with or without labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli.options import MapOption, ModelOption, OverwriteOption, label_rules

if TYPE_CHECKING:
    from emotone.adaptation.new_head import Measured, NewHead
    from emotone.adaptation.recentring import Recentred


def adapt(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDINGS...|MANIFEST",
            help="A folder or recordings, to adapt without labels; or one manifest, to fit a new classifier.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    model: ModelOption = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            help="Only these classes of the manifest, comma-separated, or `four`. Without labels: those that occur in "
            "the recordings; the others keep their place.",
        ),
    ] = None,
    map_: MapOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the new model. [default: the output's name]")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Adapt a model to recordings of your own, in seconds and without PyTorch (extra `adapt`).

    Without labels, the model is recentred: its answers are shifted so that no class is preferred over all recordings;
    name the classes with --classes if some of the model's never occur in them.
    With the labels of a manifest, a new classifier for its classes, of any names, is fitted, scored by cross-validation
    with speakers left out, and calibrated. At least 20 recordings are needed either way. The result is an ordinary
    model file.
    """
    from rich.console import Console
    from rich.progress import track

    from emotone.adaptation.adapt import adapt as adapt_model
    from emotone.adaptation.recentring import Recentred

    console = Console(stderr=True)
    done = adapt_model(
        sources,
        output,
        model=model,
        classes=classes,
        labels=label_rules(map_),
        name=name,
        overwrite=overwrite,
        progress=lambda items: track(
            items, "recognising", console=console, transient=True, disable=not console.is_terminal
        ),
    )
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    for failed, reason in done.failures:
        print(f"left out: {failed}: {reason}", file=sys.stderr)
    for warning in done.result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if isinstance(done.result, Recentred):
        _print_recentred(done.result, done.n_recordings)
        print(f"{output}: {done.unadapted}, recentred on {done.n_recordings} recordings")
    else:
        _print_scores(done.result, done.unadapted)
        print(f"{output}: {', '.join(done.result.metadata.labels)}; {done.unadapted} with a new classifier")
    if done.failures:
        raise typer.Exit(3)


def _print_recentred(result: Recentred, n_recordings: int) -> None:
    from rich.table import Table

    from emotone.cli.terminal import table_console

    table = Table("class", "shift of its logit", "predicted before", "predicted after")
    for label, shift, before, after in zip(
        result.metadata.labels, result.shift, result.before, result.after, strict=True
    ):
        table.add_row(label, f"{shift:+.2f}", f"{before:.0%}", f"{after:.0%}")
    table_console().print(table)
    which = "all classes" if result.classes == result.metadata.labels else ", ".join(result.classes)
    print(
        f"{result.changed} of {n_recordings} recordings are predicted differently. The shift counts "
        f"{result.weight:.2f} of what would make {which} equally probable, because there are {n_recordings} "
        "recordings."
    )


def _print_scores(result: NewHead, before: str) -> None:
    print(f"{result.protocol}, the encoder unchanged:")
    print(f"  adapted      {_in_words(result.adapted)}")
    if result.unadapted is None:
        print(f"  unadapted    {before} has fewer than two of these classes")
    else:
        lacking = [name for name in result.adapted.classes if name not in result.unadapted.classes]
        without = f"; without {', '.join(lacking)}, which {before} does not have" if lacking else ""
        print(f"  unadapted    {_in_words(result.unadapted)}{without}")


def _in_words(score: Measured) -> str:
    interval = "no interval" if score.low is None or score.high is None else f"[{_p(score.low)}, {_p(score.high)}]"
    return f"UAR {_p(score.uar)} {interval}, accuracy {_p(score.accuracy)}, n = {score.n}"


def _p(share: float) -> str:
    return f"{100 * share:.1f}"
