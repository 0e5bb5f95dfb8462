"""The command `emotone`: one file per command, imported when the command is used.

Commands raise errors; only this module turns an error into a line on standard error and an exit status.
"""

from __future__ import annotations

import errno
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
from emotone.cli.terminal import abandon_stdout, prepare_streams
from emotone.errors import EmotoneError, OutputError
from emotone.extras import missing_extra

# Command -> its function, or the Typer application of a group of commands.
COMMANDS = {
    "demo": "emotone.cli.listening.demo:demo",
    "predict": "emotone.cli.listening.predict:predict",
    "listen": "emotone.cli.listening.listen:listen",
    "corpora": "emotone.cli.learning.corpora:app",
    "recipes": "emotone.cli.learning.recipes:app",
    "train": "emotone.cli.learning.train:train",
    "crossval": "emotone.cli.learning.crossval:crossval",
    "tune": "emotone.cli.learning.tune:tune",
    "report": "emotone.cli.learning.report:report",
    "export": "emotone.cli.learning.export:export",
    "convert": "emotone.cli.listening.convert:convert",
    "evaluate": "emotone.cli.learning.evaluate:evaluate",
    "adapt": "emotone.cli.listening.adapt:adapt",
    "reproduce": "emotone.cli.learning.reproduce:app",
    "serve": "emotone.cli.listening.serve:serve",
}


class LazyGroup(TyperGroup):
    """A group that imports a command when it is run or described, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of the table."""
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


OLD_NAMES = {"folds": "fold", "jobs": "workers", "looks": "evaluations", "unheard": "unseen", "unsure": "threshold"}
"""Options of earlier versions -> what they are called now. Both work; help shows the new name."""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    cls=LazyGroup,
    help="Emotion in speech: recognise it, and train, score and export the models that do.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda word: OLD_NAMES.get(word, word),
    },
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
    """Run the command line and exit with a status of `exit_status`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name.
    Returns:
        the exit status.
    """
    warnings.showwarning = _show_warning
    prepare_streams()
    try:
        status = _status_of_run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return exit_status.INTERRUPTED
    except BrokenPipeError:
        abandon_stdout()
        return exit_status.READER_GONE
    except OSError as error:
        if error.errno in _DISK_FULL:
            abandon_stdout()
            print(f"error: cannot write: {error.strerror}; free some space or choose another disk", file=sys.stderr)
        elif error.filename is not None:
            _print_safely(f"error: {error.filename}: {error.strerror}")
        else:
            raise
        return exit_status.status_of(OutputError())
    return status


def _status_of_run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(app)
    try:
        command.main(list(arguments), prog_name="emotone")
    except EmotoneError as error:
        return _report(error)
    except ModuleNotFoundError as error:
        name = next((word for word in arguments if word in COMMANDS), "")
        missing = missing_extra(error, f"emotone {name}".strip())
        if missing is None:
            raise
        return _report(missing)
    except SystemExit as leaving:
        # Typer turns a broken pipe into status 1, which would look like another error.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        return leaving.code if isinstance(leaving.code, int) else exit_status.OK
    return exit_status.OK


def _report(error: EmotoneError) -> int:
    _print_safely(f"error: {error}")
    return exit_status.status_of(error)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _print_safely(f"warning: {message}")


def _print_safely(text: str) -> None:
    """Print on standard error; names of files in the text must not control the terminal."""
    from emotone.output.names import printable

    print("\n".join(printable(line) for line in text.split("\n")), file=sys.stderr)
