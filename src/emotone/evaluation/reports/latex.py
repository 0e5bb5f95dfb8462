"""A report as LaTeX to be taken into a document: sections, paragraphs and tabulars, no packages needed.

Conventions: every text is escaped; pictures and code are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from emotone.evaluation.reports.content import Paragraph, Section, Table


def document(title: str, lead: Sequence[str], parts: Sequence[Section]) -> str:
    """Any report as LaTeX.

    Args:
        title: of the whole.
        lead: paragraphs under it.
        parts: its sections.
    """
    lines = [f"% {' '.join(title.split())}", f"\\section*{{{_tex(title)}}}", *map(_tex, lead), ""]
    for section in parts:
        lines += [f"\\subsection*{{{_tex(section.title)}}}", ""]
        for part in section.parts:
            if isinstance(part, Paragraph):
                lines += [_tex(part.text), ""]
            elif isinstance(part, Table):
                columns = "".join("l" if index < part.n_text else "r" for index in range(len(part.columns)))
                rows = [" & ".join(map(_tex, row)) + r" \\" for row in part.rows]
                head = " & ".join(map(_tex, part.columns)) + r" \\"
                body = ["\\hline", head, "\\hline", *rows, "\\hline"]
                lines += [_tex(part.caption), "", f"\\begin{{tabular}}{{{columns}}}", *body, "\\end{tabular}", ""]
    return "\n".join(lines) + "\n"


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$"}
_TEX |= {character: f"\\{character}" for character in "&%$#_{}"} | {"–": "--", "…": r"\ldots{}", "<": "$<$", ">": "$>$"}


def _tex(text: str) -> str:
    return re.sub(r"[\\~^±−&%$#_{}–…<>]", lambda match: _TEX[match[0]], " ".join(text.split()))
