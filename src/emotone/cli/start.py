"""The entry point of the command `emotone`."""

from __future__ import annotations

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Import the command line and run it.

    Ctrl-C ends the process without a traceback while modules are imported; afterwards the commands handle it.
    """
    # Not where it is ignored: a shell starts background jobs so.
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from emotone.cli.main import main as run

    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
