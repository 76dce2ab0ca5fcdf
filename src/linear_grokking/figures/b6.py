"""Fig. B6."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory import large_size

TITLE = "Positive outputs of S_∞, and the fraction of separable sets (Paper B, App. E.1, Fig. 6)"


class Options(FigureOptions):
    """What Fig. B6 is drawn from."""

    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    margins: SeparabilityRuns = Field(description="Separability runs above λ = ½ (E2).")
    lambda_: Span = Field(alias="lambda", description="Range of λ of the large-size curve.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: positive fraction and separable fraction against λ."""
    builder = TableBuilder()
    runs, panel = data.runs("statistics"), "positive_fraction"
    panels.tabulate_statistic(builder, runs, panel)
    values, limit = options.lambda_.linear(), large_size.CRITICAL_POSITIVE_FRACTION
    curve = np.append(large_size.positive_fraction(values), limit)
    builder.add(panel, "large_size", "theory", np.append(values, panels.CRITICAL), curve)
    builder.add(panel, "critical", "theory", [values[0], panels.CRITICAL], limit)
    panels.tabulate_separable_fraction(builder, [*runs, *data.runs("margins")])
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw both panels."""
    figure, axes = style.new_panels(1, 2)
    theory = {"large_size": style.LARGE_SIZE, "critical": panels.AT_CRITICAL}
    label = r"fraction with $S_\infty\cdot x_i > 0$"
    panels.draw_statistic(axes[0], table, "positive_fraction", label, theory, place="lower left")
    # Room for the legend below the limit.
    axes[0].set_ylim(bottom=large_size.CRITICAL_POSITIVE_FRACTION - 0.13)
    fractions = rows(table, "separable_fraction")
    colours = dict.fromkeys(fractions["n_train"], panels.MEDIAN)
    panels.draw_fractions(axes[1], table, "n_train", colours)
    points = legends.mark(f"{style.size_label(fractions)}, 95 % interval", panels.MEDIAN)
    legends.add(axes[1], [legends.line(**panels.WENDEL_LINE), points], loc="lower right")
    return figure
