"""A figure's table for a spreadsheet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.results.storage import read_table
from linear_grokking.runtime.files import whole_file


def export_csv(request: Mapping[str, Any], outputs: Sequence[Path]) -> None:
    """Write a ``table`` as CSV: what is null is empty, numbers keep all their digits."""
    (output,) = outputs
    with whole_file(output) as temporary:
        read_table(Path(request["table"])).to_pandas().to_csv(temporary, index=False)
