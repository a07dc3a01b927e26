"""The command line."""

import signal
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 if it did its work, 1 if not, 2 if it was not understood.

    Args:
        arguments: Without the program's name; `None` means those of this process.
    """
    # Ctrl-C while all the rest is being imported ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from vidgate.cli.app import invoke

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(invoke(sys.argv[1:] if arguments is None else arguments))
