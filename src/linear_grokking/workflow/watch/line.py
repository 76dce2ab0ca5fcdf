"""The line about the whole build that stands beside Snakemake's own count."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from linear_grokking.workflow.watch.build import Build
from linear_grokking.workflow.watch.pace import pace


class BuildLine(logging.Handler):
    """Hears Snakemake's messages, and after each of its counts says where the build stands.

    It is added to Snakemake's logger, and writes to a terminal alone: log files stay as they are.

    Parameters
    ----------
    build
        What is to be done.
    stream
        Where the line goes.
    clock
        Seconds that pass.
    """

    def __init__(self, build: Build, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._build = build
        self._stream = stream
        self._clock = clock
        self._started: dict[str, float] = {}
        self._taken: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take notice of a job's start and end; write the line where there was a count."""
        said, now = record.__dict__, self._clock()
        match said.get("event"):
            case "job_info":
                self._started[str(said["jobid"])] = now
            case "job_error":
                self._started.pop(str(said["jobid"]), None)
            case "job_finished":
                number = str(said["job_id"])
                if number in self._build.jobs:
                    self._taken[number] = now - self._started.pop(number, now)
            case "progress":
                ages = {number: now - begun for number, begun in self._started.items()}
                with suppress(OSError):
                    self._stream.write(f"{pace(self._build, self._taken, ages)}\n")
                    self._stream.flush()
