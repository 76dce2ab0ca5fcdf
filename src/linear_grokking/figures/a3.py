"""Effect of weight decay γ on grokking in one-layer linear regression (Paper A, Fig. 3)."""

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
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory.linear_weight_decay import max_weight_decay


class Options(FigureOptions):
    """What Fig. A3 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs of the left and middle panels, one per γ.")
    times: LinearRuns = Field(description="Runs whose grokking times are measured, γ × λ.")
    lambda_: tuple[Positive, ...] = Field(
        alias="lambda", min_length=1, description="λ of the theory curves."
    )
    gamma: Span = Field(description="Range of γ of the theory curves, log-spaced.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by γ, grokking times by λ against γ.

    Series ``gamma_max`` marks, at x, the weight decay from which on the accuracy's
    threshold is never reached.
    """
    builder = TableBuilder()
    tabulate_runs(builder, data.runs("dynamics"), ["gamma"])
    tabulate_times(builder, data.runs("times"), "gamma", ["lambda"])
    span = options.gamma
    values = np.geomspace(span.start, span.stop, span.points)
    shared = data.runs("times")[0].parameters
    fixed = {"eta": shared["eta"], "epsilon": shared["epsilon"], "d_out": shared["d_out"]}
    for lambda_ in options.lambda_:
        parameters = {**fixed, "lambda": lambda_}
        limit = max_weight_decay(
            lambda_, fixed["epsilon"], d_out=fixed["d_out"], accuracy=data.threshold
        )
        builder.add(
            "grokking_time", "gamma_max", "theory", limit, np.nan, parameters={"lambda": lambda_}
        )
        # Close to γ_max the time diverges: a few more points show the curve's end.
        close = limit * (1 - np.geomspace(1e-6, 0.3, 25))
        grid = np.unique(np.concatenate([values, close[close > span.start]]))
        tabulate_time_curve(builder, "gamma", grid, parameters, ["lambda"], data.threshold)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and grokking times."""
    figure = style.new_figure(3, 1.15)
    axes = figure.subplots(1, 3)
    draw_runs(axes[:2], table, "gamma")
    right = axes[2]
    colours = draw_times(right, table, "gamma", "lambda")
    right.set_xscale("log")
    left, edge = right.get_xlim()
    limits = table[table["series"] == "gamma_max"]
    for _, row in limits.iterrows():
        right.axvspan(row["x"], edge, color="black", alpha=0.10, linewidth=0, zorder=0)
        right.axvline(row["x"], color=colours[row["lambda"]], linewidth=0.8, linestyle=":")
    right.set_xlim(left, edge)
    value_legend(right, "lambda", colours, loc="upper left", title="grey: never reached")
    panel_letters(axes)
    line_styles_legend(figure, theory=True)
    return figure
