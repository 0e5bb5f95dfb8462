"""The command `emotone`: one file a command, each imported only when it is asked for.

Commands raise; this is the one place where an error becomes a line on standard error and an exit status.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from emotone import __version__
from emotone.cli import exit_status
from emotone.errors import EmotoneError, OutputError

# Command -> where it lives: a function that is the command, or a Typer application that is a group of them.
COMMANDS = {
    "predict": "emotone.cli.predict:predict",
    "listen": "emotone.cli.listen:listen",
    "corpora": "emotone.cli.corpora:app",
    "train": "emotone.cli.train:train",
    "crossval": "emotone.cli.crossval:crossval",
    "report": "emotone.cli.report:report",
    "export": "emotone.cli.export:export",
    "convert": "emotone.cli.convert:convert",
    "evaluate": "emotone.cli.evaluate:evaluate",
    "reproduce": "emotone.cli.reproduce:app",
    "serve": "emotone.cli.serve:serve",
}


class LazyGroup(TyperGroup):
    """A group that imports a command when it is run or described, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands that this installation has, in the order of the table."""
        return [name for name, home in COMMANDS.items() if find_spec(home.partition(":")[0]) is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, imported now; None where there is none."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            module, _, attribute = COMMANDS[cmd_name].partition(":")
            found = getattr(import_module(module), attribute)
            if not isinstance(found, typer.Typer):
                function, found = found, typer.Typer(rich_markup_mode=None, add_completion=False)
                found.command(cmd_name)(function)
            command = typer.main.get_command(found)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands.get(cmd_name)


_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    cls=LazyGroup,
    help="Emotion in speech: recognise it, and train, score and export the models that do.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"emotone {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and leave with the exit status that `exit_status` says."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name.
    Returns:
        the exit status.
    """
    warnings.showwarning = _show_warning
    # A stream that was closed by whoever started this is None; nothing is read from it, and nothing goes there.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        status = _status_of_run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return exit_status.INTERRUPTED
    except BrokenPipeError:
        _leave_pipe()
        return exit_status.READER_GONE
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        _leave_pipe()
        print(f"error: cannot write: {error.strerror}; make room, or write elsewhere", file=sys.stderr)
        return exit_status.status_of(OutputError())
    return status


def _status_of_run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(app)
    try:
        command.main(list(arguments), prog_name="emotone")
    except EmotoneError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.status_of(error)
    except SystemExit as leaving:
        # Typer makes status 1 of a broken pipe, which would look like an error of ours.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        return leaving.code if isinstance(leaving.code, int) else exit_status.OK
    return exit_status.OK


def _leave_pipe() -> None:
    # Python would complain once more when it flushes the dead pipe on its way out.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
