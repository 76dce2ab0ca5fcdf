"""What the log of a job tells: when it was written, and its last lines."""

from collections.abc import Sequence
from pathlib import Path

_TAIL = 4096
"""Bytes from the end of a log that are read."""


def time_written(path: Path) -> float | None:
    """Return when a file was last written, or None where there is none to be seen."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def last_lines(path: Path) -> list[str]:
    """Return the lines at the end of a log, without empty ones."""
    try:
        with open(path, "rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL))
            text = log.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def says_why(lines: Sequence[str]) -> bool:
    """Tell whether the end of a log, by lines, says why its job failed."""
    told = bool(lines) and lines[-1].startswith(("error: ", "interrupted"))
    return told or any(line.startswith("Traceback (most recent call last)") for line in lines)
