"""The line about the whole build that follows Snakemake's own count of jobs."""

import logging
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from linear_grokking.workflow.watch.build import NoBuildError
from linear_grokking.workflow.watch.look import SECONDS_BETWEEN_LOOKS, Watch


class BuildLine(logging.Handler):
    """Listens to Snakemake's messages and reports the build's progress after each job count.

    It is added to Snakemake's logger as a handler and writes only to a terminal, so that log files
    stay as they are.  The progress is the one that `watch` sees, because Snakemake knows when a job
    was submitted to a cluster but not when it began.

    Parameters
    ----------
    root
        Folder of the build, which has been recorded (`Build.write`).
    stream
        Where the line goes.
    """

    def __init__(self, root: Path, stream: TextIO):
        super().__init__()
        self._watch = Watch(root)
        self._stream = stream
        self._due = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line after a count; look again only after a while, or at the last count."""
        said = record.__dict__
        if said.get("event") != "progress":
            return
        with suppress(OSError, NoBuildError):
            if time.monotonic() >= self._due or said["done"] == said["total"]:
                self._pace = self._watch.look().pace
                self._due = time.monotonic() + SECONDS_BETWEEN_LOOKS
            self._stream.write(f"{self._pace}\n")
            self._stream.flush()
