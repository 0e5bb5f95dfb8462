"""What a user installs: the built package, not the checkout."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    pytest.importorskip("hatchling", reason="no hatchling: what a wheel holds is not tested")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_recipe_the_model_the_clips_and_the_page_are_in_the_package(installed: Path) -> None:
    package = installed / "emotone"
    recipes = sorted(path.name for path in (REPO / "recipes").glob("*.toml"))
    assert sorted(path.name for path in (package / "recipes").glob("*.toml")) == recipes
    source = REPO / "src" / "emotone"
    for folder in ("weights", "clips", "service/static", "corpora/official"):
        kept = sorted(str(path.relative_to(source)) for path in (source / folder).rglob("*") if path.is_file())
        assert kept
        assert [name for name in kept if not (package / name).is_file()] == []


def test_the_image_is_built_from_all_that_a_wheel_needs() -> None:
    build = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    wheel = build["targets"]["wheel"]
    needed = {"pyproject.toml", "README.md", "LICENSE", *wheel["force-include"]}
    needed |= {path.partition("/")[0] for path in wheel["packages"]}
    stage = (REPO / "Dockerfile").read_text(encoding="utf-8").split(" AS build")[1].split("FROM ")[0]
    copied = {
        word.removeprefix("./")
        for line in stage.splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    }
    assert needed <= copied
    allowed = {line.removeprefix("!") for line in (REPO / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert needed <= allowed


def test_an_installed_package_finds_its_recipes(installed: Path, tmp_path: Path) -> None:
    code = "from emotone.experiments import recipe; recipe.load_recipe('default'); print(recipe.recipe_names())"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert "default" in found.stdout, found.stderr
