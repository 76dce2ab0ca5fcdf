"""How a program of this package runs: what it can show, how it stops, how it ends."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable

from linear_grokking.runtime import failures, signals

INTERRUPTED = 130
"""Exit status of a program that was asked to stop, as the shell has it for Ctrl-C."""
NOT_READ = 141
"""Of one whose output nobody reads to its end, as of ``| head``."""
WRONG_OPTIONS = 2
"""Of one whose options, or what they name, cannot be used, as argparse has it."""


def run(work: Callable[[], int | None]) -> int:
    """Do the work of a program; return its exit status.

    What goes wrong is said on stderr: in one line where that is enough (`failures.expected`),
    with a traceback where it is a fault of the program.  A program that is asked to stop cleans
    up as after Ctrl-C, unless the work answers for itself.  Nothing fails for a character that
    a stream cannot show, and nothing is said where the output's reader has left.
    """
    _show_any_character()
    try:
        with signals.answered(signal.default_int_handler):
            status = work() or 0
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        # Else what is left of the output would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_READ
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if failures.expected(error):
            print(failures.line(error), file=sys.stderr)
        else:
            traceback.print_exc()
        return 1


def _show_any_character() -> None:
    """Have the standard streams write what their encoding lacks as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
