"""Effect of the output dimension on grokking in one-layer linear regression (Paper A, Fig. 2)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
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
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory.linear_grokking_time import grokking_time, slowest_d_out

MAXIMUM = "v"
"""Marker of the curves' maxima."""


class Options(FigureOptions):
    """What Fig. A2 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per d_out.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, d_out × λ.")
    lambda_: tuple[Positive, ...] = Field(
        alias="lambda", min_length=1, description="λ of the theory curves."
    )
    d_out: Span = Field(description="Range of d_out of the theory curves, log-spaced.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by d_out, grokking times by λ against d_out.

    Series ``maximum`` holds the d_out with the longest grokking time, and that time.
    """
    builder = TableBuilder()
    tabulate_runs(builder, data.runs("dynamics"), ["d_out"])
    tabulate_times(builder, data.runs("times"), "d_out", ["lambda"])
    span = options.d_out
    values = np.unique(np.rint(np.geomspace(span.start, span.stop, span.points)))
    shared = data.runs("times")[0].parameters
    eta, epsilon, gamma = (shared[key] for key in ("eta", "epsilon", "gamma"))
    for lambda_ in options.lambda_:
        parameters = {"lambda": lambda_, "eta": eta, "epsilon": epsilon, "gamma": gamma}
        tabulate_time_curve(builder, "d_out", values, parameters, ["lambda"], data.threshold)
        slowest = slowest_d_out(lambda_, epsilon, largest=int(span.stop), accuracy=data.threshold)
        longest = grokking_time(lambda_, eta, epsilon, d_out=slowest, accuracy=data.threshold)
        builder.add(
            "grokking_time", "maximum", "theory", slowest, longest, parameters={"lambda": lambda_}
        )
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    figure = style.new_figure(3, 1.15)
    axes = figure.subplots(1, 3)
    draw_runs(axes[:2], table, "d_out")
    right = axes[2]
    right.set_xscale("log")
    colours = draw_times(right, table, "d_out", "lambda")
    maxima = table[table["series"] == "maximum"]
    for _, row in maxima.iterrows():
        right.plot(
            row["x"],
            row["y"],
            MAXIMUM,
            color=colours[row["lambda"]],
            markeredgecolor="black",
            markeredgewidth=0.8,
            zorder=5,
        )
        right.annotate(
            f"{row['x']:g}",
            (row["x"], row["y"]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize="small",
        )
    mark = Line2D(
        [], [], linestyle="", marker=MAXIMUM, color="none", markeredgecolor="black", label="maximum"
    )
    value_legend(right, "lambda", colours, also=[mark], loc="lower center")
    panel_letters(axes)
    line_styles_legend(figure, theory=True)
    return figure
