"""Fig. B9."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics
from linear_grokking.figures.logistic_panels import (
    DYNAMICS_PANELS,
    check_partners,
    tabulate_with_limits,
)
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLE = "Effect of the inputs' standard deviation σ, below and above λ = ½ (Paper B, App. F.1)"


class Options(FigureOptions):
    """What Fig. B9 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs, one per λ and σ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    check_partners(data, ["dynamics"], "separability")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ and σ, with their limits at t → ∞."""
    builder = TableBuilder()
    tabulate_with_limits(builder, data, "lambda", "sigma")
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of loss, accuracy and ‖S‖ for each λ."""
    panels = DYNAMICS_PANELS[:3]
    colours = style.colours_of(table["sigma"])
    lambdas = style.colours_of(table["lambda"])
    figure, axes = style.new_panels(len(panels), len(lambdas), downwards=True, squeeze=False)
    # The limit of σ‖S‖ is the same for all σ.
    scaled = table["y"] * table["sigma"].where(table["panel"] == "weight_norm", 1.0)
    spread = {k: table[k] * (scaled / table["y"]).fillna(1.0) for k in ("y_low", "y_high")}
    table = table.assign(y=scaled, **spread)
    for column, lambda_ in zip(axes.T, lambdas, strict=True):
        draw_dynamics(column, rows(table, lambda_=lambda_), "sigma", colours, panels)
        column[2].set_ylabel(r"$\sigma\|S\|$")
        column[0].set_title(style.label("lambda", lambda_))
    legends.of_values(axes[0, 0], "sigma", colours, loc="lower left")
    legends.of_dynamics(figure, table, limit=True)
    return figure
