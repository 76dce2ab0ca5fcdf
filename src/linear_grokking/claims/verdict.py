"""What a claim is, and the one rule by which it is judged.

A claim accepts a range of values: its prediction with the tolerance that its statement
gives.  It is measured with a 95 % interval, which is a point for what is computed from
formulas alone.

- ``confirmed``: the whole interval lies within the accepted range.
- ``contradicted``: the whole interval lies outside of it, on one side.
- ``undecided``: anything else; the data are too few.

A measurement without an interval (too few realizations) has the interval of all numbers.
"""

import math
from dataclasses import dataclass, replace

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.results.reading import RunResult

CONFIRMED, CONTRADICTED, UNDECIDED = "confirmed", "contradicted", "undecided"
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED)


class Undecidable(LinearGrokkingError):
    """The configured runs do not hold what a claim is about."""


@dataclass(frozen=True)
class Measurement:
    """A number with its 95 % interval.

    Attributes
    ----------
    value, low, high
        In the unit that the claim names; inf is a value.
    n
        Realizations behind it; 0 for what is computed from formulas alone.
    runs
        Runs that it is made from.
    """

    value: float
    low: float
    high: float
    n: int
    runs: tuple[RunResult, ...] = ()

    @classmethod
    def exact(cls, value: float) -> "Measurement":
        """Return a number that comes from formulas and has no scatter."""
        return cls(float(value), float(value), float(value), 0)

    @classmethod
    def unknown(cls, n: int, *runs: RunResult, value: float = math.nan) -> "Measurement":
        """Return what realizations leave without an interval: it may be any number."""
        return cls(float(value), -math.inf, math.inf, n, runs)

    def __truediv__(self, positive: float) -> "Measurement":
        """Return the measurement in units of a positive number."""
        value, low, high = (float(each / positive) for each in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)

    def within(self, predicted: float, relative: float) -> "Finding":
        """Accept what differs from a prediction by at most a fraction.

        The range is symmetric on a logarithmic axis, so that a factor too large counts as
        much as one too small.
        """
        low, high = sorted((predicted / (1.0 + relative), predicted * (1.0 + relative)))
        return Finding(self, low, high, predicted)

    def near(self, predicted: float, absolute: float) -> "Finding":
        """Accept what differs from a prediction by at most ``absolute``."""
        return Finding(self, predicted - absolute, predicted + absolute, predicted)

    def between(self, low: float, high: float, predicted: float = math.nan) -> "Finding":
        """Accept a plain range."""
        return Finding(self, low, high, predicted)

    def at_least(self, lowest: float, predicted: float = math.nan) -> "Finding":
        """Accept all from a value on."""
        return Finding(self, lowest, math.inf, predicted)

    def at_most(self, highest: float, predicted: float = math.nan) -> "Finding":
        """Accept all up to a value."""
        return Finding(self, -math.inf, highest, predicted)


@dataclass(frozen=True)
class Finding:
    """What was measured, beside the values that agree with a statement.

    Attributes
    ----------
    lowest, highest
        The smallest and the largest of them.
    predicted
        The predicted value, nan for a plain range such as "at least 1".
    """

    measured: Measurement
    lowest: float
    highest: float
    predicted: float = math.nan

    @property
    def verdict(self) -> str:
        """The verdict by the rule in the module's docstring.

        Raises
        ------
        ValueError
            If the accepted range is empty or not a number.
        """
        if not self.lowest <= self.highest:
            raise ValueError(f"accepted = {self.lowest}, {self.highest}: must be smallest first")
        low = -math.inf if math.isnan(self.measured.low) else self.measured.low
        high = math.inf if math.isnan(self.measured.high) else self.measured.high
        if self.lowest <= low and high <= self.highest:
            return CONFIRMED
        if high < self.lowest or low > self.highest:
            return CONTRADICTED
        return UNDECIDED


@dataclass(frozen=True)
class Claim:
    """A statement that can be measured, and what was found.

    Attributes
    ----------
    id
        ``<figure>-<words>``, unique.
    statement
        One sentence; it names the tolerance.
    note
        What explains a contradiction (or a limit of a confirmation), one sentence.
    source
        Paper and equation, section or figure; empty where it is that of the claim's maker.
    """

    id: str
    statement: str
    finding: Finding
    note: str = ""
    source: str = ""

    @property
    def figure(self) -> str:
        """The figure whose table the claim is measured from."""
        return self.id.partition("-")[0]
