"""Fig. A1."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Axis, Positive, Span
from linear_grokking.config.figure_options import FigureOptions, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.linear_panels import (
    draw_by,
    tabulate_by,
    tabulate_reached,
    tabulate_times,
)
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.tables import FigureData, rows
from linear_grokking.theory.linear import Problem, loss_threshold
from linear_grokking.theory.linear_late_time import lambert_times, small_epsilon_delay

EDGE = 1.06
"""Largest λ that is shown."""

TITLE = "Grokking as a function of λ in one-layer linear regression (Paper A, Fig. 1)"


class Options(FigureOptions):
    """What Fig. A1 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per λ.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, λ × ε.")
    epsilon: Axis[Positive] = Field(description="Accuracy thresholds ε of the theory curves.")
    lambda_: Span = Field(alias="lambda", description="Range of λ of the theory curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by λ, grokking times by ε against λ.

    The time diverges a little above λ = 1, where the loss's floor meets the threshold; points
    close to this λ show the end of the curve.  Series ``small_epsilon`` is the paper's Eq. 12,
    ``lambert`` the difference of its Eqs. 25 and 24.
    """
    builder, shared = tabulate_by(data, "lambda", "epsilon")
    tabulate_reached(builder, data, "lambda", "epsilon")
    values = options.lambda_.linear()
    # The formulas go to infinity within a step of this grid.
    near = 1 - np.geomspace(1e-4, 0.01, 20)
    below = np.union1d(values[values < 1], near[near < values[-1]])
    problem = Problem(below, shared["eta"])
    for epsilon in options.epsilon:
        at = {**shared, "epsilon": epsilon}
        # The floor 1 - 1/λ of the loss meets the threshold a little above λ = 1.
        pole = 1 / (1 - float(loss_threshold(epsilon, accuracy=data.threshold)))
        close = pole - np.geomspace(1e-12, 0.05, 60)
        curve = np.union1d(values, close[(close > values[0]) & (close < values[-1])])
        tabulate_times(builder, "lambda", curve, at, "epsilon", data.threshold)
        times = lambert_times(problem, epsilon, accuracy=data.threshold)
        delay, shown = times.gen - times.train, {"epsilon": epsilon}
        builder.add("grokking_time", "lambert", "paper", below, delay, shown)
    formula = small_epsilon_delay(problem)
    builder.add("grokking_time", "small_epsilon", "paper", below, formula)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    figure, right, colours = draw_by(table, "lambda", "epsilon")
    dashed: dict[str, Any] = {"linestyle": (0, (5, 2)), "label": r"Eq. 12 ($\epsilon\to0$)"}
    formula = draw_lines(right, table, "grokking_time", "small_epsilon", **dashed)
    lambert = rows(table, "grokking_time", "lambert")
    epsilon = style.STANDARD["epsilon"][0]
    if epsilon in set(lambert["epsilon"]):
        dotted = {"linestyle": (0, (1, 1)), "linewidth": 1.2}
        label = rf"Eqs. 24, 25 ($\epsilon$ = {style.number(epsilon)})"
        some = rows(lambert, epsilon=epsilon)
        formula += draw_lines(right, some, "grokking_time", "lambert", label=label, **dotted)
    edge = min(EDGE, rows(table, "grokking_time")["x"].max())
    if edge > 1:
        right.axvspan(1.0, edge, color=style.UNREACHED, linewidth=0, zorder=0)
        right.set_xlim(0.0, edge)
    # Room for the legend above the curves, which go on to infinity.
    measured = rows(table, "grokking_time", "time", "experiment")["y"]
    if np.isfinite(measured).any():
        right.set_ylim(1.0, 1e3 * measured[np.isfinite(measured)].max())
    place = {"loc": "upper left", "title": "grey: never reached", "alignment": "left"}
    legends.of_values(right, "epsilon", colours, also=formula, **place)
    return figure
