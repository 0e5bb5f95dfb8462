"""What a user installs: the built package, not the checkout."""

from __future__ import annotations

import subprocess
import sys
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


def test_an_installed_package_finds_its_recipes(installed: Path, tmp_path: Path) -> None:
    code = "from emotone.experiments import recipe; recipe.load_recipe('default'); print(recipe.recipe_names())"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert "default" in found.stdout, found.stderr
