"""Outputs of the limit direction, and the fraction of separable sets (Paper B, App. C)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figures import FigureOptions, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters
from linear_grokking.figures.separability_panels import (
    draw_separable_fraction,
    draw_statistic,
    tabulate_separable_fraction,
    tabulate_statistic,
)
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory import large_size


class Options(FigureOptions):
    """What Fig. B6 is drawn from."""

    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    lambda_: Span = Field(alias="lambda", description="Range of λ of the large-size curve.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: positive fraction and separable fraction against λ."""
    builder = TableBuilder()
    runs = data.runs("statistics")
    tabulate_statistic(builder, runs, "positive_fraction", "positive_fraction")
    span = options.lambda_
    values = np.linspace(span.start, span.stop, span.points)
    builder.add(
        "positive_fraction", "large_size", "theory", values, large_size.positive_fraction(values)
    )
    builder.add(
        "positive_fraction",
        "critical",
        "theory",
        [span.start, 0.5],
        [large_size.CRITICAL_POSITIVE_FRACTION] * 2,
    )
    tabulate_separable_fraction(builder, runs)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw both panels."""
    figure = style.new_figure(2, 1)
    axes = figure.subplots(1, 2)
    draw_statistic(
        axes[0],
        table,
        "positive_fraction",
        {
            "large_size": {"color": style.THEORY, "linewidth": 0.9, "label": r"$N\to\infty$"},
            "critical": {
                "color": style.PAPER,
                "linewidth": 0.9,
                "linestyle": "--",
                "label": r"limit at $\lambda=\frac{1}{2}$",
            },
        },
    )
    axes[0].set_ylabel(r"fraction of $S_\infty\cdot x_i > 0$")
    draw_separable_fraction(axes[1], table)
    panel_letters(axes)
    return figure
