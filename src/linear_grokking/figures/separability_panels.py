"""Panels of separability statistics against λ = d/N (Paper B)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from linear_grokking.figures import legends, style
from linear_grokking.figures.points import draw_lines, draw_points, draw_points_by, tabulate_scalar
from linear_grokking.figures.tables import TableBuilder, rows
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import wendel

MEDIAN, MEAN = style.BLUE, style.ORANGE
CRITICAL = 0.5
LARGEST_BELOW = 0.4999
"""The largest λ < ½ of the large-size curves, which diverge at ½."""
WENDEL_LINE = {**style.THEORY_LINE, "label": "Wendel's probability"}
AT_CRITICAL = {**style.REFERENCE, "label": r"limit at $\lambda=\frac{1}{2}$"}


_POWERS = {"s_inf_norm": 1, "margin": -1, "positive_projection": -1}
"""Power of σ that a quantity is multiplied by, so that it no longer depends on σ; else 0."""


def tabulate_statistic(builder: TableBuilder, runs: Sequence[RunResult], quantity: str) -> None:
    """Add medians with quartiles, and means with standard errors, against λ, in units of σ.

    In the median, draws where the quantity diverges count as +∞.  The mean leaves them out, as
    in the paper; its ``n`` is the number of draws that remain.
    """
    with_mean = [run for run in runs if not pd.isna(run.number(quantity)["mean"])]
    at = {"x": "lambda", "keys": ["n_train"], "sigma_power": _POWERS.get(quantity, 0)}
    for name, kept in (("median", runs), ("mean", with_mean)):
        tabulate_scalar(builder, kept, quantity, quantity, name, statistic=name, **at)


def tabulate_separable_fraction(
    builder: TableBuilder, runs: Sequence[RunResult], keys: Sequence[str] = ("n_train",)
) -> None:
    """Add the fraction of separable sets with its 95 % interval, and Wendel's probability.

    The parameters ``keys`` tell series apart.  Wendel's curve is given at every integer d for each
    N of the runs, over the λ of all runs and at least up to λ = 0.55.
    """
    panel = "separable_fraction"
    tabulate_scalar(builder, runs, "separable", panel, "fraction", "lambda", keys, "proportion")
    lambdas = [run.parameters["lambda"] for run in runs]
    for n_train in sorted(by_value(runs, "n_train")):
        d = np.arange(round(min(lambdas) * n_train), round(max(*lambdas, 0.55) * n_train) + 1)
        probability = wendel.separable_probability(np.full_like(d, n_train), d)
        builder.add(panel, "wendel", "theory", d / n_train, probability, {"n_train": n_train})


def draw_statistic(
    axes: Axes,
    table: pd.DataFrame,
    panel: str,
    label: str,
    theory: Mapping[str, Mapping[str, Any]],
    *,
    place: str,
) -> None:
    """Draw one panel's theory curves and the rows of `tabulate_statistic`, with a legend.

    Parameters
    ----------
    label
        Label of the y axis.
    theory
        Series → line properties, ``label`` among them.
    place
        Location of the legend.
    """
    handles: list[Line2D] = []
    for series, look in theory.items():
        handles += draw_lines(axes, table, panel, series, **look)
    measured = rows(table, panel, source="experiment")
    # A mean that lies on its median would hide it unless it is hollow.
    hollow = {"markerfacecolor": "none", "markersize": 4.5}
    for series, told, colour, marker, look in (
        ("median", f", {style.size_label(measured)}", MEDIAN, "o", {}),
        ("mean", "", MEAN, "s", hollow),
    ):
        draw_points(axes, rows(measured, series=series), colour, marker=marker, **look)
        handles.append(legends.mark(series + told, colour, marker, **look))
    lambda_axis(axes, label)
    legends.add(axes, handles, loc=place, title=_left_out(measured), alignment="left")


def _left_out(points: pd.DataFrame) -> str | None:
    """Say what share of the draws is left out, as the quantity does not exist for them."""
    counted = points["n"].astype(float)
    most = 1.0 - counted.min() / counted.max()
    return f"up to {100 * most:.0f} % left out" if most > 0 else None


def draw_fractions(axes: Axes, table: pd.DataFrame, by: str, colours: Mapping[Any, str]) -> None:
    """Draw measured separable fractions, coloured by one parameter, on Wendel's curves."""
    fractions = rows(table, "separable_fraction")
    draw_lines(axes, fractions, "separable_fraction", "wendel", by="n_train", **WENDEL_LINE)
    draw_points_by(axes, rows(fractions, source="experiment"), by, colours)
    lambda_axis(axes, "separable fraction")


def lambda_axis(axes: Axes, label: str) -> None:
    """Name the axes of a panel against λ, and mark λ = ½."""
    axes.set(xlabel=style.SYMBOLS["lambda"], ylabel=label)
    axes.axvline(CRITICAL, **style.GUIDE)
