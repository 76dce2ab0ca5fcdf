"""Figs. B11 and B12."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics
from linear_grokking.figures.logistic_panels import DYNAMICS_PANELS, tabulate_with_limits
from linear_grokking.figures.tables import FigureData, TableBuilder

TITLES = {
    "B11": "Effect of the initial weights' norm (Paper B, App. F.3)",
    "B12": "Effect of the initial bias (Paper B, App. F.3)",
}
KEYS = {"B11": "s0_norm", "B12": "b0"}
"""The parameter that each figure varies."""


class Options(FigureOptions):
    """What the figure is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs, one per value of ‖S₀‖ or b₀.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by the figure's parameter, with their limits at t → ∞."""
    builder = TableBuilder()
    tabulate_with_limits(builder, data, KEYS[data.figure])
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, ‖S‖ and b."""
    (key,) = set(KEYS.values()) & set(table.columns)
    figure, axes = style.new_panels(2, 2, height=2.1)
    colours = style.colours_of(table[key])
    draw_dynamics(axes.flat, table, key, colours, DYNAMICS_PANELS)
    legends.of_values(axes[0, 0], key, colours, loc="lower left")
    legends.of_dynamics(figure, table, limit=True)
    return figure
