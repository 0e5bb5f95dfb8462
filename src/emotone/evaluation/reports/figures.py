"""The pictures of a cross-validation: confusion matrix, training curves, reliability diagram, recall of each class.

Conventions: every function gives a Matplotlib Figure, drawn without pyplot and hence without global state, fit for one
column of a paper. Each title carries the protocol, n, and SI or SD. Colours are of the Okabe-Ito palette, and nothing
depends on colour alone. Text and lines are drawn in `INK` on no background, so that a page can recolour them for dark
surroundings. Needs the extra `plot`.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emotone.errors import MissingExtraError
from emotone.evaluation import calibration
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import Results, percent
from emotone.evaluation.run_folder import History
from emotone.evaluation.summary import N_BINS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#222222"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#8a8a8a"


def confusion_figure(results: Results) -> Figure:
    """The confusion matrix: the share of each true class (row) in colour and percent, the counts below it."""
    counts = np.array(results.pooled.confusion_matrix, dtype=np.float64)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    n_labels = len(results.labels)
    size = 1.9 + 0.62 * n_labels
    figure = _figure((size, size))
    axes = figure.add_subplot(aspect="equal")
    # A mesh and not an image: every cell stays a shape, sharp at any size.
    axes.pcolormesh(np.arange(n_labels + 1) - 0.5, np.arange(n_labels + 1) - 0.5, shares, cmap="Blues", vmin=0, vmax=1)
    axes.invert_yaxis()
    for row in range(n_labels):
        for column in range(n_labels):
            colour = "#ffffff" if shares[row, column] > 0.55 else "#1a1a1a"
            text = f"{100 * shares[row, column]:.0f}" if totals[row, 0] else "–"
            axes.text(column, row - 0.12, text, ha="center", va="center", color=colour, fontsize=10)
            count = f"{counts[row, column]:.0f}"
            axes.text(column, row + 0.27, count, ha="center", va="center", color=colour, fontsize=6.5)
    axes.set_xticks(range(n_labels), results.labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n_labels), results.labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    seeds = f" (summed over {len(results.seeds)} seeds)" if len(results.seeds) > 1 else ""
    _title(figure, f"Confusion: % of the true class, and counts{seeds}", results)
    return figure


def curves_figure(results: Results, histories: Mapping[tuple[int, int], History]) -> Figure:
    """Loss and validation UAR over the epochs, one line a fold; a dot marks the epoch that was chosen."""
    figure = _figure((7.2, 3.3))
    losses, uars = figure.subplots(1, 2)
    best = {(one.info.seed, one.info.fold): one.info.best_epoch for one in results.per_fold}
    alpha = float(np.clip(4 / max(1, len(histories)), 0.2, 0.8))
    for (seed, fold), history in histories.items():
        epochs = history["epoch"]
        losses.plot(epochs, history["train_loss"], color=ORANGE, alpha=alpha, linewidth=1, linestyle=(0, (3, 1.5)))
        losses.plot(epochs, history["validation_loss"], color=BLUE, alpha=alpha, linewidth=1)
        uars.plot(epochs, 100 * history["validation_uar"], color=BLUE, alpha=alpha, linewidth=1)
        chosen = epochs == best.get((seed, fold))
        uars.plot(epochs[chosen], 100 * history["validation_uar"][chosen], "o", color=INK, markersize=3.5)
    losses.plot([], [], color=ORANGE, linestyle=(0, (3, 1.5)), label="training")
    losses.plot([], [], color=BLUE, label="validation")
    uars.plot([], [], "o", color=INK, markersize=3.5, label="epoch chosen")
    losses.set_ylabel("loss")
    uars.set_ylabel("validation UAR, %")
    for axes in (losses, uars):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.02)
        _plain(axes, grid="y")
        _legend(axes)
    _title(figure, "Training, one line a fold", results)
    return figure


def reliability_figure(results: Results, predictions: Mapping[int, Predictions]) -> Figure:
    """Accuracy against confidence before and after temperature scaling, and how many utterances each bin holds."""
    tables = list(predictions.values())
    truth = np.concatenate([table.truth for table in tables])
    n_bins = results.calibration.n_bins if results.calibration else N_BINS
    before = calibration.reliability(np.concatenate([table.uncalibrated for table in tables]), truth, n_bins)
    after = calibration.reliability(np.concatenate([table.probabilities for table in tables]), truth, n_bins)
    figure = _figure((4.4, 5.0))
    axes, amounts = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="honest")
    for found, colour, marker, name, fill in (
        (before, ORANGE, "s", "as trained", "none"),
        (after, BLUE, "o", "calibrated", BLUE),
    ):
        filled = found.counts > 0
        label = f"{name}, ECE {found.error:.3f}"
        axes.plot(
            100 * found.confidence[filled], 100 * found.accuracy[filled], color=colour, marker=marker, markersize=5,
            markerfacecolor=fill, linewidth=1.3, label=label, clip_on=False, zorder=3,
        )  # fmt: skip
        amounts.stairs(found.counts, 100 * found.edges, color=colour, linewidth=1.3, fill=fill != "none",
                       alpha=0.35 if fill != "none" else 1.0)  # fmt: skip
    axes.set(xlim=(0, 100), ylim=(0, 100), ylabel="accuracy, %")
    amounts.set(xlabel="confidence, %", ylabel="utterances")
    _plain(axes, grid="both")
    _plain(amounts, grid="y")
    _legend(axes, loc="upper left")
    _title(figure, "Reliability", results)
    return figure


def recall_figure(results: Results) -> Figure:
    """The recall of each class: a bar for the pooled one, a dot for each fold that has utterances of it."""
    figure = _figure((5.6, 1.5 + 0.36 * len(results.labels)))
    axes = figure.add_subplot()
    offsets = np.random.default_rng(0)
    for row, label in enumerate(results.labels):
        pooled = results.pooled.per_class[label]
        axes.barh(row, 100 * (pooled.recall or 0), color=BLUE, alpha=0.45, height=0.66)
        folds = [one.scores.per_class[label].recall for one in results.per_fold]
        dots = np.array([100 * recall for recall in folds if recall is not None])
        axes.plot(
            dots, row + offsets.uniform(-0.2, 0.2, len(dots)), "o", color=INK, markersize=2.6, alpha=0.6, clip_on=False
        )
        axes.text(103, row, percent(pooled.recall), va="center", color=INK, fontsize=9)
    axes.axvline(100 * results.pooled.uar, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set_yticks(
        range(len(results.labels)),
        [f"{label} ({results.pooled.per_class[label].support})" for label in results.labels],
    )
    axes.invert_yaxis()
    interval = results.pooled.uar_interval
    around = f" [{percent(interval.low)}, {percent(interval.high)}]" if interval else ""
    axes.set(xlim=(0, 101), xlabel=f"recall, % (dots: folds; dashed: UAR {percent(results.pooled.uar)}{around})")
    _plain(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    _title(figure, "Recall of each class (utterances)", results)
    return figure


def as_png(figure: Figure, dpi: int = 160) -> bytes:
    """A figure as a PNG on white."""
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=dpi, facecolor="white")
    return target.getvalue()


def as_svg(figure: Figure, name: str) -> str:
    """A figure as an SVG element for a page, recoloured by the page's own text colour.

    Args:
        figure: drawn by this module.
        name: put before every id, so that one page can have several figures.
    """
    from matplotlib import rc_context

    target = io.StringIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace(INK, "currentColor")


def _figure(size: tuple[float, float]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("figures", "plot") from error
    return Figure(figsize=size, dpi=160, layout="constrained")


def _title(figure: Figure, what: str, results: Results) -> None:
    independence = "SI" if results.speaker_independent else "SD: speakers shared"
    where = f"{results.corpus}, {results.protocol}, {independence}, n = {results.n}, {results.n_speakers} speakers"
    # At 9 points some 15 characters go to the inch.
    where = "\n".join(textwrap.wrap(where, width=int(15 * figure.get_figwidth()))[:3])
    for axes in figure.axes:
        axes.tick_params(colors=INK, labelsize=8.5)
        axes.xaxis.label.set(color=INK, fontsize=9)
        axes.yaxis.label.set(color=INK, fontsize=9)
    # No mathematics in what a user may have written: a lone dollar sign would else be an error.
    figure.suptitle(f"{what}\n{where}", fontsize=9, color=INK, parse_math=False)


def _plain(axes: Any, *, grid: str) -> None:
    axes.grid(axis=grid, color=GREY, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)


def _legend(axes: Any, **options: Any) -> None:
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, **options)
