"""The table "Does X help?", from the claims."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.figures import style
from linear_grokking.report import does_x_help
from linear_grokking.results.places import CLAIMS
from linear_grokking.results.storage import read_table
from linear_grokking.workflow.made_of import stamp, write_pair


def typeset(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Write the table, and typeset it.

    Parameters
    ----------
    request
        The digest of the ``claims`` (`workflow.made_of`).
    outputs
        The pictures, followed by the table as CSV and as Parquet.
    """
    judged = read_table(root / CLAIMS[-1], made_of=request["claims"])
    table = does_x_help.table(judged.to_pandas())
    *pictures, csv, parquet = outputs
    write_pair(table, (csv, parquet), "X1", request)
    made = stamp("X1", request)
    with style.sheet():
        figure = does_x_help.draw(table)
        for picture in pictures:
            style.save(figure, picture, **made)
