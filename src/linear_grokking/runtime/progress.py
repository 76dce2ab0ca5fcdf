"""How far a job is: a bar on a terminal, a line now and then in a log."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0
_LINE = "{desc}: {n_fmt}/{total_fmt}{unit}, {elapsed} elapsed, {remaining} left"
_READ = re.compile(r".*: (\d+)/(\d+) \S+, ([\d:]+) elapsed, ([\d:]+|\?) left")


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
        bar_format=_LINE,
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


@dataclass(frozen=True)
class Progress:
    """The progress of a job, as a line of its log states it.

    Attributes
    ----------
    done, total
        Units, as the job counts them.
    elapsed
        Seconds since the job started on them.
    left
        Estimated seconds to the end; None before the first unit is done.
    """

    done: int
    total: int
    elapsed: float
    left: float | None


def read_line(line: str) -> Progress | None:
    """Parse a line that `progress` wrote into a log; return None for any other line."""
    found = _READ.fullmatch(line.strip())
    if not found:
        return None
    done, total, elapsed, left = found.groups()
    known = None if left == "?" else _seconds(left)
    return Progress(int(done), int(total), _seconds(elapsed), known)


def _seconds(clock: str) -> float:
    """Read 12:34 or 1:02:03 as seconds."""
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds)
