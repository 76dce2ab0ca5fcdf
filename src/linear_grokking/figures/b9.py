"""Effect of the inputs' standard deviation σ (Paper B, App. F.1)."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures.logistic_panels import draw_four_panels, tabulate_with_limits
from linear_grokking.figures.tables import FigureData, TableBuilder


class Options(FigureOptions):
    """What Fig. B9 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs, one per σ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by sigma, with their limits at t → ∞."""
    builder = TableBuilder()
    runs, sets = data.runs("dynamics"), data.runs("separability")
    tabulate_with_limits(builder, runs, sets, "sigma", data.threshold)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, ‖S‖ and b."""
    return draw_four_panels(table, "sigma")
