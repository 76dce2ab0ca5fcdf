"""How far a job is: a bar on a terminal, a line now and then in a log."""

import sys
from collections.abc import Iterable
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0


def progress(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    description: str,
    unit: str = "realizations",
) -> tqdm:
    """Return a progress display on stderr, with what is done and the time left.

    Parameters
    ----------
    iterable
        Iterated over, one unit per item; without it, call ``update(n)`` as units are done,
        and leave the context to finish.
    total
        Number of units; default the length of the iterable.
    description
        What the job is.
    """
    options = {"total": total, "desc": description, "unit": f" {unit}", "miniters": 1}
    if sys.stderr.isatty():
        return tqdm(iterable, file=sys.stderr, dynamic_ncols=True, **options)
    return tqdm(
        iterable,
        file=_Lines(sys.stderr),
        mininterval=SECONDS_BETWEEN_LINES,
        bar_format="{desc}: {n_fmt}/{total_fmt}{unit}, {elapsed} elapsed, {remaining} left",
        **options,
    )


class _Lines:
    """A stream on which each refresh of a bar becomes a line of its own."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()
