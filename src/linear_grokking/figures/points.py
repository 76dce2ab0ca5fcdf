"""Panels against a parameter: measured points with their spread, and curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from linear_grokking.figures.tables import RunResult, TableBuilder


def tabulate_scalar(
    builder: TableBuilder,
    runs: Sequence[RunResult],
    quantity: str,
    panel: str,
    series: str,
    x: str,
    keys: Sequence[str] = (),
    statistic: str = "median",
) -> None:
    """Add a summarized number against the parameter ``x``, one point per run.

    Parameters
    ----------
    keys
        Parameters that tell series apart.
    statistic
        ``"median"`` with quartiles, ``"mean"`` with standard errors, or ``"proportion"``
        with its 95 % interval.
    """
    for run in runs:
        row = run.scalar(quantity)
        y, low, high = _statistic(row, statistic)
        unbounded = row["n_infinite"] + row["n_censored"]  # which a mean leaves out
        builder.add(
            panel,
            series,
            "experiment",
            run.parameters[x],
            y,
            y_low=low,
            y_high=high,
            n=row["n"] - (unbounded if statistic == "mean" else 0),
            parameters={key: run.parameters[key] for key in keys},
        )


def _statistic(row: pd.Series, statistic: str) -> tuple[float, float, float]:
    if statistic == "median":
        return row["median"], row["q25"], row["q75"]
    if statistic == "mean":
        error = row["standard_error"]
        return row["mean"], row["mean"] - error, row["mean"] + error
    return row["mean"], row["low"], row["high"]


def draw_points(axes: Axes, rows: pd.DataFrame, colour: str, **options: Any) -> None:
    """Draw points with their interval; bars that reach infinity go to the upper edge.

    Points that are themselves infinite (never reached) become open triangles at the edge.
    """
    options = {"marker": "o", "markersize": 4.5, "zorder": 4, **options}
    finite = rows[np.isfinite(rows["y"])]
    high = finite["y_high"].where(np.isfinite(finite["y_high"]), finite["y"])
    axes.errorbar(
        finite["x"],
        finite["y"],
        yerr=[(finite["y"] - finite["y_low"]).fillna(0), (high - finite["y"]).fillna(0)],
        color=colour,
        linestyle="",
        linewidth=1.0,
        **options,
    )
    edge = axes.get_xaxis_transform()
    for _, row in finite[np.isposinf(finite["y_high"])].iterrows():
        bar = axes.annotate(
            "",
            xy=(row["x"], 0.985),
            xycoords=edge,
            xytext=(row["x"], row["y"]),
            textcoords="data",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.0},
        )
        bar.set_in_layout(False)
    infinite = rows[np.isposinf(rows["y"])]
    if len(infinite):
        axes.plot(
            infinite["x"],
            np.full(len(infinite), 0.985),
            linestyle="",
            marker="^",
            markersize=6,
            markerfacecolor="none",
            color=colour,
            transform=edge,
            clip_on=False,
        )


def draw_lines(
    axes: Axes,
    table: pd.DataFrame,
    panel: str,
    series: str,
    styles: Mapping[str, Any],
    by: str | None = None,
    colours: Mapping[Any, str] | None = None,
) -> list[Line2D]:
    """Draw the theory curves of one series, coloured by the parameter ``by`` if given.

    Returns the lines, for a legend.
    """
    rows = table[(table["panel"] == panel) & (table["series"] == series)]
    rows = rows[rows["source"] != "experiment"]
    groups = rows.groupby(by, sort=False) if by else [(None, rows)]
    lines = []
    for value, curve in groups:
        given = {"color": colours[value]} if colours and by else {}
        finite = curve["y"].where(np.isfinite(curve["y"]))
        lines += axes.plot(curve["x"], finite, **{**given, **styles})
    return lines
