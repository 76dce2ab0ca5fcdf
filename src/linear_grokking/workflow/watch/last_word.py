"""The last word in the log of a job that was killed: who is killed cannot say so."""

import logging
from contextlib import suppress
from pathlib import Path

from linear_grokking.workflow.watch.build import FILE, Build
from linear_grokking.workflow.watch.logs import last_lines, says_why, time_written

KILLED = "error: ended without a word: killed, or out of memory or time"


class LastWord(logging.Handler):
    """Hears Snakemake's messages; of a job that failed it completes the log.

    It is added to Snakemake's logger.

    Parameters
    ----------
    build
        What is to be done, and was noted (`Build.write`).
    root
        Folder that holds logs/.
    """

    def __init__(self, build: Build, root: Path):
        super().__init__()
        self._build = build
        self._root = root

    def emit(self, record: logging.LogRecord) -> None:
        """Write `KILLED` where a job failed and its log does not say why."""
        said = record.__dict__
        job = self._build.jobs.get(str(said.get("jobid")))
        if said.get("event") != "job_error" or job is None:
            return
        log = self._root / job.log
        # That of an earlier build tells nothing about a job that wrote no line yet.  Both times
        # are the file system's, which on a cluster is not of this clock.
        begun = (time_written(log) or 0.0) >= (time_written(self._root / FILE) or 0.0)
        if begun and says_why(last_lines(log)):
            return
        with suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "a" if begun else "w", encoding="utf-8") as file:
                file.write(f"{KILLED}\n")
