"""Fig. B13."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends
from linear_grokking.figures.logistic_panels import draw_columns, tabulate_with_limits
from linear_grokking.figures.tables import FigureData, TableBuilder

TITLE = "Dynamics with the exponential loss from the start (Paper B, App. F.4)"


class Options(FigureOptions):
    """What Fig. B13 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs with the exponential loss, one per λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ, with their limits at t → ∞."""
    builder = TableBuilder()
    tabulate_with_limits(builder, data, "lambda")
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of loss, accuracy, and ‖S‖ with b, for each λ."""
    figure, _ = draw_columns(table)
    legends.of_dynamics(figure, table, limit=True)
    return figure
