"""Grokking as a function of λ in one-layer linear regression (Paper A, Fig. 1)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Positive, Span
from linear_grokking.config.figures import FigureOptions, LinearRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import line_styles_legend, panel_letters, value_legend
from linear_grokking.figures.linear_panels import (
    draw_runs,
    draw_times,
    tabulate_runs,
    tabulate_time_curve,
    tabulate_times,
)
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory.linear_late_time import small_epsilon_delay


class Options(FigureOptions):
    """What Fig. A1 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per λ.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, λ × ε.")
    epsilon: tuple[Positive, ...] = Field(
        min_length=1, description="Accuracy thresholds ε of the theory curves."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the theory curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by λ, grokking times by ε against λ."""
    builder = TableBuilder()
    tabulate_runs(builder, data.runs("dynamics"), ["lambda"])
    tabulate_times(builder, data.runs("times"), "lambda", ["epsilon"])
    span = options.lambda_
    values = np.linspace(span.start, span.stop, span.points)
    eta = data.runs("times")[0].parameters["eta"]
    for epsilon in options.epsilon:
        fixed = {"lambda": None, "eta": eta, "epsilon": epsilon, "gamma": 0.0, "d_out": 1}
        tabulate_time_curve(builder, "lambda", values, fixed, ["epsilon"], data.threshold)
    below = values[values < 1]
    builder.add("grokking_time", "small_epsilon", "paper", below, small_epsilon_delay(below, eta))
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    figure = style.new_figure(3, 1.15)
    axes = figure.subplots(1, 3)
    draw_runs(axes[:2], table, "lambda")
    right = axes[2]
    colours = draw_times(right, table, "lambda", "epsilon")
    dashed = {"color": style.THEORY, "linestyle": "--", "label": r"paper, small $\epsilon$"}
    formula = draw_lines(right, table, "grokking_time", "small_epsilon", dashed)
    edge = table.loc[table["panel"] == "grokking_time", "x"].max()
    if edge > 1:
        right.axvspan(1.0, edge, color=style.UNREACHED, linewidth=0, zorder=0)
        right.set_xlim(0.0, edge)
    value_legend(
        right, "epsilon", colours, also=formula, loc="upper left", title="grey: never reached"
    )
    panel_letters(axes)
    line_styles_legend(figure, theory=True)
    return figure
