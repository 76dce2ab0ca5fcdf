"""Tables of figures: as stored, or made anew; rows of them; and figures drawn from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from linear_grokking.figures import registry, style
from linear_grokking.figures.tables import FigureData
from linear_grokking.results.storage import read_table
from linear_grokking.workflow.plan import Plan, targets


def stored(plan: Plan, figure_id: str) -> pd.DataFrame:
    """Return the table that a figure is drawn from."""
    return read_table(plan.root / f"figures/tables/{figure_id}.parquet").to_pandas()


def tabulate(
    plan: Plan, figure_id: str, runs: Mapping[str, Any] | None = None, **options: Any
) -> pd.DataFrame:
    """Make a figure's table from other runs, by role, or with some options replaced."""
    request = targets.table(plan, figure_id).request
    module = registry.module(figure_id)
    given = module.Options.model_validate({**request["options"], **options})
    return module.tabulate(
        given, FigureData(plan.root, {**request, "runs": runs or request["runs"]})
    )


def pick(
    table: pd.DataFrame, panel: str, series: str, source: str | None = None, **parameters: Any
) -> pd.DataFrame:
    """Return the rows of a series; parameters under configuration keys, λ as ``lambda_``."""
    rows = table[(table["panel"] == panel) & (table["series"] == series)]
    if source is not None:
        rows = rows[rows["source"] == source]
    for key, value in parameters.items():
        rows = rows[rows[key.removesuffix("_")] == value]
    return rows


def drawn(figure_id: str, table: pd.DataFrame, path: Path) -> Figure:
    """Draw a figure and save it, which puts its texts and legends in their places."""
    with style.sheet():
        figure = registry.module(figure_id).draw(table)
        style.save(figure, path, spec="{}", provenance={})
    return figure
