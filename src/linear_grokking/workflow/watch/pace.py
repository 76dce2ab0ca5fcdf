"""How much of a build's work is done, and the time that is left.

The cost model knows a job within a factor of two.  What jobs took beside what was expected of
them, on this machine and in this build, corrects that as they end.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from linear_grokking.workflow.watch.build import Build

_PRIOR_SECONDS = 60.0
"""Work for which the cost model counts as right, before anything was measured."""
_SOON = 300.0
"""Seconds below which nobody asks for the time of day."""
_LATE = 0.1
"""A job that should be over is expected to take this share of its age longer."""


@dataclass(frozen=True)
class Pace:
    """Where a build stands.

    Attributes
    ----------
    share
        Of the expected work, what is done, parts of jobs included.
    seconds_left
        Until all is done, as far as can be told.
    """

    share: float
    seconds_left: float

    def __str__(self) -> str:
        """Say it in a few words."""
        words = f"{self.share:.0%} of the work done"
        if self.share == 1.0:
            return words
        words += f", {duration(self.seconds_left)} left"
        if self.seconds_left < _SOON:
            return words
        end = datetime.now() + timedelta(seconds=self.seconds_left)
        day = "%H:%M" if self.seconds_left < 12 * 3600 else "%a %d %b, %H:%M"
        return f"{words}, until about {end:{day}}"


def pace(
    build: Build,
    taken: Mapping[str, float],
    ages: Mapping[str, float],
    own: Mapping[str, float] | None = None,
) -> Pace:
    """Return where a build stands.

    Jobs run side by side, as many as there are cores, or GPUs for those that hold one; the
    longest job that is left takes its time however many there are.

    Parameters
    ----------
    taken
        Seconds that the jobs took that are done; nan where that is not known.
    ages
        Seconds since those started that run.
    own
        Seconds that jobs that run say themselves they need.
    """
    known = {number: each for number, each in taken.items() if not math.isnan(each)}
    spent = sum(seconds * build.jobs[number].threads for number, seconds in known.items())
    expected = sum(build.jobs[number].seconds for number in known)
    slower = (_PRIOR_SECONDS + spent) / (_PRIOR_SECONDS + expected)
    done, left, longest = 0.0, {True: 0.0, False: 0.0}, 0.0
    for number, job in build.jobs.items():
        if number in taken:
            done += job.seconds
            continue
        wall = slower * job.seconds / job.threads
        if number in ages:
            age = ages[number]
            wall = own[number] if own and number in own else max(wall - age, _LATE * age)
            done += job.seconds * age / (age + wall) if age else 0.0
        left[job.gpu] += wall * job.threads
        longest = max(longest, wall)
    whole = sum(job.seconds for job in build.jobs.values())
    # Rounding may not say that all is done.
    share = 1.0 if len(taken) == len(build.jobs) else min(done / whole, 0.99)
    on_cores, on_gpus = left[False] / max(build.cores, 1), left[True] / max(build.gpus, 1)
    return Pace(share, max(on_cores, on_gpus, longest))


def duration(seconds: float) -> str:
    """Write a span of time as people say it: 50 s, 12 min, 3 h 10 min, 2 d 4 h."""
    # What the unit below would write as a whole one ("60 s") is one; it rounds to the last number.
    for size, unit, part, smaller, rounding in (
        (86400, "d", 3600, "h", 60),
        (3600, "h", 60, "min", 60),
        (60, "min", 60, "", 1),
    ):
        if round(seconds / rounding) * rounding >= size:
            whole, rest = divmod(round(seconds / part) * part, size)
            return f"{whole} {unit}" + (f" {rest // part} {smaller}" if rest >= part else "")
    return f"{seconds:.0f} s"
