"""Mean of the positive outputs, and margin, against λ (Paper B, App. C)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figures import FigureOptions, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters
from linear_grokking.figures.separability_panels import (
    CRITICAL,
    LARGEST_BELOW,
    draw_statistic,
    tabulate_statistic,
)
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory import large_size, margin

_LARGE_SIZE = {"color": style.THEORY, "linewidth": 0.9, "label": r"$N\to\infty$"}
_CRITICAL = {"color": style.PAPER, "linewidth": 0.9, "linestyle": "--"}


class Options(FigureOptions):
    """What Fig. B7 is drawn from."""

    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    margins: SeparabilityRuns = Field(
        description="Separability runs above λ = ½, with margins (E2)."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the large-size curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: mean positive output below λ = ½, margin above it.

    Series ``critical`` is the limit of the mean at λ = ½, and the margin's first order in
    2λ - 1 there.
    """
    builder = TableBuilder()
    tabulate_statistic(builder, data.runs("statistics"), "positive_mean", "positive_mean")
    tabulate_statistic(builder, data.runs("margins"), "margin", "margin")

    span = options.lambda_
    values = np.linspace(span.start, span.stop, span.points)
    below, above = values[values <= LARGEST_BELOW], values[values >= CRITICAL]
    mean = large_size.positive_mean(below)
    builder.add("positive_mean", "large_size", "theory", below, mean)
    constant = [large_size.CRITICAL_POSITIVE_MEAN] * 2
    builder.add("positive_mean", "critical", "theory", [span.start, CRITICAL], constant)
    builder.add("margin", "large_size", "theory", above, margin.mean_margin(above))
    slope = margin.MARGIN_SLOPE * (2.0 * above - 1.0)
    builder.add("margin", "critical", "theory", above, slope)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw both panels."""
    figure = style.new_figure(2, 1)
    axes = figure.subplots(1, 2)
    limit = {**_CRITICAL, "label": r"limit at $\lambda=\frac{1}{2}$"}
    draw_statistic(axes[0], table, "positive_mean", {"large_size": _LARGE_SIZE, "critical": limit})
    axes[0].set_ylabel(r"mean of $S_\infty\cdot x_i > 0$")
    slope = {**_CRITICAL, "label": r"$\sqrt{\pi/8}\,(2\lambda-1)$"}
    draw_statistic(axes[1], table, "margin", {"large_size": _LARGE_SIZE, "critical": slope})
    axes[1].set_ylabel("margin $M$")
    axes[1].locator_params(axis="x", nbins=5)
    panel_letters(axes)
    return figure
