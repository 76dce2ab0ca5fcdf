"""What the two papers state (and what is derived here), as checks with numbers.

A claim is made by a small function that is registered for a figure and reads the figure's
table, and where needed the runs behind it; `verdict` holds the one rule.
"""

from collections.abc import Iterable
from pathlib import Path

from linear_grokking.claims import (
    classification,
    linear,
    linear_maps,
    separability,
    two_layer,
    two_point,
)
from linear_grokking.claims.registry import COLUMNS, Evidence, collect, frame
from linear_grokking.claims.verdict import VERDICTS, Claim
from linear_grokking.runtime.files import whole_file

__all__ = ["COLUMNS", "VERDICTS", "Claim", "Evidence", "write"]

MODULES = (linear, linear_maps, two_layer, classification, separability, two_point)
"""Importing them registers their claims; a new module is added here."""


def write(tables: Iterable[Path], root: Path, output: Path) -> None:
    """Write the claims on the figures whose tables are given, in their order, as CSV."""
    claims = [claim for path in tables for claim in collect(Evidence.read(path, root))]
    with whole_file(output) as temporary:
        # With the digits that a reader compares.
        frame(claims).to_csv(temporary, index=False, float_format="%.6g")
