"""Panels of separability statistics against λ = d/N (Paper B)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from linear_grokking.figures import style
from linear_grokking.figures.points import draw_lines, draw_points, tabulate_scalar
from linear_grokking.figures.tables import RunResult, TableBuilder
from linear_grokking.theory import wendel

MEDIAN, MEAN = style.BLUE, style.ORANGE
CRITICAL = 0.5
LARGEST_BELOW = 0.4999
"""The largest λ < ½ of the large-size curves, which diverge at ½."""
WENDEL_LINE = {"color": style.THEORY, "linewidth": 0.9, "label": "Wendel, exact"}


def tabulate_statistic(
    builder: TableBuilder, runs: Sequence[RunResult], quantity: str, panel: str
) -> None:
    """Add medians with quartiles, and means with standard errors, against λ.

    The median counts draws where the quantity diverges as +∞; the mean, as the paper
    takes it, leaves them out, and its ``n`` says over how many it is.
    """
    for statistic in ("median", "mean"):
        kept = runs if statistic == "median" else [r for r in runs if _has_mean(r, quantity)]
        keys = ["n_train"]
        tabulate_scalar(builder, kept, quantity, panel, statistic, "lambda", keys, statistic)


def _has_mean(run: RunResult, quantity: str) -> bool:
    return not pd.isna(run.scalar(quantity)["mean"])


def tabulate_separable_fraction(
    builder: TableBuilder, runs: Sequence[RunResult], keys: Sequence[str] = ("n_train",)
) -> None:
    """Add the fraction of separable sets with its 95 % interval, and Wendel's probability.

    Wendel's curve is a function of whole d at each of the runs' N, from the smallest to the
    largest d and some way beyond.

    Parameters
    ----------
    keys
        Parameters that tell series apart.
    """
    tabulate_scalar(
        builder, runs, "separable", "separable_fraction", "fraction", "lambda", keys, "proportion"
    )
    for n_train in sorted({run.parameters["n_train"] for run in runs}):
        lambdas = [r.parameters["lambda"] for r in runs if r.parameters["n_train"] == n_train]
        d = np.arange(round(min(lambdas) * n_train), round(max(max(lambdas), 0.55) * n_train) + 1)
        builder.add(
            "separable_fraction",
            "wendel",
            "theory",
            d / n_train,
            wendel.separable_probability(np.full_like(d, n_train), d),
            parameters={"n_train": n_train},
        )


def draw_statistic(
    axes: Axes, table: pd.DataFrame, panel: str, theory: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draw medians, means and theory curves of one panel against λ.

    Parameters
    ----------
    theory
        Series → line properties, ``label`` among them.
    """
    handles: list[Line2D] = []
    for series, styles in theory.items():
        handles += draw_lines(axes, table, panel, series, styles)
    rows = table[(table["panel"] == panel) & (table["source"] == "experiment")]
    size = style.label("n_train", int(rows["n_train"].iloc[0]))
    for series, colour, marker in (("median", MEDIAN, "o"), ("mean", MEAN, "s")):
        draw_points(axes, rows[rows["series"] == series], colour, marker=marker)
        label = f"{size}, {series}"
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=label))
    axes.set_xlabel(style.SYMBOLS["lambda"])
    axes.axvline(CRITICAL, color=style.PAPER, linewidth=0.8, linestyle=":")
    axes.legend(handles=handles, loc="best").set_in_layout(False)


def draw_separable_fraction(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the measured separable fraction on Wendel's curve, one size in one colour."""
    rows = table[table["panel"] == "separable_fraction"]
    size = style.label("n_train", int(rows["n_train"].iloc[0]))
    draw_fractions(axes, table, "n_train", {int(rows["n_train"].iloc[0]): MEDIAN})
    handles = [
        Line2D([], [], **WENDEL_LINE),
        Line2D([], [], color=MEDIAN, marker="o", linestyle="", label=f"{size}, 95 % interval"),
    ]
    axes.legend(handles=handles, loc="upper left").set_in_layout(False)


def draw_fractions(
    axes: Axes, table: pd.DataFrame, by: str, colours: Mapping[Any, str], **options: Any
) -> None:
    """Draw measured separable fractions, coloured by one parameter, on Wendel's curves."""
    rows = table[table["panel"] == "separable_fraction"]
    for _, curve in rows[rows["series"] == "wendel"].groupby("n_train"):
        axes.plot(curve["x"], curve["y"], **WENDEL_LINE)
    for value, points in rows[rows["source"] == "experiment"].groupby(by, sort=False):
        draw_points(axes, points, colours[value], **options)
    axes.set_xlabel(style.SYMBOLS["lambda"])
    axes.set_ylabel("fraction separable")
    axes.axvline(CRITICAL, color=style.PAPER, linewidth=0.8, linestyle=":")
