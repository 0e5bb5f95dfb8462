"""Where a score comes from: corpus, protocol, recipe, versions and command."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def software_versions() -> dict[str, str]:
    """Python, the platform, and the installed packages that affect a result."""
    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for package in ("emotone", "torch", "numpy", "scipy", "av", "accelerate"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as a person would type it, without the path to the program.

    >>> command_line(["/usr/bin/emotone", "report", "my run"])
    "emotone report 'my run'"
    """
    typed = list(sys.argv if arguments is None else arguments)
    return shlex.join([Path(typed[0]).name, *typed[1:]])


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


class Provenance(BaseModel):
    """What was run, on what, and how.

    Attributes:
        kind: "cross-validation", "cross-corpus" (a model file scored on a corpus) or "peer" (openSMILE); files of
            earlier versions say "untouched" for "cross-corpus".
        corpus: its name.
        protocol: the name of the folds.
        fold_hash: changes with who is tested, validated and trained in which fold.
        speaker_independent: False where a speaker may be in both training and test.
        sentences_shared: True where test speakers say sentences that training speakers said.
        recipe_name: name of the recipe.
        recipe: the whole recipe, as JSON values.
        command: the command that was run.
        device: the device it ran on.
        versions: of the software.
        created: ISO date, UTC.
        tests_looked_at: number of test evaluations on these folds so far, None where they were not counted.
        weights_sha: of a model file that was scored, the SHA-256 of its weights before they were stored, in hex.
        precision: of a model file that was scored, how its weights are stored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = "cross-validation"
    corpus: str
    protocol: str
    fold_hash: str
    speaker_independent: bool
    sentences_shared: bool
    recipe_name: str
    recipe: dict[str, Any]
    command: str = ""
    device: str = ""
    versions: dict[str, str] = Field(default_factory=software_versions)
    created: str = Field(default_factory=_today)
    tests_looked_at: int | None = None
    weights_sha: str = ""
    precision: str = ""
