"""A corpus's description as one self-contained HTML page: styles and figures in it, no script, nothing fetched.

Conventions: every text goes through `html.escape`; figures are SVG elements in the page's own colours, so that the page
can be light or dark as the reader's system is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import Template

import numpy as np
from numpy.typing import NDArray

from emotone.corpora.description import QUANTILES, Description, quantiles

SHOWN = 200
"""So many recordings are named in each list of the page."""

N_BINS = 40
_WIDTH, _HEIGHT = 720, 150

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="emotone">
<title>$title</title>
<style>
:root { --page: #ffffff; --ink: #1f2328; --faint: #5b636d; --line: #d5dae0; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --ink: #e6e8ea; --faint: #a3abb4; --line: #363c43; --accent: #56b4e9; }
}
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.2rem; }
p { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--line); text-align: right; font-weight: 400; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--faint); border-bottom-width: 2px; }
li { overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; }
rect { fill: var(--accent); }
text { fill: var(--faint); font: 12px system-ui, sans-serif; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$summary</p>
$body
</body>
</html>
""")


def page(described: Description) -> str:
    """The whole page."""
    speakers = sorted(described.counts)
    parts = [
        "<h2>Classes</h2>",
        _table(
            ["class", "utterances", "minutes", "median level, dB"],
            [
                [emotion, str(number), f"{seconds / 60:.1f}", _number(level)]
                for emotion, (number, seconds, level) in described.by_class.items()
            ],
        ),
        "<h2>Classes by speaker</h2>",
        _table(
            ["speaker", "sex", *described.classes, "all"],
            [
                [
                    speaker,
                    described.sexes[speaker] or "-",
                    *(str(described.counts[speaker][emotion]) for emotion in described.classes),
                    str(sum(described.counts[speaker].values())),
                ]
                for speaker in speakers
            ],
        ),
        "<h2>Durations</h2>",
        _histogram(described.durations_s, "seconds"),
        _quantile_table(described.durations_s, "seconds"),
        "<h2>Levels</h2>",
        "<p>Root mean square of each recording, in dB of full scale; silent recordings are left out.</p>",
        _histogram(described.levels_db, "dB"),
        _quantile_table(described.levels_db, "dB"),
        *_list("To look at", described.notes),
        *_list("Left out by the reader", [f"{count}: {reason}" for reason, count in described.dropped.items()]),
        *_list("Silent recordings", described.silent),
        *_list("Clipped recordings", [f"{name}: {peaks} clipped peaks" for name, peaks in described.clipped]),
        *_list("Unreadable recordings", [f"{name}: {reason}" for name, reason in described.unreadable]),
    ]
    return _PAGE.substitute(
        title=escape(f"Corpus {described.name}"), summary=escape(summary(described)), body="\n".join(parts)
    )


def summary(described: Description) -> str:
    """The corpus in one line.

    Used by the page and by the command line.
    """
    sexes = [sex or "unknown sex" for sex in described.sexes.values()]
    of_sex = ", ".join(f"{sexes.count(sex)} {sex}" for sex in sorted(set(sexes)))
    return (
        f"{described.n} utterances, {described.hours:.2f} hours, {len(described.counts)} speakers ({of_sex}), "
        f"{len(described.classes)} classes; licence {described.licence}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = [
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    ]
    return f'<div class="scroll"><table><thead><tr>{columns}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _quantile_table(values: NDArray[np.float64], unit: str) -> str:
    head = [unit, *(f"{100 * share:g} %" for share in QUANTILES)]
    return _table(head, [["quantiles", *(_number(value) for value in quantiles(values))]])


def _histogram(values: NDArray[np.float64], unit: str) -> str:
    if not len(values):
        return "<p>none</p>"
    counts, edges = np.histogram(values, bins=N_BINS)
    width = _WIDTH / N_BINS
    bars = []
    for index, count in enumerate(counts.tolist()):
        height = _HEIGHT * count / max(1, int(counts.max()))
        place = f'x="{index * width:.1f}" y="{_HEIGHT - height:.1f}" width="{width - 1:.1f}" height="{height:.1f}"'
        bars.append(f"<rect {place}><title>{edges[index]:.2f} to {edges[index + 1]:.2f} {unit}: {count}</title></rect>")
    ends = (
        f'<text x="0" y="{_HEIGHT + 16}">{edges[0]:.1f} {unit}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 16}" text-anchor="end">{edges[-1]:.1f} {unit}</text>'
    )
    label = escape(f"histogram in {unit}", quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" role="img" aria-label="{label}">{"".join(bars)}{ends}</svg>'


def _list(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    shown = "".join(f"<li>{escape(line)}</li>" for line in lines[:SHOWN])
    more = f"<p>and {len(lines) - SHOWN} more</p>" if len(lines) > SHOWN else ""
    return [f"<h2>{escape(title)}: {len(lines)}</h2>", f"<ul>{shown}</ul>{more}"]


def _number(value: float) -> str:
    return f"{value:.1f}" if np.isfinite(value) else "-"
