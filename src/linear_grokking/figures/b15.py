"""Other laws symmetric about the origin: the same transition at λ = ½ (ICML App. G)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import (
    draw_dynamics,
    line_styles_legend,
    panel_letters,
    tabulate_dynamics,
    value_legend,
)
from linear_grokking.figures.logistic_panels import time_span
from linear_grokking.figures.separability_panels import (
    MEDIAN,
    WENDEL_LINE,
    draw_fractions,
    tabulate_separable_fraction,
)
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory import anisotropic, margin

_TITLES = {
    "gaussian": "isotropic Gaussian",
    "anisotropic": "anisotropic Gaussian",
    "mixture": "mixture of two Gaussians",
}


class Options(FigureOptions):
    """What Fig. B15 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs of each law, one per λ.")
    statistics: SeparabilityRuns = Field(description="Separability runs of the same laws.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by law and λ; separable fractions with Wendel's curve.

    Series ``limit`` is the generalization accuracy at t → ∞ for large N.
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        shown = {key: run.parameters[key] for key in ("law", "lambda")}
        tabulate_dynamics(builder, run, shown, ("loss", "accuracy"))
        limit = np.full(2, _limit(run.parameters))
        builder.add("accuracy", "limit", "theory", time_span(run), limit, parameters=shown)
    tabulate_separable_fraction(builder, data.runs("statistics"), ("n_train", "law"))
    return builder.frame()


def _limit(parameters: Mapping[str, Any]) -> float:
    lambda_, sigma = parameters["lambda"], parameters["sigma"]
    if parameters["law"] == "anisotropic":
        condition = parameters["condition"]
        return anisotropic.limit_gen_accuracy(lambda_=lambda_, sigma=sigma, condition=condition)
    # The centres of a mixture lie on one axis of d: for large N they make no difference.
    return float(margin.limit_gen_accuracy(lambda_, sigma))


def draw(table: pd.DataFrame) -> Figure:
    """Draw one row for each law: loss, accuracy, fraction of separable sets."""
    laws = list(table["law"].dropna().unique())
    figure = style.new_figure(3, 1.05 * len(laws))
    axes = figure.subplots(len(laws), 3, squeeze=False)
    colours = style.colours(sorted(table["lambda"].dropna().unique()))
    wendel = table["series"] == "wendel"
    for row, law in zip(axes, laws, strict=True):
        rows = table[(table["law"] == law) | wendel]
        for each, panel in zip(row, ("loss", "accuracy"), strict=False):
            draw_dynamics(each, rows, panel, "lambda", colours)
        row[1].set_ylim(0.45, 1.03)
        draw_fractions(row[2], rows, "law", {law: MEDIAN})
        row[2].locator_params(axis="x", nbins=5)
        row[0].set_title(_TITLES[law])
    value_legend(axes[0, 0], "lambda", colours, loc="lower left")
    size = style.label("n_train", int(table["n_train"].dropna().iloc[0]))
    points = Line2D([], [], color=MEDIAN, marker="o", linestyle="", label=size)
    handles = [Line2D([], [], **WENDEL_LINE), points]
    axes[0, 2].legend(handles=handles, loc="lower right").set_in_layout(False)
    panel_letters(axes.ravel())
    line_styles_legend(figure, theory=False, limit=True)
    return figure
