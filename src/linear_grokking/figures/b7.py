"""Fig. B7."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, SeparabilityRuns
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures import style
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory import large_size, margin

TITLE = "Mean positive projection and margin against λ (Paper B, App. E.1, Fig. 7)"


class Options(FigureOptions):
    """What Fig. B7 is drawn from."""

    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    margins: SeparabilityRuns = Field(
        description="Separability runs above λ = ½, with margins (E2)."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the large-size curves.")


def check(data: FigureData) -> None:
    """See `registry`."""
    if not all(run.parameters["margin"] for run in data.runs("margins")):
        raise ValueError("margins: its runs must have margin: true")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: mean positive projection and output below λ = ½, margin above it.

    Panel ``positive_projection`` is the mean of positive x·S_∞/‖S_∞‖, as in the paper, and
    ``positive_mean`` that of positive x·S_∞.  Series ``critical`` is the first order at λ = ½, and
    ``two_point`` the two-point model's 1-2λ and 2λ-1.
    """
    builder = TableBuilder()
    for quantity in ("positive_projection", "positive_mean"):
        panels.tabulate_statistic(builder, data.runs("statistics"), quantity)
    panels.tabulate_statistic(builder, data.runs("margins"), "margin")

    values = options.lambda_.linear()
    below, above = values[values <= panels.LARGEST_BELOW], values[values >= panels.CRITICAL]
    to_half = np.append(below, panels.CRITICAL)
    root = np.sqrt(1.0 - 2.0 * to_half) / large_size.CRITICAL_NORM
    mean = large_size.CRITICAL_POSITIVE_MEAN
    projection = np.append(large_size.normalized_positive_mean(below), 0.0)
    output = np.append(large_size.positive_mean(below), mean)
    for panel, x, curve, first_order in (
        ("positive_projection", to_half, projection, mean * root),
        ("positive_mean", to_half, output, mean),
        ("margin", above, margin.mean_margin(above), margin.MARGIN_SLOPE * (2.0 * above - 1.0)),
    ):
        builder.add(panel, "large_size", "theory", x, curve)
        builder.add(panel, "critical", "theory", x, first_order)
    builder.add("positive_projection", "two_point", "paper", to_half, 1.0 - 2.0 * to_half)
    builder.add("margin", "two_point", "paper", above, 2.0 * above - 1.0)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw the paper's two panels, and the outputs."""
    figure, axes = style.new_panels(1, 3, height=2.35)
    for each, (panel, label, critical, two_point, place) in zip(
        axes,
        (
            (
                "positive_projection",
                r"mean positive $S_\infty\cdot x_i/\sigma\Vert S_\infty\Vert$",
                r"$0.276\,\sqrt{1-2\lambda}$",
                r"two-point model: $1-2\lambda$",
                "lower left",
            ),
            (
                "margin",
                r"margin $M/\sigma$",
                r"$\sqrt{\pi/8}\,(2\lambda-1)$",
                r"two-point model: $2\lambda-1$",
                "upper left",
            ),
            (
                "positive_mean",
                r"mean positive $S_\infty\cdot x_i$",
                r"limit at $\lambda=\frac{1}{2}$",
                None,
                "lower left",
            ),
        ),
        strict=True,
    ):
        theory = {
            "large_size": style.LARGE_SIZE,
            "critical": {**panels.AT_CRITICAL, "linestyle": ":", "label": critical},
        }
        if two_point:
            theory["two_point"] = {**panels.AT_CRITICAL, "label": two_point}
        panels.draw_statistic(each, table, panel, label, theory, place=place)
        each.locator_params(axis="x", nbins=5)
    axes[0].set_ylim(bottom=-0.04)  # room for the legend
    axes[1].set_ylim(top=1.3 * rows(table, "margin", "two_point")["y"].max())
    # Room for the legend below the limit.
    axes[2].set_ylim(bottom=large_size.CRITICAL_POSITIVE_MEAN - 0.04)
    return figure
