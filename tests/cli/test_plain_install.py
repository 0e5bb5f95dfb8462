"""On an install without extras every command works or names its extra."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import plain_install
from emotone.cli.main import COMMANDS, app
from emotone.extras import EXTRA_OF_PACKAGE


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_install.make_site(tmp_path_factory.mktemp("plain") / "site")


@pytest.mark.parametrize("name", plain_install.COMMANDS)
def test_a_command_works_or_names_its_extra(name: str, site: Path, tmp_path: Path) -> None:
    # -S leaves out the site-packages of the tests' own environment.
    environment = os.environ | {"PYTHONPATH": str(site)}
    assert plain_install.fault(name, [sys.executable, "-S"], tmp_path, environment) is None


def test_every_command_is_run() -> None:
    root = typer.main.get_command(app)
    names = set()
    for name in COMMANDS:
        command = root.get_command(typer.Context(root), name)
        below = getattr(command, "commands", None)
        names |= {f"{name} {one}" for one in below} if below else {name}
    run = {" ".join(words[:2]) for words, _ in plain_install.COMMANDS.values()}
    run |= {words[0] for words, _ in plain_install.COMMANDS.values()}
    assert names <= run


def test_every_extra_that_is_named_exists() -> None:
    project = tomllib.loads((plain_install.REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(EXTRA_OF_PACKAGE.values()) <= set(extras)
    required = {re.split(r"[^\w.-]", line)[0].lower() for line in project["dependencies"]}
    assert not required & set(EXTRA_OF_PACKAGE)
