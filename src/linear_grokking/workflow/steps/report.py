"""The report, one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.report.page import write_page
from linear_grokking.workflow.made_of import made_of


def write_report(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Write the page.

    Parameters
    ----------
    request
        See `report.page.write_page`.
    """
    (output,) = outputs
    write_page(request, output, root, made_of("report", request))
