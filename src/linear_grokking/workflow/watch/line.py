"""The line about the whole build that stands beside Snakemake's own count."""

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from linear_grokking.workflow.watch.build import NoBuildError
from linear_grokking.workflow.watch.look import SECONDS_BETWEEN_LOOKS, Watch


class BuildLine(logging.Handler):
    """Hears Snakemake's messages, and after each of its counts says where the build stands.

    It is added to Snakemake's logger, and writes to a terminal alone: log files stay as they are.
    Where the build stands is what `watch` sees: Snakemake tells when a job was handed to a
    cluster, not when it began.

    Parameters
    ----------
    root
        Folder of the build, which was noted (`Build.write`).
    stream
        Where the line goes.
    clock
        Seconds that pass.
    """

    def __init__(self, root: Path, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._watch = Watch(root)
        self._stream = stream
        self._clock = clock
        self._due = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line where there was a count; look for the last one, and not all too often."""
        said = record.__dict__
        if said.get("event") != "progress":
            return
        with suppress(OSError, NoBuildError):
            if self._clock() >= self._due or said["done"] == said["total"]:
                self._pace = self._watch.look().pace
                self._due = self._clock() + SECONDS_BETWEEN_LOOKS
            self._stream.write(f"{self._pace}\n")
            self._stream.flush()
