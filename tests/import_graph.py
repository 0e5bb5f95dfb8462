"""Print the import graph of a checkout: files and lines per folder, and cycles.

    python tests/import_graph.py [FOLDER_THAT_HOLDS_emotone]        # default: src; needs import-linter

An import of `emotone` itself is left out: its public names are declared for type checkers, and loaded when asked for.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import grimp


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other, of two and more (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        path.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in order:
                visit(other)
            if other in path:
                lowest[node] = min(lowest[node], lowest[other])
        if lowest[node] == order[node]:
            group = [path.pop()]
            while group[-1] != node:
                group.append(path.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return found


def main(source: Path) -> None:
    sys.path.insert(0, str(source))
    sys.setrecursionlimit(10_000)
    graph = grimp.build_graph("emotone", cache_dir=None)
    files: dict[str, set[str]] = defaultdict(set)
    packages: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            if "emotone" in (module, other):
                continue
            files[module].add(other)
            home, theirs = (name.split(".")[1] for name in (module, other))
            if home != theirs:
                packages[home].add(theirs)
    print(f"{'folder':<36} {'files':>5} {'lines':>6}")
    for folder in sorted({path.parent for path in (source / "emotone").rglob("*.py")}):
        held = sorted(folder.glob("*.py"))
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in held)
        print(f"{folder.relative_to(source).as_posix():<36} {len(held):>5} {lines:>6}")
    for name, edges in (("packages", packages), ("files", files)):
        groups = cycles(edges)
        print(f"cycles of {name}: {len(groups)}")
        for group in groups:
            print(f"  {len(group)}: {', '.join(group)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "src").resolve())
