"""Fig. A3."""

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
    tabulate_reached,
    tabulate_times,
)
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.tables import FigureData, rows
from linear_grokking.theory.linear_weight_decay import max_weight_decay, saturation_delay

TITLE = "Effect of weight decay γ on grokking in one-layer linear regression (Paper A, Fig. 3)"


class Options(FigureOptions):
    """What Fig. A3 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per γ.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, γ × λ.")
    above_one: LinearRuns = Field(description="Runs of claims alone, with λ > 1 and γ > 0.")
    lambda_: Axis[Positive] = Field(alias="lambda", description="λ of the theory curves.")
    gamma: Span = Field(description="Range of γ of the theory curves, log-spaced.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by γ, grokking times by λ against γ.

    Series ``gamma_max`` marks, at x, the weight decay from which on the accuracy's
    threshold is never reached; ``saturation`` is the paper's Eq. 16 from there on.
    """
    builder, shared = tabulate_by(data, "gamma", "lambda")
    tabulate_reached(builder, data, "gamma", "lambda")
    for lambda_ in options.lambda_:
        at = {**shared, "lambda": lambda_}
        limit = max_weight_decay(problem_of(at), at["epsilon"], accuracy=data.threshold)
        builder.add("grokking_time", "gamma_max", "theory", limit, np.nan, {"lambda": lambda_})
        if lambda_ < 1:
            beyond, level = [limit, options.gamma.stop], saturation_delay(problem_of(at))
            builder.add("grokking_time", "saturation", "paper", beyond, level, {"lambda": lambda_})
        # Close to γ_max the time diverges: a few more points show the curve's end.
        close = limit * (1 - np.geomspace(1e-6, 0.3, 25))
        values = np.union1d(options.gamma.log(), close[close > options.gamma.start])
        tabulate_times(builder, "gamma", values, at, "lambda", data.threshold)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    limits = rows(table, series="gamma_max").set_index("lambda")["x"]
    # Beyond γ_max, bars show that the threshold is not reached in theory.
    beyond = (table["source"] == "theory") & (table["x"] >= table["lambda"].map(limits))
    beyond &= np.isposinf(table["y"])
    figure, right, colours = draw_by(table[~beyond], "gamma", "lambda")
    right.set_xscale("log")
    low, high = right.get_ylim()
    top = 30 * high  # room for the legend above the curves
    right.set_ylim(low, top)
    edge = 8 * limits.max()
    for number, (lambda_, limit) in enumerate(limits.sort_values().items()):
        curve = rows(table, "grokking_time", "time", "theory", lambda_=lambda_)
        last = curve.loc[np.isfinite(curve["y"]), "y"].iloc[-1]
        # The time diverges at γ_max only logarithmically: no points lead up to the frame.
        right.plot([limit, limit], [last, top], color=colours[lambda_], zorder=1, **style.STRIPE)
        right.plot([limit, limit], [last, top], **style.THEORY_LINE)
        height = 0.95 - 0.035 * number
        bar = {"color": colours[lambda_], "linewidth": 3.0, "solid_capstyle": "butt"}
        right.plot([limit, edge], [height, height], transform=right.get_xaxis_transform(), **bar)
    level = {"linestyle": (0, (5, 2)), "linewidth": 1.0}
    each = {"by": "lambda", "colours": colours}
    draw_lines(right, table, "grokking_time", "saturation", **level, **each)
    right.set_xlim(rows(table, "grokking_time", "time", "theory")["x"].min(), edge)
    entries = [
        legends.line("never reached", color=legends.GREY, linewidth=3),
        legends.line("Eq. 16 (saturation)", **{**style.THEORY_LINE, **level}),
    ]
    legends.of_values(right, "lambda", colours, also=entries, loc="upper left")
    return figure
