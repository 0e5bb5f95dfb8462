"""`emotone recipes` as a person runs it."""

from __future__ import annotations

import tomllib

import pytest

from emotone.cli.main import run
from emotone.experiments.recipe_files import recipe_names


def test_every_recipe_is_listed_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in recipe_names())


def test_a_recipe_is_shown_as_its_file_or_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "show", "default"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["name"] == "default"
    assert run(["recipes", "show", "default", "--set", "loss.gamma=0"]) == 0
    assert "loss.gamma = 0.0\n" in capsys.readouterr().out
    assert run(["recipes", "show", "defualt"]) == 6
    assert "default" in capsys.readouterr().err
