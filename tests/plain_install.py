"""An interpreter that sees emotone and its required packages, and none of its extras.

Run as a program, `python tests/plain_install.py PYTHON` runs every command with PYTHON, an interpreter of an
environment made by `pip install .`, and exits with 1 if one of them neither works nor names its extra.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
CLIP = "src/emotone/clips/emodb/03a01Wa.flac"

COMMANDS: dict[str, tuple[list[str], str | None]] = {
    "version": (["--version"], None),
    "help": (["-h"], None),
    "demo": (["demo"], None),
    "predict": (["predict", "{clip}"], None),
    "predict to a file": (["predict", "{clip}", "-o", "{out}/a.csv"], None),
    "predict a folder": (["predict", "{clips}", "-o", "{out}/many.csv", "--workers", "1"], None),
    "predict --format parquet": (["predict", "{clip}", "-o", "{out}/a.parquet"], "formats"),
    "predict --format audformat": (["predict", "{clip}", "--format", "audformat", "-o", "{out}/a"], "formats"),
    "predict --plot": (["predict", "{clip}", "--plot", "{out}/a.png"], "plot"),
    "predict s3://": (["predict", "s3://bucket/a.wav"], "remote"),
    "predict --ray": (["predict", "{clips}", "--ray", "local", "-o", "{out}/ray"], "ray"),
    "predict --model OWNER/NAME": (["predict", "{clip}", "--model", "owner/name"], "hub"),
    "listen": (["listen"], "live"),
    "listen -": (["listen", "-", "--format", "jsonl"], None),
    "corpora list": (["corpora", "list"], None),
    "corpora check": (["corpora", "check", "manifest", "{manifest}"], None),
    "corpora describe": (["corpora", "describe", "manifest", "{manifest}", "--html", "{out}/mine.html"], None),
    "recipes list": (["recipes", "list"], None),
    "recipes show": (["recipes", "show", "default"], None),
    "recipes show --full": (["recipes", "show", "default", "--full"], "train"),
    "train": (["train", "manifest", "{manifest}"], "train"),
    "crossval": (["crossval", "manifest", "{manifest}"], "train"),
    "tune": (["tune", "manifest", "{manifest}"], "train"),
    "report": (["report", "{out}", "--no-figures"], None),
    "export": (["export", "{out}"], "train"),
    "convert": (["convert", "{model}", "--precision", "int8", "-o", "{out}/small.onnx"], "convert"),
    "evaluate": (["evaluate", "manifest", "{manifest}", "-o", "{out}/scored"], None),
    "adapt": (["adapt", "{clips}", "-o", "{out}/mine.onnx"], "adapt"),
    "adapt to labels": (["adapt", "{manifest}", "-o", "{out}/mine.onnx"], "adapt"),
    "reproduce tables": (["reproduce", "tables", "--corpus", "manifest", "{manifest}"], "train"),
    "reproduce model": (["reproduce", "model", "default", "{clips}", "-o", "{out}/default.onnx"], "train"),
    "serve": (["serve", "--port", "0"], "serve"),
    "serve --new-key": (["serve", "--new-key", "me"], "serve"),
}
"""What is run -> (the words of the command line, the extra it needs or None)."""

MAY_FAIL = {"report": 1}
"""Commands that have nothing to work on here, and the status with which they say so."""


def plain_packages() -> set[str]:
    """The names of emotone's required distributions and theirs, as installed here."""
    found: set[str] = set()
    waiting = ["emotone"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # a requirement of another platform
            continue
        waiting += [re.split(r"[^\w.-]", line)[0] for line in requirements if "extra ==" not in line]
    return found


def make_site(folder: Path) -> Path:
    """A folder with links to the required packages alone, to be the only one on an interpreter's path."""
    folder.mkdir()
    for name in plain_packages() - {"emotone"}:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = folder / top
            if not link.is_symlink():
                link.symlink_to(Path(str(distribution.locate_file(top))))
    (folder / "emotone").symlink_to(REPO / "src" / "emotone")
    return folder


def filled(words: list[str], out: Path) -> list[str]:
    """The words of a command line with the paths that they name; `out` is an existing folder."""
    manifest = out / "manifest.csv"
    clips = sorted((REPO / "src/emotone/clips/emodb").glob("*.flac"))
    rows = [f"{clip},{'anger' if 'W' in clip.stem else 'neutral'},{clip.stem[:2]}" for clip in clips]
    manifest.write_text("\n".join(["path,emotion,speaker", *rows, ""]), encoding="utf-8")
    places = {
        "clip": REPO / CLIP, "clips": REPO / "src/emotone/clips/emodb", "out": out, "manifest": manifest,
        "model": REPO / "src/emotone/weights/default.onnx",
    }  # fmt: skip
    return [word.format_map(places) for word in words]


def fault(name: str, python: list[str], out: Path, environment: dict[str, str]) -> str | None:
    """Run one of `COMMANDS`; None if it worked or named its extra, else what it did instead."""
    words, extra = COMMANDS[name]
    done = subprocess.run(
        [*python, "-m", "emotone", *filled(words, out)],
        input=bytes(64_000), capture_output=True, env=environment, cwd=out, timeout=240, check=False,
    )  # fmt: skip
    said = done.stderr.decode(errors="replace")
    expected = MAY_FAIL.get(name, 0) if extra is None else 7
    if done.returncode == expected and "Traceback" not in said and (extra is None or f"'emotone[{extra}]'" in said):
        return None
    return f"{name}: status {done.returncode}, expected {expected} ({extra or 'no extra'}): {said[-2000:]}"


def main() -> int:
    """Run every command; see the top of this file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        faults = [one for name in COMMANDS if (one := fault(name, [sys.argv[1]], Path(folder), dict(os.environ)))]
    print("\n".join(faults) or f"all {len(COMMANDS)} commands work or name their extra")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
