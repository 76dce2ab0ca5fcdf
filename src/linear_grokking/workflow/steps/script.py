"""How a rule's script runs its step: request on standard input, log to a file and the terminal."""

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, suppress
from io import FileIO, TextIOBase
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TextIO

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime import failures, program


def run(step: str, **options: Callable[[str], Any]) -> None:
    """Run a step as the program of a script: ``script.py --log LOG OUTPUT... < REQUEST``.

    Of an error that is not this package's own the log tells, before its line, where it arose.

    Parameters
    ----------
    step
        ``"module:function"``, called as ``function(request, outputs, **options)``.  It is
        imported here, so that who stops a job while its libraries load gets one line, too.
    options
        What else the command line gives it, and how each is read.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    for name, read in options.items():
        parser.add_argument(f"--{name}", type=read, required=True)
    parser.add_argument("outputs", type=Path, nargs="+")
    given = vars(parser.parse_args())
    path: Path = given.pop("log")
    with ExitStack() as whole:  # the log is open until what went wrong was said

        def work() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            log = whole.enter_context(open(path, "wb", buffering=0))
            whole.enter_context(redirect_stderr(_Both(sys.stderr, log)))
            logging.basicConfig(format="%(message)s", stream=sys.stderr)
            logging.getLogger("linear_grokking").setLevel(logging.INFO)
            try:
                resolve_name(step)(json.load(sys.stdin), given.pop("outputs"), **given)
            except Exception as error:
                # The line that is said of it may be NumPy's or the system's, and of any place.
                if failures.expected(error) and not isinstance(error, LinearGrokkingError):
                    with suppress(OSError):
                        log.write(traceback.format_exc().encode(errors="backslashreplace"))
                raise

        if status := program.run(work):
            sys.exit(status)


class _Both(TextIOBase):
    """A text stream that writes to the terminal and to a log, both of which may fail."""

    def __init__(self, terminal: TextIO, log: FileIO):
        self._terminal, self._log = terminal, log

    def write(self, text: str) -> int:
        # A full disk costs the log, and a terminal that has closed what it shows; not the job.
        with suppress(OSError):
            self._log.write(text.encode(errors="backslashreplace"))
        with suppress(OSError):
            self._terminal.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._terminal.flush()
