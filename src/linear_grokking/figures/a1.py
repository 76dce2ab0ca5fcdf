"""Fig. A1."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Positive, Span
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
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_late_time import lambert_times, small_epsilon_delay

TITLE = "Grokking as a function of λ in one-layer linear regression (Paper A, Fig. 1)"


class Options(FigureOptions):
    """What Fig. A1 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per λ.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, λ × ε.")
    epsilon: tuple[Positive, ...] = Field(
        min_length=1, description="Accuracy thresholds ε of the theory curves."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the theory curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by λ, grokking times by ε against λ.

    Series ``small_epsilon`` is the paper's Eq. 12, ``lambert`` the difference of its Eqs. 25 and
    24.
    """
    builder, shared = tabulate_by(data, "lambda", "epsilon")
    tabulate_reached(builder, data, "lambda", "epsilon")
    values = options.lambda_.linear()
    below = values[values < 1]
    problem = Problem(below, shared["eta"])
    for epsilon in options.epsilon:
        at = {**shared, "epsilon": epsilon}
        tabulate_times(builder, "lambda", values, at, "epsilon", data.threshold)
        times = lambert_times(problem, epsilon, accuracy=data.threshold)
        delay, shown = times.gen - times.train, {"epsilon": epsilon}
        builder.add("grokking_time", "lambert", "paper", below, delay, shown)
    formula = small_epsilon_delay(problem)
    builder.add("grokking_time", "small_epsilon", "paper", below, formula)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    figure, right, colours = draw_by(table, "lambda", "epsilon")
    look: dict[str, Any] = {"color": style.THEORY, "linestyle": "--"}
    look["label"] = r"Eq. 12 ($\epsilon\to0$)"
    formula = draw_lines(right, table, "grokking_time", "small_epsilon", **look)
    thin = {"linestyle": "-.", "linewidth": 0.8}
    each = {"by": "epsilon", "colours": colours}
    draw_lines(right, table, "grokking_time", "lambert", **thin, **each)
    formula.append(legends.line(r"Eq. 25 $-$ Eq. 24", color=legends.GREY, **thin))
    edge = rows(table, "grokking_time")["x"].max()
    if edge > 1:
        right.axvspan(1.0, edge, color=style.UNREACHED, linewidth=0, zorder=0)
        right.set_xlim(0.0, edge)
    place = {"loc": "upper left", "title": "grey: never reached"}
    legends.of_values(right, "epsilon", colours, also=formula, **place)
    return figure
