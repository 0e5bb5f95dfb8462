"""`emotone recipes`: the recipes that come with emotone, and their settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="recipes",
    help="Recipes: list them, or show the settings of one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("list")
def list_recipes() -> None:
    """List the recipes that come with emotone and what each is for."""
    from rich.table import Column, Table

    from emotone.cli.terminal import table_console
    from emotone.experiments.recipe_files import read_settings, recipe_names, recipe_path

    names = recipe_names()
    table = Table(Column("recipe", no_wrap=True, min_width=max(map(len, names), default=0)), "summary")
    for name in names:
        table.add_row(name, str(read_settings(recipe_path(name)).get("summary", "")))
    table_console().print(table)


@app.command("show")
def show_recipe(
    name: Annotated[str, typer.Argument(help="A recipe's name or a TOML file.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting, as for `train`; implies --full. Repeatable.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every setting, defaults included, as `--set` takes them (extra `train`).")
    ] = False,
) -> None:
    """Print a recipe: its TOML file, or with --full every setting."""
    from emotone.experiments.recipe_files import recipe_path

    if not full and not settings:
        print(recipe_path(name).read_text(encoding="utf-8"), end="")
        return
    from emotone.experiments.recipe import load_recipe

    recipe = load_recipe(name, settings or [])
    for key, value in _flat(recipe.model_dump(mode="json")):
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
