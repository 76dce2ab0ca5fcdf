"""What a claim is, and the one rule by which it is judged.

A claim accepts a range of values: its prediction with the tolerance that its statement
gives.  It is measured with a 95 % interval, which is a point for what is computed from
formulas alone.

- ``confirmed``: the whole interval lies within the accepted range.
- ``contradicted``: the whole interval lies outside the accepted range, on one side, at
  parameters for which the source makes the statement.
- ``outside its range``: the interval lies outside likewise, but at parameters for which the
  source does not promise the statement: the source gives a limit (ε → 0, d_in → ∞) or a
  condition, and the claim asks how far from it the statement still holds.  Such a claim is
  marked before it is measured, and names the limit.
- ``undecided``: anything else; the data are too few.

A measurement without an interval (too few realizations) counts as one whose interval holds all
numbers.

A statement about each of several numbers, such as every draw or every grid point, is confirmed if
it is confirmed for each.  One contradicted number contradicts it; failing that, one undecided
number leaves it undecided.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.results.reading import RunResult

CONFIRMED, CONTRADICTED, UNDECIDED = "confirmed", "contradicted", "undecided"
OUTSIDE = "outside its range"
VERDICTS = (CONFIRMED, OUTSIDE, CONTRADICTED, UNDECIDED)


class Disagreement(StrEnum):
    """Kinds of disagreement between a measurement and a statement, in the report's order."""

    ERRATUM = "erratum"
    """The source is wrong where it makes the statement."""
    NOTATION = "ambiguous notation"
    """The claim takes one reading of the source's symbols, or of its words without a number."""
    RANGE = "limit of validity"
    """The source gives a limit or a condition that these parameters do not meet."""
    SIZE = "finite size"
    """The same, where the limit is that of large sets."""
    CONJECTURE = "rejected conjecture"
    """The statement is this project's own, and wrong."""


@dataclass(frozen=True)
class Source:
    """Where a statement is made.

    Attributes
    ----------
    states
        Who makes it: ``A``, ``B`` (the papers), or ``ours``.
    where
        Sections, equations and figures of the paper; for ours, what the statement builds on.
    """

    states: str
    where: str = ""

    def __str__(self) -> str:
        if self.states == "ours":
            return f"ours ({self.where})" if self.where else "ours"
        return f"Paper {self.states}, {self.where}"


def paper_a(where: str) -> Source:
    """Return a place in Paper A."""
    return Source("A", where)


def paper_b(where: str) -> Source:
    """Return a place in Paper B: v1 is arXiv's first version, v2 the second, as in ICML."""
    return Source("B", where)


def ours(where: str = "") -> Source:
    """Return this project as the source, with what the statement builds on."""
    return Source("ours", where)


class Undecidable(LinearGrokkingError):
    """The configured runs do not hold what a claim is about."""


@dataclass(frozen=True)
class Measurement:
    """A number with its 95 % interval.

    Attributes
    ----------
    value, low, high
        In the unit that the claim names; may be inf.
    n
        Realizations behind it; 0 for what is computed from formulas alone.
    runs
        Runs that it is made from.
    each
        If the statement is about each of several numbers, their measurements, which are judged
        in its place; ``low`` and ``high`` then enclose all their intervals.
    """

    value: float
    low: float
    high: float
    n: int
    runs: tuple[RunResult, ...] = ()
    each: tuple["Measurement", ...] = ()

    @property
    def interval(self) -> tuple[float, float]:
        """``low`` and ``high``, infinite where they are not known."""
        low = -math.inf if math.isnan(self.low) else self.low
        return low, math.inf if math.isnan(self.high) else self.high

    @classmethod
    def exact(cls, value: float) -> "Measurement":
        """Return a number that comes from formulas and has no scatter."""
        return cls(float(value), float(value), float(value), 0)

    @classmethod
    def unknown(cls, n: int, *runs: RunResult, value: float = math.nan) -> "Measurement":
        """Return a measurement without an interval: the quantity may be any number."""
        return cls(float(value), -math.inf, math.inf, n, runs)

    def __truediv__(self, positive: float) -> "Measurement":
        """Return the measurement in units of a positive number."""
        value, low, high = (float(each / positive) for each in (self.value, self.low, self.high))
        parts = tuple(part / positive for part in self.each)
        return replace(self, value=value, low=low, high=high, each=parts)

    def within(self, predicted: float, relative: float) -> "Finding":
        """Accept values that differ from a prediction by at most a fraction.

        The range is symmetric on a logarithmic axis, so that a factor too large counts as
        much as one too small.
        """
        low, high = sorted((predicted / (1.0 + relative), predicted * (1.0 + relative)))
        return Finding(self, low, high, predicted)

    def near(self, predicted: float, absolute: float) -> "Finding":
        """Accept values that differ from a prediction by at most ``absolute``."""
        return Finding(self, predicted - absolute, predicted + absolute, predicted)

    def between(self, low: float, high: float, predicted: float = math.nan) -> "Finding":
        """Accept the values from ``low`` to ``high``."""
        return Finding(self, low, high, predicted)

    def at_least(self, lowest: float, predicted: float = math.nan) -> "Finding":
        """Accept all values from ``lowest`` on."""
        return Finding(self, lowest, math.inf, predicted)

    def at_most(self, highest: float, predicted: float = math.nan) -> "Finding":
        """Accept all values up to ``highest``."""
        return Finding(self, -math.inf, highest, predicted)


@dataclass(frozen=True)
class Finding:
    """What was measured, and the range of values that agree with a statement.

    Attributes
    ----------
    lowest, highest
        Ends of the accepted range.
    predicted
        The predicted value, nan for a plain range such as "at least 1".

    Raises
    ------
    Undecidable
        If an end is not a number, as where a prediction is the ratio of two infinite times.
    """

    measured: Measurement
    lowest: float
    highest: float
    predicted: float = math.nan

    def __post_init__(self) -> None:
        if math.isnan(self.lowest) or math.isnan(self.highest):
            raise Undecidable("no number is predicted for these runs")

    @property
    def verdict(self) -> str:
        """The verdict by the rule in the module's docstring, regardless of the source's range.

        Raises
        ------
        ValueError
            If the accepted range is empty.
        """
        if not self.lowest <= self.highest:
            raise ValueError(f"accepted = {self.lowest}, {self.highest}: must be smallest first")
        found = {self._of(part) for part in self.measured.each or (self.measured,)}
        for verdict in (CONTRADICTED, UNDECIDED):
            if verdict in found:
                return verdict
        return CONFIRMED

    def _of(self, measured: Measurement) -> str:
        low, high = measured.interval
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
        One sentence that explains a disagreement, or limits a confirmation.
    source
        Who states it, and where; None stands for the source given to `registry.claims_of`.
    otherwise
        Kind of disagreement if the measurement does not agree.  None stands for an erratum of a
        paper, or a rejected conjecture of ours.
    """

    id: str
    statement: str
    finding: Finding
    note: str = ""
    source: Source | None = None
    otherwise: Disagreement | None = None

    @property
    def figure(self) -> str:
        """The figure whose table the claim is measured from."""
        return self.id.partition("-")[0]

    @property
    def verdict(self) -> str:
        """The verdict by the rule in the module's docstring."""
        found = self.finding.verdict
        outside = self.otherwise in (Disagreement.RANGE, Disagreement.SIZE)
        return OUTSIDE if found == CONTRADICTED and outside else found

    @property
    def disagreement(self) -> Disagreement | None:
        """What kind of disagreement was found, if one was."""
        if self.verdict not in (CONTRADICTED, OUTSIDE):
            return None
        ours = self.source is None or self.source.states == "ours"
        return self.otherwise or (Disagreement.CONJECTURE if ours else Disagreement.ERRATUM)
