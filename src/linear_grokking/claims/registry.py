"""How claims are registered, and what they are measured from."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from linear_grokking.claims.verdict import Claim, Measurement
from linear_grokking.figures.tables import FigureData, RunResult
from linear_grokking.storage import read_metadata, read_table


@dataclass(frozen=True)
class Evidence:
    """A figure's table with the options and the runs that it was made from.

    Attributes
    ----------
    figure
        The figure's ID.
    table
        The tidy table (docs/data.md).
    request
        What the table was made from: ``options``, ``threshold``, and ``runs`` by role.
    root
        Folder that holds results/.
    """

    figure: str
    table: pd.DataFrame
    request: dict[str, Any]
    root: Path

    @classmethod
    def read(cls, path: Path, root: Path) -> "Evidence":
        """Read a figure's table and the request that it carries."""
        spec, _ = read_metadata(path)
        return cls(spec["figure"], read_table(path).to_pandas(), spec, root)

    @property
    def options(self) -> dict[str, Any]:
        """The figure's options, under their configuration keys."""
        return self.request["options"]

    @property
    def threshold(self) -> float:
        """The accuracy that counts as reached."""
        return float(self.request["threshold"])

    def runs(self, *roles: str) -> list[RunResult]:
        """Return the runs of one or more roles."""
        data = FigureData(self.root, self.request)
        return [run for role in roles for run in data.runs(role)]

    def rows(self, panel: str, series: str | None = None, source: str | None = None, **parameters):
        """Return the rows of a panel; parameters under configuration keys, λ as ``lambda_``."""
        rows = self.table[self.table["panel"] == panel]
        if series is not None:
            rows = rows[rows["series"] == series]
        if source is not None:
            rows = rows[rows["source"] == source]
        for key, value in parameters.items():
            rows = rows[rows[key.removesuffix("_")] == value]
        return rows


ClaimMaker = Callable[[Evidence], Iterable[Claim]]
_MAKERS: dict[str, list[ClaimMaker]] = {}


def claims_of(*figures: str) -> Callable[[ClaimMaker], ClaimMaker]:
    """Register a function that yields claims of the given figures."""

    def register(maker: ClaimMaker) -> ClaimMaker:
        for figure in figures:
            _MAKERS.setdefault(figure, []).append(maker)
        return maker

    return register


def collect(evidence: Evidence) -> Iterator[Claim]:
    """Yield the claims that are registered for a figure.

    Where the configured runs do not hold what a claim is about (a value of λ was taken out
    of the grid), an undecided claim says so.
    """
    for maker in _MAKERS.get(evidence.figure, []):
        try:
            yield from maker(evidence)
        except (ValueError, LookupError, ArithmeticError) as error:
            yield _undecidable(evidence.figure, maker, error)


def _undecidable(figure: str, maker: ClaimMaker, error: Exception) -> Claim:
    """Return the claim that stands for those that could not be made."""
    name = maker.__name__.replace("_", "-")
    return Claim(
        f"{figure}-{name}",
        figure,
        "",
        (maker.__doc__ or name).partition("\n")[0],
        math.nan,
        (0.0, 0.0),
        Measurement(math.nan, -math.inf, math.inf, 0),
        note=f"The configured runs do not suffice: {error}.",
    )


def registered() -> list[str]:
    """Return the figures that have claims."""
    return list(_MAKERS)


COLUMNS = (
    *("id", "figure", "source", "statement", "predicted", "measured", "low", "high", "n"),
    *("verdict", "accepted_low", "accepted_high", "note", "run_ids"),
)
"""Columns of results/claims.csv."""


def frame(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return claims as the table that results/claims.csv holds.

    Claims of one id on different runs (of a grid with more axes than the claim names) get
    the beginning of their run's identity behind it.

    Raises
    ------
    ValueError
        If two claims on the same runs have one id.
    """
    counts = Counter(claim.id for claim in claims)
    rows = [
        {
            "id": _distinct_id(claim) if counts[claim.id] > 1 else claim.id,
            "figure": claim.figure,
            "source": claim.source,
            "statement": claim.statement,
            "predicted": _number(claim.predicted),
            "measured": _number(claim.measured.value),
            "low": _number(claim.measured.low),
            "high": _number(claim.measured.high),
            "n": claim.measured.n,
            "verdict": claim.verdict,
            "accepted_low": _number(claim.accepted[0]),
            "accepted_high": _number(claim.accepted[1]),
            "note": claim.note,
            "run_ids": " ".join(dict.fromkeys(claim.run_ids)),
        }
        for claim in claims
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    repeated = sorted(table.loc[table["id"].duplicated(), "id"])
    if repeated:
        raise ValueError(f"claims must have different ids; repeated: {json.dumps(repeated)}")
    return table


def _distinct_id(claim: Claim) -> str:
    return "-".join([claim.id, *(run_id[:8] for run_id in claim.run_ids)])


def _number(value: float) -> float:
    """Round to the digits that a reader compares."""
    return float(f"{value:.6g}") if math.isfinite(value) else float(value)
