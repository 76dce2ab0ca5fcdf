"""The claims on all figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking import claims
from linear_grokking.results.identity import canonical
from linear_grokking.results.storage import write_frame
from linear_grokking.runtime.files import whole_file
from linear_grokking.workflow.made_of import record


def check_claims(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Judge the claims on figures.

    Parameters
    ----------
    request
        ``tables``: the figures, and what the table of each is made of.
    outputs
        The claims as CSV, with the digits that a reader compares, and as Parquet.
    """
    judged = claims.judged(request["tables"], root)
    csv, parquet = outputs
    with whole_file(csv) as temporary:
        judged.to_csv(temporary, index=False, float_format="%.6g")
    made = record("check_claims", request)
    write_frame(judged, parquet, spec=canonical(request), provenance=made)
