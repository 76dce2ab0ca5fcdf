"""Fig. B4."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, TwoPointRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.figures.two_point_panels import FULL, TWO_POINT
from linear_grokking.theory.margin import limit_gen_accuracy, separable_gen_accuracy

TITLE = "Dynamics of the two-point model beside the full model's (Paper B, Fig. 4 and ICML Fig. 8)"
_LOSS_RANGE = (1e-7, 1e5)
"""Both models' losses, up to where the separable two-point model's diverges."""


class Options(FigureOptions):
    """What Fig. B4 is drawn from."""

    two_point: TwoPointRuns = Field(description="Runs of the two-point model, one per λ.")
    full: LogisticRuns = Field(description="Runs of the full model, one per λ.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by model and λ, with their limits.

    Series ``limit`` is the generalization accuracy at t → ∞: of the full model for large N.
    """
    builder = TableBuilder()
    for role, model in (("two_point", TWO_POINT), ("full", FULL)):
        for run in data.runs(role):
            lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
            shown = {"model": model, "lambda": lambda_}
            if model == FULL:
                shown["n_train"] = run.parameters["n_train"]
                limit = limit_gen_accuracy(lambda_, sigma)
            else:
                limit = separable_gen_accuracy(max(sigma * (2.0 * lambda_ - 1.0), 0.0), sigma)
            tabulate_dynamics(builder, run, shown)
            builder.add("accuracy", "limit", "theory", time_span(run), limit, shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw one column for each model, losses above accuracies."""
    figure, axes = style.new_panels(2, 2, height=4.3)
    colours = style.colours_of(table["lambda"])
    size = style.size_label(table)
    titles = {TWO_POINT: "two-point model", FULL: f"full model, {size}"}
    for column, (model, title) in zip(axes.T, titles.items(), strict=True):
        draw_dynamics(column, rows(table, model=model), "lambda", colours)
        column[0].set_ylim(_LOSS_RANGE)
        column[0].set_title(title)
    legends.of_values(axes[0, 0], "lambda", colours, loc="lower left")
    legends.of_dynamics(figure, table, limit=True, columns=3)
    return figure
