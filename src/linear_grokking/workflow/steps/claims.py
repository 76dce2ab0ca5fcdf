"""The claims on all figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking import claims


def check_claims(request: Mapping[str, Any], outputs: Sequence[Path], root: Path = Path()) -> None:
    """Judge the claims on the figures whose ``tables`` are given."""
    (output,) = outputs
    claims.write([Path(table) for table in request["tables"]], root, output)
