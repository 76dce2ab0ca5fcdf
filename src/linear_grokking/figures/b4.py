"""Dynamics of the two-point model beside the full model's (Paper B, Fig. 4 and ICML Fig. 8)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, TwoPointRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import (
    draw_dynamics,
    line_styles_legend,
    panel_letters,
    tabulate_dynamics,
    value_legend,
)
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.figures.two_point_panels import FULL, TWO_POINT
from linear_grokking.theory.margin import limit_gen_accuracy, separable_gen_accuracy

_LOSS_RANGE = (1e-7, 1e5)
"""Both models' losses, up to where the separable two-point model's diverges."""
_PANELS = ("loss", "accuracy")


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
            shown = {"model": model, "lambda": run.parameters["lambda"]}
            if model == FULL:
                shown["n_train"] = run.parameters["n_train"]
            tabulate_dynamics(builder, run, shown, _PANELS)
            _tabulate_limit(builder, run, shown)
    return builder.frame()


def _tabulate_limit(builder: TableBuilder, run: RunResult, shown: dict) -> None:
    lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
    if shown["model"] == FULL:
        limit = limit_gen_accuracy(lambda_, sigma)
    else:
        limit = separable_gen_accuracy(max(sigma * (2.0 * lambda_ - 1.0), 0.0), sigma)
    steps = run.curve("gen_accuracy")["step"]
    ends = [steps[steps > 0].min(), steps.max()]
    builder.add("accuracy", "limit", "theory", ends, np.full(2, limit), parameters=shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw one column for each model, losses above accuracies."""
    figure = style.new_figure(2, 2.1)
    axes = figure.subplots(2, 2)
    colours = style.colours(sorted(table["lambda"].unique()))
    for column, model in enumerate((TWO_POINT, FULL)):
        rows = table[table["model"] == model]
        for row, panel in enumerate(_PANELS):
            draw_dynamics(axes[row, column], rows, panel, "lambda", colours)
        axes[0, column].set_ylim(_LOSS_RANGE)
    axes[0, 0].set_title("two-point model")
    size = int(table.loc[table["model"] == FULL, "n_train"].iloc[0])
    axes[0, 1].set_title(f"full model, {style.label('n_train', size)}")
    value_legend(axes[0, 0], "lambda", colours, loc="lower left")
    panel_letters(axes.ravel())
    line_styles_legend(figure, theory=False, limit=True, columns=3)
    return figure
