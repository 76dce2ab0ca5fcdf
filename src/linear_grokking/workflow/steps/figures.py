"""A figure's table from summaries, and its drawings from the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.figures import registry, style
from linear_grokking.figures.tables import FigureData, ordered, read_table
from linear_grokking.results.identity import canonical
from linear_grokking.workflow.made_of import stamp, write_pair


def tabulate_figure(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Make a figure's table.

    Parameters
    ----------
    request
        The figure, its options, and the runs that it is drawn from, by role.
    outputs
        The table as CSV (nulls are empty, numbers keep all their digits) and as Parquet.
    """
    module = registry.module(request["figure"])
    options = module.Options.model_validate(request["options"])
    frame = ordered(module.tabulate(options, FigureData(root, request)))
    frame.attrs["threshold"] = request["threshold"]
    write_pair(frame, outputs, "tabulate_figure", request)


def draw_figure(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Draw a figure from its table, once for all output files.

    Parameters
    ----------
    request
        The figure, and the digest of its ``table`` (`workflow.made_of`).
    """
    spec, _, table = read_table(root, request["figure"], request["table"])
    made: dict[str, Any] = stamp("draw_figure", request) | {"spec": canonical(spec)}
    with style.sheet():
        figure = registry.module(request["figure"]).draw(table)
        for output in outputs:
            style.save(figure, output, **made)
