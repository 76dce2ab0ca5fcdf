"""Fig. A2."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Axis, Positive, Span
from linear_grokking.config.figure_options import FigureOptions, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.linear_panels import (
    draw_by,
    problem_of,
    tabulate_by,
    tabulate_scatter,
    tabulate_times,
)
from linear_grokking.figures.points import tabulate_scalar
from linear_grokking.figures.tables import FigureData, rows
from linear_grokking.theory.linear_grokking_time import grokking_time, slowest_d_out

TITLE = (
    "Effect of the output dimension on grokking in one-layer linear regression (Paper A, Fig. 2)"
)
MAXIMUM = "v"
"""Marker of the curves' maxima."""
CAPTION = 50
"""The d_out at which the paper's caption places the maximum."""


class Options(FigureOptions):
    """What Fig. A2 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per d_out.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, d_out × λ.")
    lambda_: Axis[Positive] = Field(alias="lambda", description="λ of the theory curves.")
    d_out: Span = Field(description="Range of d_out of the theory curves, log-spaced.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by d_out, grokking times by λ against d_out.

    Measured times come from the runs ``times`` and, at parameters that these lack, from the runs
    ``dynamics``.  Series ``maximum`` holds the d_out with the longest grokking time, and that
    time.
    """
    builder, shared = tabulate_by(data, "d_out", "lambda")
    taken = {(run.parameters["d_out"], run.parameters["lambda"]) for run in data.runs("times")}
    further = [
        run
        for run in data.runs("dynamics")
        if (run.parameters["d_out"], run.parameters["lambda"]) not in taken
    ]
    panel, keys = "grokking_time", ["lambda"]
    tabulate_scalar(builder, further, "grokking_time", panel, "time", "d_out", keys)
    tabulate_scatter(builder, further, "d_out", "lambda", data.threshold)
    values = np.unique(np.rint(options.d_out.log()))
    epsilon, largest = shared["epsilon"], int(options.d_out.stop)
    for lambda_ in options.lambda_:
        at = {**shared, "lambda": lambda_}
        tabulate_times(builder, "d_out", values, at, "lambda", data.threshold)
        problem = problem_of(at)
        slowest = slowest_d_out(problem, epsilon, largest=largest, accuracy=data.threshold)
        longest = grokking_time(replace(problem, d_out=slowest), epsilon, accuracy=data.threshold)
        builder.add("grokking_time", "maximum", "theory", slowest, longest, {"lambda": lambda_})
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    figure, right, colours = draw_by(table, "d_out", "lambda")
    right.set_xscale("log")
    beside = {"textcoords": "offset points", "ha": "center", "fontsize": 6.5}
    maxima = rows(table, series="maximum").sort_values("y").set_index("lambda")
    # The lowest curve has room below it, the others above.
    side = {"xytext": (0, -4), "va": "top"}
    for lambda_, row in maxima.iterrows():
        x, y = row["x"], row["y"]
        look = {"markersize": 4.5, "zorder": 5, **style.EDGE}
        right.plot(x, y, MAXIMUM, color=colours[lambda_], **look)
        right.annotate(f"{x:g}", (x, y), **side, **beside)
        side = {"xytext": (0, 4), "va": "bottom"}
    low, high = right.get_ylim()
    right.set_ylim(low / 8, 1.6 * high)  # room for legend and tick
    right.axvline(CAPTION, ymin=0.93, **{**style.GUIDE, "linestyle": "-"})
    place = {"xycoords": right.get_xaxis_transform(), "va": "top", "fontsize": 6.5}
    offset = {"xytext": (3, 0), "textcoords": "offset points"}
    right.annotate(f"paper: {CAPTION}", (CAPTION, 0.99), **place, **offset)
    label = r"maximum, with its $d_\mathrm{out}$"
    mark = legends.mark(label, "none", MAXIMUM, markersize=4.5, markeredgecolor="black")
    legends.of_values(right, "lambda", colours, also=[mark], loc="lower center")
    return figure
