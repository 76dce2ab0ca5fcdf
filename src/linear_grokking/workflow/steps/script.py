"""Run a step as a rule's script: request on standard input, log to a file and the terminal."""

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

    For an error that is not one of this package's own, the log holds its traceback before its line.

    Parameters
    ----------
    step
        ``"module:function"``, called as ``function(request, outputs, **options)``.  It is
        imported here, so that stopping a job while its libraries load also gives a single line.
    options
        Further arguments of the step that the command line gives, and how each is parsed.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    for name, read in options.items():
        parser.add_argument(f"--{name}", type=read, required=True)
    parser.add_argument("outputs", type=Path, nargs="+")
    given = vars(parser.parse_args())
    path: Path = given.pop("log")
    with ExitStack() as whole:  # keeps the log open until any error has been reported

        def work() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            log = whole.enter_context(open(path, "wb", buffering=0))
            whole.enter_context(redirect_stderr(_Both(sys.stderr, log)))
            logging.basicConfig(format="%(message)s", stream=sys.stderr)
            logging.getLogger("linear_grokking").setLevel(logging.INFO)
            try:
                resolve_name(step)(json.load(sys.stdin), given.pop("outputs"), **given)
            except Exception as error:
                # Its message may come from NumPy or the system, and does not say where it arose.
                if failures.line(error) and not isinstance(error, LinearGrokkingError):
                    with suppress(OSError):
                        log.write(traceback.format_exc().encode(errors="backslashreplace"))
                raise

        status = program.run(work)
    program.let_go(sys.stderr)
    if status:
        sys.exit(status)


class _Both(TextIOBase):
    """A text stream that writes to the terminal and to a log, and survives failures of either."""

    def __init__(self, terminal: TextIO, log: FileIO):
        self._terminal, self._log = terminal, log

    def write(self, text: str) -> int:
        # A full disk loses the log and a closed terminal loses what it shows, but the job goes on.
        with suppress(OSError):
            self._log.write(text.encode(errors="backslashreplace"))
        with suppress(OSError):
            self._terminal.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._terminal.flush()
