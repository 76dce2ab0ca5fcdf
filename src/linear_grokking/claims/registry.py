"""How claims are registered, and what they are measured from."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from linear_grokking.claims.verdict import Claim, Finding, Measurement, Source, Undecidable
from linear_grokking.config import text
from linear_grokking.figures.tables import FigureData, read_table, rows
from linear_grokking.results.reading import RunResult

Keep = Callable[[Mapping[str, Any]], bool]


class Evidence(FigureData):
    """A figure's table with the options and the runs that it was made from.

    Attributes
    ----------
    table
        The tidy table (docs/data.md).
    options
        The figure's options, under their configuration keys.
    """

    def __init__(self, root: Path, request: Mapping[str, Any], table: pd.DataFrame):
        super().__init__(root, request)
        self.options: Mapping[str, Any] = request["options"]
        self.table = table

    @classmethod
    def read(cls, root: Path, figure: str, made_of: str) -> "Evidence":
        """Read a figure's table and the request that it carries; raise what `read_table` does."""
        request, _, table = read_table(root, figure, made_of)
        return cls(root, request, table)

    @property
    def percent(self) -> str:
        """The accuracy that counts as reached, as text."""
        return text.percent(self.threshold)

    def runs(self, *roles: str, keep: Keep = lambda parameters: True) -> list[RunResult]:
        """Return the runs of one or more roles whose parameters satisfy ``keep``.

        Raises
        ------
        Undecidable
            If there is none.
        """
        found = [run for run in super().runs(*roles) if keep(run.parameters)]
        if not found:
            raise Undecidable(
                f"no run of {' or '.join(roles)} has the parameters that the claim needs"
            )
        return found

    def rows(self, panel: str, series: str | None = None) -> pd.DataFrame:
        """Return the table's rows of a panel, or of one of its series.

        Raises
        ------
        Undecidable
            If there is none.
        """
        found = rows(self.table, panel, series)
        if found.empty:
            raise Undecidable(f"panel {panel} of the table has no {series or 'rows'}")
        return found


ClaimMaker = Callable[[Evidence], Iterable[Claim]]


class Registered(NamedTuple):
    """A function that yields claims, what they state together, and who states it."""

    make: ClaimMaker
    statement: str
    source: Source


_MAKERS: dict[str, list[Registered]] = {}


def claims_of(*figures: str, statement: str, source: Source) -> Callable[[ClaimMaker], ClaimMaker]:
    """Register a function that yields claims of the given figures.

    Parameters
    ----------
    statement
        What its claims state together, in one sentence.  It stands in for claims that cannot be
        made from the configured runs.
    source
        Source of the claims that do not name their own.
    """

    def register(make: ClaimMaker) -> ClaimMaker:
        for figure in figures:
            _MAKERS.setdefault(figure, []).append(Registered(make, statement, source))
        return make

    return register


def collect(evidence: Evidence) -> Iterator[Claim]:
    """Yield the claims that are registered for a figure.

    If the configured runs lack what a claim is about (say, a value of λ was taken out of the
    grid), an undecided claim says so.  Any other exception is an error and propagates.
    """
    for maker in _MAKERS.get(evidence.figure, []):
        for claim in _made(maker, evidence):
            yield claim if claim.source else replace(claim, source=maker.source)


def _made(maker: Registered, evidence: Evidence) -> Iterator[Claim]:
    """Yield a maker's claims, and an undecided one in place of those that could not be made."""
    nothing = True
    try:
        for claim in maker.make(evidence):
            nothing = False
            yield claim
        if nothing:
            raise Undecidable("no run holds what the claim is about")
    except Undecidable as reason:
        yield Claim(
            f"{evidence.figure}-{maker.make.__name__.replace('_', '-')}",
            maker.statement,
            Finding(Measurement.unknown(0), 0.0, 0.0),
            note=f"The configured runs do not suffice: {reason}.",
        )


def registered() -> list[str]:
    """Return the figures that have claims."""
    return list(_MAKERS)


COLUMNS = (
    *("id", "figure", "states", "source", "statement", "predicted", "measured", "low", "high", "n"),
    *("verdict", "disagreement", "accepted_low", "accepted_high", "note", "run_ids"),
)
"""Columns of results/claims.csv."""


def frame(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return claims as the table that results/claims.csv holds.

    Claims with the same id on different runs (of a grid with more axes than the id names) get
    the first characters of their run IDs appended to it.

    Raises
    ------
    ValueError
        If two claims on the same runs have the same id.
    """
    counts = Counter(claim.id for claim in claims)
    lines = []
    for claim in claims:
        found, measured = claim.finding, claim.finding.measured
        run_ids = list(dict.fromkeys(run.run_id for run in measured.runs))
        distinct = [run_id[:8] for run_id in run_ids] if counts[claim.id] > 1 else []
        lines.append(
            {
                "id": "-".join([claim.id, *distinct]),
                "figure": claim.figure,
                "states": claim.source.states if claim.source else "ours",
                "source": str(claim.source or ""),
                "statement": claim.statement,
                "predicted": float(found.predicted),
                "measured": measured.value,
                "low": measured.low,
                "high": measured.high,
                "n": measured.n,
                "verdict": claim.verdict,
                "disagreement": str(claim.disagreement or ""),
                "accepted_low": float(found.lowest),
                "accepted_high": float(found.highest),
                "note": claim.note,
                "run_ids": " ".join(run_ids),
            }
        )
    table = pd.DataFrame(lines, columns=list(COLUMNS))
    repeated = sorted(table.loc[table["id"].duplicated(), "id"])
    if repeated:
        raise ValueError(f"claims must have different ids; repeated: {', '.join(repeated)}")
    return table
