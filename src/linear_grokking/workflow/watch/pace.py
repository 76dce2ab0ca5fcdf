"""How much of a build's work is done, and how much time is left.

The cost model predicts the time of a job within a factor of two.  As jobs end, their measured times
on this machine and in this build correct the expectation for the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from linear_grokking.workflow.watch.build import Build

_PRIOR_SECONDS = 60.0
"""Weight of the cost model against measured times, as seconds of work that it predicted right."""
_SOON = 300.0
"""If fewer seconds are left, the time of day of the end is not shown."""
_LATE = 0.1
"""A job that is overdue is expected to take longer by this share of its age."""


@dataclass(frozen=True)
class Pace:
    """The progress of a build.

    Attributes
    ----------
    share
        Share of the expected work that is done, including parts of jobs.
    seconds_left
        Estimated time until everything is done.
    """

    share: float
    seconds_left: float

    def __str__(self) -> str:
        """Describe it in a few words."""
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
    """Return the progress of a build.

    As many jobs run at a time as there are cores, or GPUs for jobs that hold one.  The build takes
    at least as long as the longest job that is left.

    Parameters
    ----------
    taken
        Seconds that each finished job took; nan if unknown.
    ages
        Seconds since each running job started.
    own
        Seconds that running jobs still need by their own estimate.
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
    # Rounding must not make it look as if everything were done.
    share = 1.0 if len(taken) == len(build.jobs) else min(done / whole, 0.99)
    on_cores, on_gpus = left[False] / max(build.cores, 1), left[True] / max(build.gpus, 1)
    return Pace(share, max(on_cores, on_gpus, longest))


def duration(seconds: float) -> str:
    """Write a duration for people: 50 s, 12 min, 3 h 10 min, 2 d 4 h."""
    # A duration that the smaller unit would round to a full larger one ("60 s") is written in the
    # larger unit.  Each duration is rounded to its last unit.
    for size, unit, part, smaller, rounding in (
        (86400, "d", 3600, "h", 60),
        (3600, "h", 60, "min", 60),
        (60, "min", 60, "", 1),
    ):
        if round(seconds / rounding) * rounding >= size:
            whole, rest = divmod(round(seconds / part) * part, size)
            return f"{whole} {unit}" + (f" {rest // part} {smaller}" if rest >= part else "")
    return f"{seconds:.0f} s"
