"""Fig. B13."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import tabulate_dynamics
from linear_grokking.figures.logistic_panels import (
    DYNAMICS_PANELS,
    check_partners,
    check_same_lambda,
    draw_columns,
    draw_thin,
    tabulate_large_size_limits,
    tabulate_with_limits,
)
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLE = "Dynamics with the exponential loss from the start (Paper B, App. F.4)"
_OTHER = {"color": style.PAPER, "linewidth": 0.7, "zorder": 2}
"""Curves of the cross-entropy."""


class Options(FigureOptions):
    """What Fig. B13 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs with the exponential loss, one per λ.")
    cross_entropy: LogisticRuns = Field(
        description="Runs with the cross-entropy to compare with, one per λ."
    )
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    check_partners(data, ["dynamics"], "separability")
    check_same_lambda(data, "dynamics", "cross_entropy")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by loss and λ, with their limits at t → ∞."""
    builder = TableBuilder()
    tabulate_with_limits(builder, data, "lambda", "loss")
    for run in data.runs("dynamics"):
        shown = {key: run.parameters[key] for key in ("lambda", "loss")}
        tabulate_large_size_limits(builder, run, shown)
    for run in data.runs("cross_entropy"):
        shown = {key: run.parameters[key] for key in ("lambda", "loss")}
        tabulate_dynamics(builder, run, shown, DYNAMICS_PANELS)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of loss, accuracy, and the sizes of S and b, for each λ."""
    lambdas = sorted(table["lambda"].unique())
    figure, axes = style.new_panels(3, len(lambdas), height=4.9, downwards=True, squeeze=False)
    draw_columns(axes, rows(table, loss="exponential"))
    others = rows(table, loss="cross_entropy")
    for column, lambda_ in zip(axes.T, lambdas, strict=True):
        draw_thin(column, rows(others, lambda_=lambda_), **_OTHER)
    smallest = (-rows(others, "bias")["y"]).loc[lambda size: size > 0].min()
    for each in axes[2]:
        each.set_ylim(bottom=min(each.get_ylim()[0], smallest / 1.3))
    other = legends.line("cross-entropy, same sets", **_OTHER)
    legends.of_dynamics(figure, table, limit=True, large_size=True, also=[other], columns=3)
    return figure
