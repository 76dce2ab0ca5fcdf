"""The report, one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.report.page import write_page


def write_report(request: Mapping[str, Any], outputs: Sequence[Path], root: Path = Path()) -> None:
    """Write the page, from ``tables``, ``claims`` and ``manifest``."""
    (output,) = outputs
    tables = [Path(table) for table in request["tables"]]
    write_page(tables, Path(request["claims"]), Path(request["manifest"]), output, root)
