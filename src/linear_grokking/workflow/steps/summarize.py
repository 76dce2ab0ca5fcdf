"""A run reduced over its realizations."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.results.blocks import read_columns
from linear_grokking.results.storage import write_columns
from linear_grokking.results.summaries import scalars_of, summary_of
from linear_grokking.workflow.made_of import stamp


def summarize_run(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Reduce the blocks of a run.

    Parameters
    ----------
    request
        ``spec`` of the run, ``folder`` of its blocks, number of ``realizations`` to use, and, for
        dynamics, the ``threshold`` and ``loss_threshold`` that count as reached.
    outputs
        The summary, and the scalars of each realization.
    """
    rows = read_columns(root / request["folder"], request["realizations"])
    scalars = scalars_of(rows, request)
    summary = summary_of(rows, scalars, request["spec"]["measure"])
    made = stamp("summarize_run", request)
    for columns, output in zip((summary, scalars), outputs, strict=True):
        write_columns(columns, output, **made)
