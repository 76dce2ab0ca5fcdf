"""Fig. B7."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, SeparabilityRuns
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures import style
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory import large_size, margin

TITLE = "Mean of the positive outputs, and margin, against λ (Paper B, App. C)"


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
    panels.tabulate_statistic(builder, data.runs("statistics"), "positive_mean")
    panels.tabulate_statistic(builder, data.runs("margins"), "margin")

    values = options.lambda_.linear()
    below, above = values[values <= panels.LARGEST_BELOW], values[values >= panels.CRITICAL]
    mean = large_size.positive_mean(below)
    builder.add("positive_mean", "large_size", "theory", below, mean)
    ends, limit = [options.lambda_.start, panels.CRITICAL], large_size.CRITICAL_POSITIVE_MEAN
    builder.add("positive_mean", "critical", "theory", ends, limit)
    builder.add("margin", "large_size", "theory", above, margin.mean_margin(above))
    slope = margin.MARGIN_SLOPE * (2.0 * above - 1.0)
    builder.add("margin", "critical", "theory", above, slope)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw both panels."""
    figure, axes = style.new_panels(1, 2)
    theory = {"large_size": style.LARGE_SIZE, "critical": panels.AT_CRITICAL}
    label = r"mean of $S_\infty\cdot x_i > 0$"
    panels.draw_statistic(axes[0], table, "positive_mean", label, theory)
    slope = {**panels.AT_CRITICAL, "label": r"$\sqrt{\pi/8}\,(2\lambda-1)$"}
    panels.draw_statistic(axes[1], table, "margin", "margin $M$", {**theory, "critical": slope})
    axes[1].locator_params(axis="x", nbins=5)
    return figure
