"""Statements of the two papers, and those derived here, as numerical checks.

Each claim is made by a small function that is registered for a figure.  It reads the figure's
table and, where needed, the runs behind it; `verdict` holds the rule by which all are judged.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from linear_grokking.claims import (
    adam,
    adam_limit,
    conformal_time,
    delays,
    ends,
    facets,
    large_rates,
    large_sets,
    linear_beginnings,
    linear_curves,
    linear_late_time,
    linear_maps,
    linear_optimizers,
    linear_scatter,
    linear_structured,
    linear_times,
    linear_weight_decay,
    logistic_weight_decay,
    modular,
    separability,
    two_layer,
    two_point,
    universality,
    variations,
)
from linear_grokking.claims.registry import COLUMNS, Evidence, collect, frame
from linear_grokking.claims.verdict import VERDICTS, Claim

__all__ = ["COLUMNS", "VERDICTS", "Claim", "Evidence", "judged"]

MODULES = (
    *(linear_curves, linear_times, linear_late_time, linear_weight_decay, linear_maps),
    *(linear_optimizers, linear_scatter, linear_structured, linear_beginnings, two_layer),
    *(ends, delays, adam, adam_limit, variations, conformal_time, separability, facets, two_point),
    *(logistic_weight_decay, large_rates, large_sets, universality, modular),
)
"""Importing them registers their claims; a new module is added here."""


def judged(tables: Mapping[str, str], root: Path) -> pd.DataFrame:
    """Return the judged claims of the given figures, in their order (columns `COLUMNS`).

    Parameters
    ----------
    tables
        By figure ID, the digest of what the figure's table must be made of.
    root
        Folder that holds results/ and figures/.
    """
    evidence = (Evidence.read(root, figure, digest) for figure, digest in tables.items())
    return frame([claim for each in evidence for claim in collect(each)])
