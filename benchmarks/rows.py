"""A row of the table, and how its numbers are measured: alternating runs, median, min, max."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """Median, minimum and maximum of repeated measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Reduce measurements."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    work
        What is computed.
    baseline
        What it is compared with.
    measured
        A ratio, a fraction or seconds, by `unit`.
    unit
        ``"x"`` (times the speed of the baseline), ``"of limit"``, ``"s"``, …
    target
        What `measured` must reach; None where a row only informs.
    at_least
        Whether more is better.
    ours, theirs
        Seconds of this package and of the baseline.
    note
        How to read the numbers.
    """

    work: str
    baseline: str
    measured: Spread
    unit: str = "x"
    target: float | None = None
    at_least: bool = True
    ours: Spread | None = None
    theirs: Spread | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return whether the target is met by the median, or only within the spread."""
        if self.target is None:
            return ""
        best = self.measured.high if self.at_least else self.measured.low
        if self._reaches(self.measured.median):
            return "yes"
        return "within the spread" if self._reaches(best) else "no"

    def _reaches(self, value: float) -> bool:
        return value >= self.target if self.at_least else value <= self.target


@dataclass
class Timings:
    """Seconds of several pieces of work, run in turns; the rounds are paired."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def spread(self, name: str, factor: float = 1.0) -> Spread:
        """Return the seconds of one piece of work, times a factor."""
        return Spread.of([factor * value for value in self.seconds[name]])

    def ratio(self, slow: str, fast: str, factor: float = 1.0) -> Spread:
        """Return how many times faster one is than the other, round by round."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return Spread.of([factor * a / b for a, b in pairs])


def alternate(rounds: int, **work: Callable[[], object]) -> Timings:
    """Run pieces of work in turns, each once beforehand, and time them.

    Other work of the machine at the time then slows all of them alike.
    """
    for one in work.values():
        one()
    timings = Timings({name: [] for name in work})
    for _ in range(rounds):
        for name, one in work.items():
            started = time.perf_counter()
            one()
            timings.seconds[name].append(time.perf_counter() - started)
    return timings
