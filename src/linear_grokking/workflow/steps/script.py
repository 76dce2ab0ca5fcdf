"""How a rule's script runs its step: request on standard input, log to a file and the terminal."""

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from io import FileIO, TextIOBase
from pathlib import Path
from typing import Any, TextIO

from linear_grokking.runtime import failures


def run(step: Callable[..., None], **options: Callable[[str], Any]) -> None:
    """Run a step as the program of a script: ``script.py --log LOG OUTPUT... < REQUEST``.

    Parameters
    ----------
    step
        ``step(request, outputs, **options)``.
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
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb", buffering=0) as log, redirect_stderr(_Both(sys.stderr, log)):
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("linear_grokking").setLevel(logging.INFO)
        try:
            step(json.load(sys.stdin), given.pop("outputs"), **given)
        except failures.EXPECTED as error:
            print(failures.line(error), file=sys.stderr)
            sys.exit(1)
        except Exception:
            # Here, where the log is still open.
            traceback.print_exc()
            sys.exit(1)


class _Both(TextIOBase):
    """A text stream that writes to the terminal and to a log, which may fail."""

    def __init__(self, terminal: TextIO, log: FileIO):
        self._terminal, self._log = terminal, log

    def write(self, text: str) -> int:
        # A full disk costs the log, not the job.
        with suppress(OSError):
            self._log.write(text.encode())
        return self._terminal.write(text)

    def flush(self) -> None:
        self._terminal.flush()
