"""How a program of this package runs: its output, how it is stopped, its exit status."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

from linear_grokking.runtime import failures, signals

INTERRUPTED = 130
"""Exit status of a program that was asked to stop; the shell's for Ctrl-C."""
NOT_READ = 141
"""Exit status where nobody reads the output to its end, as with ``| head``."""
WRONG_OPTIONS = 2
"""Exit status where the options, or what they name, cannot be used; argparse's."""


def run(work: Callable[[], int | None]) -> int:
    """Do the work of a program; return its exit status.

    Errors are reported on stderr: in one line where that is enough (`failures.line`), with a
    traceback where the program is at fault.  A program that is asked to stop cleans up as after
    Ctrl-C, unless the work handles the signal itself.  A character that a stream cannot show is
    no error, and the program ends silently once the reader of its output has left.
    """
    _show_any_character()
    try:
        with signals.answered(signal.default_int_handler):
            status = work() or 0
            sys.stdout.flush()
            return status
    except BrokenPipeError:
        let_go(sys.stdout)
        return NOT_READ
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        print(failures.line(error) or traceback.format_exc().rstrip(), file=sys.stderr)
        return 1
    finally:
        let_go(sys.stderr)


def let_go(stream: TextIO) -> None:
    """Flush a stream; drop what it cannot write.

    Otherwise Python would try again when it exits, fail, and replace the exit status by its own.
    """
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show_any_character() -> None:
    """Make the standard streams escape characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
