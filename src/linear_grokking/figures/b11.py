"""Effect of the initial weights' norm (Paper B, App. F.3)."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures.logistic_panels import draw_four_panels, tabulate_with_limits
from linear_grokking.figures.tables import FigureData, TableBuilder


class Options(FigureOptions):
    """What Fig. B11 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs, one per ‖S₀‖.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by s0_norm, with their limits at t → ∞."""
    builder = TableBuilder()
    runs, sets = data.runs("dynamics"), data.runs("separability")
    tabulate_with_limits(builder, runs, sets, "s0_norm", data.threshold)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, ‖S‖ and b."""
    return draw_four_panels(table, "s0_norm")
