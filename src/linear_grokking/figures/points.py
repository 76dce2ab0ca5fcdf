"""Panels against a parameter: measured points with their spread, and curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from linear_grokking.figures import style
from linear_grokking.figures.tables import TableBuilder, multiple, rows
from linear_grokking.results.reading import RunResult

_EDGE = 0.985
"""Height at which infinite values are drawn, as a fraction of the axis."""


def tabulate_scalar(
    builder: TableBuilder,
    runs: Sequence[RunResult],
    quantity: str,
    panel: str,
    series: str,
    x: str,
    keys: Sequence[str] = (),
    statistic: str = "median",
    *,
    sigma_power: int = 0,
) -> None:
    """Add a summarized number against the parameter ``x``, one point per run.

    The parameters ``keys`` tell series apart; ``statistic`` is that of
    `TableBuilder.add_summary`.  The number is multiplied by σ to the power ``sigma_power``.
    """
    for run in runs:
        shown = {key: run.parameters[key] for key in keys}
        at, row = run.parameters[x], run.number(quantity)
        if sigma_power:
            row = multiple(row, run.parameters["sigma"] ** sigma_power)
        builder.add_summary(panel, series, at, row, shown, statistic)


def draw_points(axes: Axes, points: pd.DataFrame, colour: str, **options: Any) -> None:
    """Draw points with their interval; bars that reach infinity end in an arrowhead at the edge.

    Points that are themselves infinite (never reached) become open triangles at the edge, with a
    bar from the lower end of their interval if that is finite.
    """
    options = {"marker": "o", "markersize": 3.2, "zorder": 4, "linewidth": 0.8, **options}
    finite = points[np.isfinite(points["y"])]
    unbounded = np.isposinf(finite["y_high"])
    below = finite["y"] - finite["y_low"]
    above = (finite["y_high"] - finite["y"]).mask(unbounded)
    spread = [below.fillna(0), above.fillna(0)]
    axes.errorbar(finite["x"], finite["y"], spread, color=colour, linestyle="", **options)
    never = points[np.isposinf(points["y"])]
    low = never[np.isfinite(never["y_low"])]
    axes.errorbar(low["x"], low["y_low"], 0.0, color=colour, linestyle="", linewidth=0.8)
    to_edge = {"xycoords": axes.get_xaxis_transform(), "textcoords": "data"}
    bar = {"mutation_scale": 6, "shrinkA": 0, "color": colour, "linewidth": 0.8}
    for starts, end in (
        (finite.loc[unbounded, ["x", "y"]], {"arrowstyle": "-|>", "shrinkB": 0}),
        (low[["x", "y_low"]], {"arrowstyle": "-", "shrinkB": 2}),
    ):
        for x, y in starts.to_numpy():
            arrow = axes.annotate("", (x, _EDGE), (x, y), arrowprops={**bar, **end}, **to_edge)
            arrow.set_in_layout(False)
    if len(never):
        triangle = {"marker": "^", "markersize": 4.5, "markerfacecolor": "none", "linestyle": ""}
        place = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(never["x"], np.full(len(never), _EDGE), color=colour, **triangle, **place)


def draw_points_by(
    axes: Axes, points: pd.DataFrame, by: str, colours: Mapping[Any, str], **options: Any
) -> None:
    """Draw the points of each value of a parameter in its colour."""
    for value, theirs in points.groupby(by):
        draw_points(axes, theirs, colours[value], **options)


def draw_beside(
    axes: Axes,
    points: pd.DataFrame,
    by: str,
    colours: Mapping[Any, str],
    curve: pd.DataFrame,
    distance: float,
    markers: Mapping[Any, str] | None = None,
) -> None:
    """Draw points of each value of a parameter side by side about their x.

    A short horizontal line shows the value of ``curve``, their theory, at that x.
    """
    groups = list(points.groupby(by, sort=False))
    for k, (value, group) in enumerate(groups):
        aside = group.assign(x=group["x"] + distance * (k - (len(groups) - 1) / 2))
        draw_points(axes, aside, colours[value], marker=markers[value] if markers else "o")
    at, curve = points["x"].unique(), curve.sort_values("x")
    reach = distance * (len(groups) + 1) / 2
    level = np.interp(at, curve["x"], curve["y"])
    axes.hlines(level, at - reach, at + reach, **style.THEORY_LINE)


def draw_lines(
    axes: Axes,
    table: pd.DataFrame,
    panel: str,
    series: str,
    *,
    by: str | None = None,
    colours: Mapping[Any, str] | None = None,
    **look: Any,
) -> list[Line2D]:
    """Draw the theory curves of one series, and return them for a legend.

    Parameters
    ----------
    by, colours
        The parameter that tells curves apart, and the colour that each of its values gives the
        stripe under its line.
    look
        Properties of all lines.
    """
    curves = rows(table, panel, series)
    curves = curves[curves["source"] != "experiment"]
    lines = []
    for value, curve in curves.groupby(by, sort=False) if by else [(None, curves)]:
        finite = curve["y"].where(np.isfinite(curve["y"]))
        if colours:
            axes.plot(curve["x"], finite, color=colours[value], zorder=1, **style.STRIPE)
        lines += axes.plot(curve["x"], finite, **{**style.THEORY_LINE, **look})
    return lines
