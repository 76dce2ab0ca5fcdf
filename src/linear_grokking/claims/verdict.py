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
from collections.abc import Sequence
from dataclasses import dataclass, field

CONFIRMED, CONTRADICTED, UNDECIDED = "confirmed", "contradicted", "undecided"
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED)


@dataclass(frozen=True)
class Measurement:
    """A number with its 95 % interval.

    Attributes
    ----------
    value, low, high
        In the unit that the claim names; inf is a value.
    n
        Realizations behind it; 0 for what is computed from formulas alone.
    """

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def exact(cls, value: float) -> "Measurement":
        """Return a number that comes from formulas and has no scatter."""
        return cls(float(value), float(value), float(value), 0)


@dataclass(frozen=True)
class Claim:
    """A statement that can be measured, and what was measured.

    Attributes
    ----------
    id
        ``<figure>-<words>``, unique.
    source
        Paper and equation, section or figure.
    statement
        One sentence; it names the tolerance.
    predicted
        The predicted value, nan for a plain range such as "at least 1".
    accepted
        Smallest and largest value that agree with the statement.
    note
        What explains a contradiction (or a limit of a confirmation), one sentence.
    run_ids
        Runs that the measurement is made from.
    """

    id: str
    figure: str
    source: str
    statement: str
    predicted: float
    accepted: tuple[float, float]
    measured: Measurement
    note: str = ""
    run_ids: Sequence[str] = field(default=())

    @property
    def verdict(self) -> str:
        """The verdict by the rule in the module's docstring."""
        return verdict(self.accepted, self.measured)


def verdict(accepted: tuple[float, float], measured: Measurement) -> str:
    """Judge a measurement by the rule in the module's docstring.

    Raises
    ------
    ValueError
        If an accepted range is empty or not a number.
    """
    lowest, highest = accepted
    if math.isnan(lowest) or math.isnan(highest) or lowest > highest:
        raise ValueError(f"accepted = {accepted}: must be a range, smallest first")
    low = -math.inf if math.isnan(measured.low) else measured.low
    high = math.inf if math.isnan(measured.high) else measured.high
    if lowest <= low and high <= highest:
        return CONFIRMED
    if high < lowest or low > highest:
        return CONTRADICTED
    return UNDECIDED


def within(predicted: float, relative: float) -> tuple[float, float]:
    """Return the range of predictions that differ by at most a fraction.

    The range is symmetric on a logarithmic axis, so that a factor too large counts as much
    as one too small.
    """
    edges = (predicted / (1.0 + relative), predicted * (1.0 + relative))
    return min(edges), max(edges)


def near(predicted: float, absolute: float) -> tuple[float, float]:
    """Return the range of predictions that differ by at most ``absolute``."""
    return predicted - absolute, predicted + absolute


def at_least(lowest: float) -> tuple[float, float]:
    """Return the range from a value on."""
    return lowest, math.inf


def at_most(highest: float) -> tuple[float, float]:
    """Return the range up to a value."""
    return -math.inf, highest
