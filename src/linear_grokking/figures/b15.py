"""Fig. B15."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory import anisotropic, margin

_MEASURED = style.GREEN
"""A colour that no λ has."""

TITLE = "Other laws symmetric about the origin: the same transition at λ = ½ (ICML App. G)"
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

    Series ``large_size_limit`` is the generalization accuracy at t → ∞ for large N.
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        shown = {key: run.parameters[key] for key in ("law", "lambda")}
        tabulate_dynamics(builder, run, shown)
        if run.parameters["law"] in _TITLES:  # others have no limit that is known
            limit = _limit(run.parameters)
            builder.add("accuracy", "large_size_limit", "theory", time_span(run), limit, shown)
    panels.tabulate_separable_fraction(builder, data.runs("statistics"), ("n_train", "law"))
    return builder.frame()


def _limit(parameters: Mapping[str, Any]) -> float:
    lambda_, sigma = parameters["lambda"], parameters["sigma"]
    if parameters["law"] == "anisotropic":
        condition = parameters["condition"]
        return anisotropic.limit_gen_accuracy(lambda_=lambda_, sigma=sigma, condition=condition)
    # The centres of a mixture lie on one of d axes: for large N they make no difference.
    return float(margin.limit_gen_accuracy(lambda_, sigma))


def draw(table: pd.DataFrame) -> Figure:
    """Draw one row for each law: loss, accuracy, fraction of separable sets."""
    laws = list(table["law"].dropna().unique())
    figure, axes = style.new_panels(len(laws), 3, height=0.4 + 1.9 * len(laws), squeeze=False)
    colours = style.colours_of(table["lambda"])
    wendel = table["series"] == "wendel"
    for row, law in zip(axes, laws, strict=True):
        curves = table[(table["law"] == law) | wendel]
        draw_dynamics(row[:2], curves, "lambda", colours)
        row[0].set_title(_TITLES.get(law, law.replace("_", " ")))
        panels.draw_fractions(row[2], curves, "law", {law: _MEASURED})
        row[2].locator_params(axis="x", nbins=5)
    legends.of_values(axes[0, 0], "lambda", colours, loc="lower left")
    size = style.size_label(rows(table, "separable_fraction"))
    points = legends.mark(f"{size}, 95 % interval", _MEASURED)
    also = [legends.line(**panels.WENDEL_LINE), points]
    legends.of_dynamics(figure, table, large_size=True, also=also, columns=4)
    return figure
