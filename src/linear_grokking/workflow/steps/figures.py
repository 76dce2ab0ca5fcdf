"""A figure's table from summaries, and its drawings from the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from linear_grokking.errors import LinearGrokkingError
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

    Raises
    ------
    LinearGrokkingError
        If the table holds several runs as one series.
    """
    module = registry.module(request["figure"])
    options = module.Options.model_validate(request["options"])
    frame = ordered(module.tabulate(options, FigureData(root, request)))
    _check_told_apart(frame, request)
    frame.attrs["threshold"] = request["threshold"]
    write_pair(frame, outputs, "tabulate_figure", request)


def _check_told_apart(table: pd.DataFrame, request: Mapping[str, Any]) -> None:
    """Refuse a table with two statistics of one series at one x, which would be drawn as one."""
    keys = list(table.columns.difference(["y", "y_low", "y_high", "z", "n"]))
    statistics = table[(table["source"] == "experiment") & table["n"].notna()]
    double = statistics[statistics.duplicated(keys)]
    if double.empty:
        return
    lists = []
    for role, runs in request["runs"].items():
        values: dict[str, set] = {}
        for run in runs:
            for key, value in run["parameters"].items():
                values.setdefault(key, set()).add(value)
        several = sorted(key for key, found in values.items() if len(found) > 1)
        if not set(several) <= set(table):
            lists.append(f"{request['options'][role]} ({', '.join(several)})")
    first = double.iloc[0]
    raise LinearGrokkingError(
        f"figure {request['figure']}: panel {first['panel']} has several values of series "
        f"{first['series']} at x = {first['x']:g}, as it does not tell apart all that its "
        f"experiments list: {'; '.join(lists)}; let them list less, "
        "or draw it in a figure of your own (docs/add_a_figure.md)"
    )


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
