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
        self._grouped: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Write `KILLED` if a job or a group of jobs failed and no log says why."""
        said = record.__dict__
        failed: list[int] = []
        if said.get("event") == "group_error":
            failed = [each["jobid"] for each in said["job_error_info"]]
            self._grouped.update(failed)  # Snakemake reports each of them once more
        elif said.get("event") == "job_error" and said["jobid"] not in self._grouped:
            failed = [said["jobid"]]
        jobs = self._build.jobs
        logs = [self._root / jobs[str(number)].log for number in failed if str(number) in jobs]
        # A log left by an earlier build says nothing about its job, which wrote no line yet.  Both
        # times are the file system's, whose clock may differ from this machine's on a cluster.
        start = time_written(self._root / FILE) or 0.0
        begun = [log for log in logs if (time_written(log) or 0.0) >= start]
        if any(says_why(last_lines(log)) for log in begun):
            return
        # The jobs of a group take turns: only if none has begun, those that have not are to blame.
        for log in begun or logs:
            with suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
                with open(log, "a" if begun else "w", encoding="utf-8") as file:
                    file.write(f"{KILLED}\n")
