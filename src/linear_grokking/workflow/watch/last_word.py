"""The last word in the log of a job that was killed: who is killed cannot say so."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from linear_grokking.workflow.watch.build import Build

KILLED = "error: ended without a word: killed, or out of memory or time"

_TAIL = 4096
"""Bytes from the end of a log that are read."""


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


class LastWord(logging.Handler):
    """Hears Snakemake's messages; of a job that failed it completes the log.

    It is added to Snakemake's logger when the jobs begin.

    Parameters
    ----------
    build
        What is to be done.
    root
        Folder that holds logs/.
    """

    def __init__(self, build: Build, root: Path):
        super().__init__()
        self._build = build
        self._root = root
        self._started = time.time()

    def emit(self, record: logging.LogRecord) -> None:
        """Write `KILLED` where a job failed and its log does not say why."""
        said = record.__dict__
        job = self._build.jobs.get(str(said.get("jobid")))
        if said.get("event") != "job_error" or job is None:
            return
        log = self._root / job.log
        with suppress(OSError):
            # That of an earlier build tells nothing about a job that wrote no line yet.
            begun = log.exists() and log.stat().st_mtime >= self._started
            if not (begun and says_why(last_lines(log))):
                log.parent.mkdir(parents=True, exist_ok=True)
                with open(log, "a" if begun else "w", encoding="utf-8") as file:
                    file.write(f"{KILLED}\n")
