"""The reference of the command line, made from the commands themselves.

python -m emotone.cli.reference docs/reference/command-line.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from emotone.cli.main import COMMANDS, OLD_NAMES

_INTRODUCTION = """\
# Command line

<!-- Made by `python -m emotone.cli.reference docs/reference/command-line.md`; a test compares it with the program. -->

`emotone -h` lists the commands, `emotone COMMAND -h` describes one, and `emotone --install-completion` teaches them to
your shell.
`python -m emotone` is the same program.
"""

_EXIT_STATUSES = """\
## Exit statuses

::: emotone.cli.exit_status
    options:
      members: []
      show_root_heading: false
      show_root_toc_entry: false
"""

_VALUES = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


def reference() -> str:
    """The page, as Markdown."""
    parts = [_INTRODUCTION]
    for name, function in commands():
        parts += _described(name, function)
    renamed = ", ".join(f"`--{old}` (now `--{new}`)" for old, new in sorted(OLD_NAMES.items()))
    parts.append(f"## Earlier names\n\nOptions of earlier versions that still work: {renamed}.\n")
    return "\n".join([*parts, _EXIT_STATUSES])


def commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every command, those of groups included: its words, such as "corpora check", and its function."""
    for name, home in COMMANDS.items():
        module, _, attribute = home.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            for one in found.registered_commands:
                if one.callback is not None and not one.hidden:
                    yield f"{name} {one.name or one.callback.__name__}", one.callback
        else:
            yield name, found


def _described(name: str, function: Callable[..., Any]) -> Iterator[str]:
    hints = get_type_hints(function, include_extras=True)
    rows, arguments = [], []
    for parameter in inspect.signature(function).parameters.values():
        kind, info = _unwrapped(hints[parameter.name])
        if info.hidden:
            continue
        many = get_origin(kind) is list
        kind = get_args(kind)[0] if many else kind
        if isinstance(info, ArgumentInfo):
            word = info.metavar or parameter.name.upper()
            word += "..." if many else ""
            required = parameter.default is inspect.Parameter.empty
            arguments.append(word if required or word.startswith("[") else f"[{word}]")
            rows.append(f"| `{word}` | {_meaning(info, None)} |")
        else:
            default = None if kind is bool else parameter.default
            rows.append(f"| {_option(parameter.name, kind, info)} | {_meaning(info, default)} |")
    yield f"## emotone {name}\n\n```\nemotone {' '.join([name, *arguments, '[OPTIONS]'])}\n```\n"
    yield f"{inspect.cleandoc(function.__doc__ or '')}\n"
    if rows:
        yield "\n".join(["| | |", "|---|---|", *rows, ""])


def _unwrapped(hint: Any) -> tuple[Any, ArgumentInfo | OptionInfo]:
    """The type of a parameter without None, and what typer knows of it."""
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    return kind, next(one for one in notes if isinstance(one, ArgumentInfo | OptionInfo))


def _option(name: str, kind: Any, info: OptionInfo) -> str:
    # In an `Annotated`, typer keeps the first name as the default.
    given = [info.default, *(info.param_decls or ())]
    words = [word for one in given if isinstance(one, str) and one.startswith("-") for word in one.split("/")]
    if not words:
        words = [f"--{name.replace('_', '-')}"] + ([f"--no-{name.replace('_', '-')}"] if kind is bool else [])
    names = ", ".join(f"`{word}`" for word in sorted(words, key=lambda one: one.startswith("--")))
    if kind is bool:
        return names
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"{names} {', '.join(f'`{one.value}`' for one in kind)}"
    return f"{names} `{info.metavar or _VALUES[kind]}`"


def _meaning(info: ArgumentInfo | OptionInfo, default: Any) -> str:
    text = " ".join((info.help or "").split())
    if default not in (None, "", inspect.Parameter.empty) and "[default:" not in text:
        text += f" [default: {default.value if isinstance(default, Enum) else default}]"
    if info.envvar:
        # Not in brackets: behind those of a default, Markdown would take them for a link.
        text += f" Environment variable: `{info.envvar}`."
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
