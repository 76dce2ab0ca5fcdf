"""The last line in the log of a job that was killed and could not write it itself."""

import logging
from contextlib import suppress
from pathlib import Path

from linear_grokking.workflow.watch.build import FILE, Build
from linear_grokking.workflow.watch.logs import last_lines, says_why, time_written

KILLED = "error: ended without a message: killed, or out of memory or time"


class LastWord(logging.Handler):
    """Listens to Snakemake's messages and completes the logs of jobs that failed.

    It is added to Snakemake's logger as a handler.

    Parameters
    ----------
    build
        The build in progress, already recorded (`Build.write`).
    root
        Folder that holds logs/.
    """

    def __init__(self, build: Build, root: Path):
        super().__init__()
        self._build = build
        self._root = root

    def emit(self, record: logging.LogRecord) -> None:
        """Write `KILLED` if a job failed and its log does not say why."""
        said = record.__dict__
        job = self._build.jobs.get(str(said.get("jobid")))
        if said.get("event") != "job_error" or job is None:
            return
        log = self._root / job.log
        # A log left by an earlier build says nothing about this job, which wrote no line yet.  Both
        # times are the file system's, whose clock may differ from this machine's on a cluster.
        begun = (time_written(log) or 0.0) >= (time_written(self._root / FILE) or 0.0)
        if begun and says_why(last_lines(log)):
            return
        with suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
            with open(log, "a" if begun else "w", encoding="utf-8") as file:
                file.write(f"{KILLED}\n")
