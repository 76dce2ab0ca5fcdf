"""Look at a build from outside: its files show which jobs are done, running or failed.

It does not ask Snakemake or a cluster, and writes nothing.
"""

import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from linear_grokking.runtime.progress import Progress, read_line
from linear_grokking.workflow.plan.stale import is_locked
from linear_grokking.workflow.watch import build as builds
from linear_grokking.workflow.watch.build import Job
from linear_grokking.workflow.watch.logs import last_lines, says_why, time_written
from linear_grokking.workflow.watch.pace import Pace, pace

SECONDS_BETWEEN_LOOKS = 5.0
"""A look at thousands of jobs takes long if their files are on a remote file system."""


class State(StrEnum):
    """The state of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Seen:
    """A job as it was seen.

    Attributes
    ----------
    job, state
        The job and its state.
    line
        The last line of its log; empty if there is none.
    silent
        Seconds since that line was written.
    progress
        How far it is, if its log says so.
    """

    job: Job
    state: State
    line: str = ""
    silent: float = 0.0
    progress: Progress | None = None

    @property
    def age(self) -> float:
        """Seconds since the job began to report progress, as far as its log tells."""
        return (self.progress.elapsed if self.progress else 0.0) + self.silent

    @property
    def left(self) -> float | None:
        """Seconds that the job still needs by its own estimate."""
        if self.progress is None or self.progress.left is None:
            return None
        return max(self.progress.left - self.silent, 0.0)


@dataclass(frozen=True)
class Sight:
    """A build as it was seen.

    Attributes
    ----------
    started
        When Snakemake began, as a time stamp.
    at_work
        Whether Snakemake holds its lock: it still works, or it was killed.
    seen
        The jobs that have begun and are not done, by their numbers.
    counts
        How many jobs there are in each state.
    pace
        The build's progress and the time left.
    """

    started: float
    at_work: bool
    seen: dict[str, Seen]
    counts: dict[State, int]
    pace: Pace

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return not self.at_work or self.counts[State.DONE] == sum(self.counts.values())


class Watch:
    """Looks at the latest build of a folder, once per call of `look`.

    Parameters
    ----------
    root
        Folder that holds results/ and logs/.
    """

    def __init__(self, root: Path):
        self._root = root
        self._started = -1.0
        self._taken: dict[str, float] = {}

    def look(self) -> Sight:
        """Look once.

        Raises
        ------
        NoBuildError
            If no build was started in the folder.
        """
        # A Snakemake that was started again has recorded a new build.
        started = time_written(self._root / builds.FILE)
        if started is None or started != self._started:
            self._build = builds.read(self._root)
            self._started = started or 0.0
            self._taken = {}
        # Checked before the jobs, so that a job that ends meanwhile is not taken for abandoned.
        at_work = is_locked(self._root)
        seen = {}
        for number, job in self._build.jobs.items():
            if number in self._taken:
                continue
            found = self._judge(job, at_work=at_work)
            if found.state == State.DONE:
                self._taken[number] = found.progress.elapsed if found.progress else float("nan")
            elif found.state != State.WAITING:
                seen[number] = found
        counts = dict.fromkeys(State, 0) | Counter(each.state for each in seen.values())
        counts[State.DONE] = len(self._taken)
        counts[State.WAITING] = len(self._build.jobs) - sum(counts.values())
        running = {k: each for k, each in seen.items() if each.state == State.RUNNING}
        ages = {number: each.age for number, each in running.items()}
        own = {number: each.left for number, each in running.items() if each.left is not None}
        where = pace(self._build, self._taken, ages, own)
        return Sight(self._started, at_work, seen, counts, where)

    def _judge(self, job: Job, *, at_work: bool) -> Seen:
        log = self._root / job.log
        last = time_written(log)
        # An older log is from an earlier build.
        if last is None or last < self._started:
            return Seen(job, State.WAITING)
        made = [time_written(self._root / name) for name in job.outputs]
        done = all(time is not None and time >= self._started for time in made)
        lines = last_lines(log)
        line = lines[-1] if lines else ""
        told = next(filter(None, map(read_line, reversed(lines))), None)
        silent = max(time.time() - last, 0.0)
        if done:
            state = State.DONE
        elif says_why(lines) or not at_work:
            state = State.FAILED
        else:
            state = State.RUNNING
        return Seen(job, state, line, silent, told)
