"""Fig. B4."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import (
    FigureOptions,
    LogisticRuns,
    SeparabilityRuns,
    TwoPointRuns,
)
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.figures.two_point_panels import FULL, TWO_POINT
from linear_grokking.theory.margin import limit_gen_accuracy, separable_gen_accuracy

TITLE = "Dynamics of the two-point model and of the full model (Paper B, Fig. 4 and ICML Fig. 8)"
_LOSS_RANGE = (1e-7, 1e5)
"""Losses of both models that are shown; beyond, the separable two-point model's diverges."""


class Options(FigureOptions):
    """What Fig. B4 is drawn from."""

    two_point: TwoPointRuns = Field(description="Runs of the two-point model, one per λ.")
    full: LogisticRuns = Field(description="Runs of the full model, one per λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `full`."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    logistic.check_partners(data, ["full"], "separability")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by model and λ, with their limits.

    Series ``limit`` is the generalization accuracy at t → ∞: of the two points, and the median
    over the full model's sets; ``large_size_limit`` is the full model's for large N.
    """
    builder = TableBuilder()
    for run in data.runs("two_point"):
        lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
        shown = {"model": TWO_POINT, "lambda": lambda_}
        tabulate_dynamics(builder, run, shown)
        limit = separable_gen_accuracy(max(sigma * (2.0 * lambda_ - 1.0), 0.0), sigma)
        builder.add("accuracy", "limit", "theory", time_span(run), limit, shown)
    for run, partner in logistic.pair_runs(data.runs("full"), data.runs("separability")):
        lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
        shown = {"model": FULL, "lambda": lambda_, "n_train": run.parameters["n_train"]}
        tabulate_dynamics(builder, run, shown)
        limits = logistic.limit_accuracies(run, partner)["limit"]
        builder.add_values("accuracy", "limit", time_span(run), limits, shown)
        limit = limit_gen_accuracy(lambda_, sigma)
        builder.add("accuracy", "large_size_limit", "theory", time_span(run), limit, shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw one column for each model, losses above accuracies."""
    figure, axes = style.new_panels(2, 2, height=4.4)
    colours = style.colours_of(table["lambda"])
    size = style.size_label(table)
    titles = {TWO_POINT: "two-point model", FULL: f"full model, {size}"}
    for column, (model, title) in zip(axes.T, titles.items(), strict=True):
        curves = rows(table, model=model)
        draw_dynamics(column, curves, "lambda", colours)
        column[0].set_ylim(_LOSS_RANGE)
        column[0].set_title(title)
        for lambda_, curve in rows(curves, "loss", "generalization").groupby("lambda"):
            logistic.note_clipped(column[0], curve, colours[lambda_])
    _draw_steps(axes[1, 0], rows(table, model=TWO_POINT), colours)
    logistic.align(axes)
    legends.of_values(axes[0, 0], "lambda", colours, loc="lower left")
    legends.of_dynamics(figure, table, limit=True, large_size=True, columns=3)
    return figure


def _draw_steps(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    """Draw the training accuracy of two points as steps, and write where it is right from t = 0."""
    for line in axes.lines:
        if line.is_dashed() and np.size(line.get_xdata()) > 2:
            line.set_drawstyle("steps-post")
    start = rows(table, "accuracy", "train_reached", x=0.0)["lambda"]
    look = {"ha": "right", "fontsize": 6.5, "transform": axes.transAxes}
    for k, lambda_ in enumerate(start):
        text = f"{style.label('lambda', lambda_)}: training accuracy 1 from $t$ = 0"
        axes.text(0.99, 0.05 + 0.09 * k, text, color=colours[lambda_], **look)
