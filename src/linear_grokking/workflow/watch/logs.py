"""What can be read from the log of a job: when it was written, and its last lines."""

from collections.abc import Sequence
from pathlib import Path

_TAIL = 4096
"""Bytes from the end of a log that are read."""


def time_written(path: Path) -> float | None:
    """Return when a file was last written, or None if there is none or it cannot be seen."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def last_lines(path: Path) -> list[str]:
    """Return the last lines of a log without empty ones; none if it cannot be read."""
    try:
        with open(path, "rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL))
            text = log.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def says_why(lines: Sequence[str]) -> bool:
    """Return whether the last lines of a log say why its job failed."""
    told = bool(lines) and lines[-1].startswith(("error: ", "interrupted"))
    return told or any(line.startswith("Traceback (most recent call last)") for line in lines)
