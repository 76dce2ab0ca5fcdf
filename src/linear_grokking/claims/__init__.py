"""What the two papers state (and what is derived here), as checks with numbers.

A claim is made by a small function that is registered for a figure and reads the figure's
table, and where needed the runs behind it; `verdict` holds the one rule.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from linear_grokking.claims import (
    classification,
    linear,
    linear_maps,
    separability,
    two_layer,
    two_point,
)
from linear_grokking.claims.registry import COLUMNS, Evidence, collect, frame
from linear_grokking.claims.verdict import VERDICTS, Claim, verdict
from linear_grokking.storage import whole_file

__all__ = ["COLUMNS", "VERDICTS", "Claim", "Evidence", "check", "verdict", "write"]

MODULES = (linear, linear_maps, two_layer, classification, separability, two_point)
"""Importing them registers their claims; a new module is added here."""


def check(tables: Iterable[Path], root: Path) -> pd.DataFrame:
    """Return all claims on the figures whose tables are given, in their order."""
    claims = [claim for path in tables for claim in collect(Evidence.read(path, root))]
    return frame(claims)


def write(tables: Iterable[Path], root: Path, output: Path) -> None:
    """Write the claims on the figures whose tables are given as CSV."""
    claims = check(tables, root)
    with whole_file(output) as temporary:
        claims.to_csv(temporary, index=False)
