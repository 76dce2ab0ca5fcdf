"""The claims on all figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking import claims
from linear_grokking.workflow.made_of import write_pair


def check_claims(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Judge the claims on figures.

    Parameters
    ----------
    request
        ``tables``: the digest of each figure's table (`workflow.made_of`).
    outputs
        The claims as CSV, rounded to the digits that a reader compares, and as Parquet.
    """
    judged = claims.judged(request["tables"], root)
    write_pair(judged, outputs, "check_claims", request, float_format="%.6g")
