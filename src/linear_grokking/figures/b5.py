"""Adam just below λ = ½: accuracy stays at chance, then rises or does not (Paper B, Fig. 5)."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import draw_dynamics, line_styles_legend, panel_letters
from linear_grokking.figures.logistic_panels import (
    draw_norm_sizes,
    limit_accuracies,
    pair_runs,
    tabulate_by_verdict,
    verdict_legend,
)
from linear_grokking.figures.tables import FigureData, TableBuilder

COLOURS = {False: style.BLUE, True: style.VERMILION}
CHANCE = 0.5


class Options(FigureOptions):
    """What Fig. B5 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs with Adam, at one λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics of separable draws and of the others."""
    builder = TableBuilder()
    for run, partner in pair_runs(data.runs("dynamics"), data.runs("separability")):
        limits = limit_accuracies(run, partner)
        tabulate_by_verdict(builder, run, limits, ["lambda", "solver"], data.threshold)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, and the sizes of S and b."""
    figure = style.new_figure(3, 1.15)
    axes = figure.subplots(1, 3)
    for each, panel in zip(axes, ("loss", "accuracy"), strict=False):
        draw_dynamics(each, table, panel, "separable", COLOURS)
        each.set_xlabel("step $t$ of Adam")
    axes[1].axhline(CHANCE, color=style.PAPER, linewidth=0.8, linestyle="--", label="chance")
    axes[1].legend(loc="lower right").set_in_layout(False)
    draw_norm_sizes(axes[2], table, "separable", COLOURS)
    axes[2].set_xlabel("step $t$ of Adam")
    verdict_legend(axes[0], table, COLOURS)
    axes[0].set_title(style.label("lambda", table["lambda"].iloc[0]))
    panel_letters(axes)
    line_styles_legend(figure, theory=False, limit=True)
    return figure
