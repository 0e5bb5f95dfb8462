"""Where recipes are stored, and what they are for. No torch: `emotone recipes` works on the plain install."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from emotone.errors import RecipeError


def recipe_names() -> list[str]:
    """The recipes that come with emotone."""
    folder = _recipe_folder()
    return sorted(path.stem for path in folder.glob("*.toml")) if folder.is_dir() else []


def recipe_path(name: str) -> Path:
    """The TOML file of a recipe.

    Args:
        name: a path to a TOML file, or the name of a recipe that comes with emotone.
    Raises:
        RecipeError: there is no such recipe.
    """
    for path in (Path(name), _recipe_folder() / f"{name}.toml"):
        if path.is_file():
            return path
    raise RecipeError(f"no recipe {name!r}; expected a TOML file or one of: {', '.join(recipe_names()) or 'none'}")


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a recipe's file, unchecked.

    Raises:
        RecipeError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error}") from error


def _recipe_folder() -> Path:
    packaged = Path(str(resources.files("emotone"))) / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "recipes"
