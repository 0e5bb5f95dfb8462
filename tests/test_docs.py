"""The documentation shows public names only, links every page, and its command-line reference is current."""

from __future__ import annotations

import re
from pathlib import Path

import emotone
from emotone.cli.reference import commands, reference

REPO = Path(__file__).resolve().parents[1]
DOCS = REPO / "docs"


def test_the_reference_of_the_command_line_is_current() -> None:
    written = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m emotone.cli.reference docs/reference/command-line.md"


def test_the_reference_has_every_command() -> None:
    written = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert re.findall(r"^## emotone (.+)$", written, flags=re.MULTILINE) == [name for name, _ in commands()]


def test_every_output_option_is_also_called_o() -> None:
    rows = [line for line in reference().splitlines() if "`--output`" in line]
    assert len(rows) >= 9
    assert all(line.startswith("| `-o`, `--output`") for line in rows)


def test_what_the_python_reference_shows_is_public() -> None:
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: [\w.]+\.(\w+)$(?!\n    options:)", text, flags=re.MULTILINE)
    for members in re.findall(r"members: \[(.+)\]", text):
        shown += members.split(", ")
    assert len(shown) > 15
    assert sorted(set(shown) - set(emotone.__all__)) == []


def test_names_of_emotone_in_the_guides_are_public() -> None:
    for page in (REPO / "README.md", *sorted(DOCS.glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        code = "\n".join(re.findall(r"```(?:python|py)\n(.*?)```", text, flags=re.DOTALL))
        used = set(re.findall(r"\bemotone\.([A-Za-z]\w*)", code))
        for names in re.findall(r"^from emotone import (.+)$", code, flags=re.MULTILINE):
            used |= set(names.split(", "))
        assert sorted(used - set(emotone.__all__)) == [], page
        assert not re.findall(r"^from emotone\.\w.* import", code, flags=re.MULTILINE), page


def test_the_first_page_links_every_other() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"index.md"}
    assert sorted(page for page in pages if f"({page})" not in index) == []


def test_the_navigation_has_every_page() -> None:
    navigation = (REPO / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(page for page in pages if f": {page}\n" not in f"{navigation}\n") == []
