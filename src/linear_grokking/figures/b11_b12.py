"""Figs. B11 and B12."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics
from linear_grokking.figures.logistic_panels import (
    DYNAMICS_PANELS,
    check_partners,
    paired_draws,
    tabulate_with_limits,
)
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLES = {
    "B11": "Effect of the initial weight norm (Paper B, App. F.3)",
    "B12": "Effect of the initial bias (Paper B, App. F.3)",
}
KEYS = {"B11": "s0_norm", "B12": "b0"}
"""The parameter that each figure varies."""


_PEAK: Mapping[str, Any] = {"marker": "v", "markersize": 7, "linestyle": "", **style.EDGE}


class Options(FigureOptions):
    """What the figure is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs, one per value of ‖S₀‖ or b₀.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    check_partners(data, ["dynamics"], "separability")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by the figure's parameter, with their limits at t → ∞.

    Series ``peak`` is the highest point of the median generalization loss where it rises above
    the first one.
    """
    builder, key = TableBuilder(), KEYS[data.figure]
    tabulate_with_limits(builder, data, key)
    for run in paired_draws(data.runs("dynamics")):
        loss = run.curve("gen_loss")
        top = loss.loc[loss["median"].idxmax()]
        if top["median"] > loss["median"].iloc[0]:
            shown = {key: run.parameters[key]}
            builder.add("loss", "peak", "experiment", top["step"], top["median"], shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, ‖S‖ and b."""
    (key,) = set(KEYS.values()) & set(table.columns)
    figure, axes = style.new_panels(2, 2, height=4.3)
    colours = style.colours_of(table[key])
    peaks = rows(table, series="peak")
    draw_dynamics(axes.flat, table.drop(peaks.index), key, colours, DYNAMICS_PANELS)
    for value, peak in peaks.groupby(key):
        axes[0, 0].plot(peak["x"], peak["y"], color=colours[value], zorder=5, **_PEAK)
    legends.of_values(axes[0, 0], key, colours, loc="lower left")
    peak = legends.line("largest generalization loss", color=legends.GREY, **_PEAK)
    legends.of_dynamics(figure, table, limit=True, also=[peak], columns=3)
    return figure
