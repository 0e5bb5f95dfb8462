"""A report as one self-contained HTML page: styles and figures inside, no script, nothing fetched.

Conventions: every text goes through `html.escape`; figures are SVG elements drawn in the page's own text colour, so
that the page can be light or dark as the reader's system is.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template

from emotone.evaluation.reports.content import Code, Paragraph, Part, Picture, Section, Table, title
from emotone.evaluation.results import ConfidenceInterval, Results, percent

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="generator" content="emotone">
<title>$title</title>
<style>
:root { --page: #ffffff; --ink: #1f2328; --faint: #5b636d; --line: #d5dae0; --panel: #f5f7f9; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --ink: #e6e8ea; --faint: #a3abb4; --line: #363c43; --panel: #1d2125; --accent: #56b4e9; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: 1.2rem; }
.under { margin: .25rem 0 0; color: var(--faint); overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 1rem; padding: 0; list-style: none; }
.cards li { flex: 1 1 12rem; padding: .9rem 1.1rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--panel); }
.cards b { display: block; color: var(--accent); font-size: 1.9rem; line-height: 1.2; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.cards span { color: var(--faint); font-size: .9rem; }
.warning { padding: .7rem 1rem; border-left: .25rem solid #d55e00; background: var(--panel); }
.headline { color: var(--faint); font-size: .92rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; min-width: 24rem; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { padding-bottom: .5rem; color: var(--faint); text-align: left; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top;
  font-weight: 400; }
thead th { color: var(--faint); border-bottom-width: 2px; }
th.word, td.word { text-align: left; overflow-wrap: break-word; }
thead th:first-child, tbody th { padding-left: 0; }
figure { margin: 1.25rem 0; }
svg { max-width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt; }
pre { overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--panel);
  font-size: .85rem; line-height: 1.45; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="under">$under</p>
</header>
<main>
<ul class="cards">$cards</ul>
$warning<p class="headline">$headline</p>
$sections</main>
</body>
</html>
""")


def as_html(results: Results, parts: Sequence[Section]) -> str:
    """The whole page.

    Args:
        results: for the head of the page.
        parts: from `report_content.sections`.
    """
    pooled, calibration = results.pooled, results.calibration
    cards = [
        _card("UAR", percent(pooled.uar), _around(pooled.uar_interval)),
        _card("accuracy", percent(pooled.accuracy), _around(pooled.accuracy_interval)),
        _card("test utterances", str(results.n), f"{results.n_speakers} speakers, {len(results.labels)} classes"),
    ]
    if calibration is not None:
        cards.insert(2, _card("calibration error", f"{calibration.after.ece:.3f}", f"was {calibration.before.ece:.3f}"))
    warning = ""
    if not results.speaker_independent:
        warning = (
            '<p class="warning"><strong>Speakers are shared by training and test.</strong> '
            "This score is too high and says little of new speakers.</p>\n"
        )
    return _PAGE.substitute(
        title=escape(title(results)),
        under=escape(
            f"{results.protocol}, {'speaker-independent' if results.speaker_independent else 'speaker-dependent'}, "
            f"sentences {'shared' if results.sentences_shared else 'not shared'}, {results.created}"
        ),
        cards="".join(cards),
        warning=warning,
        headline=escape(results.headline()),
        sections="".join(map(_section, parts)),
    )


def document(title: str, lead: Sequence[str], parts: Sequence[Section], *, warning: str = "") -> str:
    """Any report as one page.

    Args:
        title: of the whole.
        lead: paragraphs under it, the first as a subtitle.
        parts: its sections.
        warning: shown first, if any.
    """
    under, *others = lead or [""]
    return _PAGE.substitute(
        title=escape(title),
        under=escape(under),
        cards="",
        warning=f'<p class="warning"><strong>{escape(warning)}</strong></p>\n' if warning else "",
        headline=escape(" ".join(others)),
        sections="".join(map(_section, parts)),
    )


def _card(name: str, value: str, beside: str) -> str:
    return f"<li>{escape(name)} <b>{escape(value)}</b> <span>{escape(beside)}</span></li>"


def _around(interval: ConfidenceInterval | None) -> str:
    if interval is None:
        return "no interval: fewer than two speakers"
    return f"{100 * interval.level:.0f} % interval {percent(interval.low)} to {percent(interval.high)}"


def _section(section: Section) -> str:
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{''.join(map(_part, section.parts))}</section>\n"


def _part(part: Part) -> str:
    if isinstance(part, Paragraph):
        return f"<p>{escape(part.text)}</p>\n"
    if isinstance(part, Code):
        return f'<pre tabindex="0"><code>{escape(part.text)}</code></pre>\n'
    if isinstance(part, Picture):
        from emotone.evaluation.reports.figures import as_svg

        svg = as_svg(part.figure, part.name).replace(
            "<svg", f'<svg role="img" aria-label="{escape(part.description)}"', 1
        )
        return f"<figure>{svg}</figure>\n"
    return _table(part)


def _cell(text: str) -> str:
    """An interval stays on one line."""
    kept = text.replace(", ", ",\N{NO-BREAK SPACE}") if text.startswith("[") else text
    return escape(kept)


def _table(table: Table) -> str:
    words = [' class="word"' if index < table.n_text else "" for index in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{word}>{escape(name)}</th>' for name, word in zip(table.columns, words, strict=True)
    )
    rows = []
    for first, *others in table.rows:
        cells = "".join(f"<td{word}>{_cell(cell)}</td>" for cell, word in zip(others, words[1:], strict=True))
        rows.append(f'<tr><th scope="row"{words[0]}>{escape(first)}</th>{cells}</tr>\n')
    return (
        f'<div class="scroll" tabindex="0"><table>\n<caption>{escape(table.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table></div>\n"
    )
