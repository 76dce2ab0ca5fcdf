"""Fig. B5."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics
from linear_grokking.figures.logistic_panels import draw_norm_sizes, tabulate_by_verdict
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLE = "Adam just below λ = ½: accuracy stays at chance, then rises or does not (Paper B, Fig. 5)"
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
    tabulate_by_verdict(builder, data, "dynamics")
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, and the sizes of S and b."""
    figure, axes = style.new_panels(1, 3, height=2.35)
    draw_dynamics(axes[:2], table, "separable", COLOURS)
    draw_norm_sizes(axes[2], table, "separable", COLOURS)
    for each in axes:
        each.set_xlabel("step $t$ of Adam")
    axes[0].set_title(style.label("lambda", table["lambda"].iloc[0]))
    legends.add(axes[0], _verdicts(table), loc="lower left")
    chance = {"color": style.PAPER, "linewidth": 0.8, "linestyle": "--", "label": "chance"}
    axes[1].axhline(CHANCE, **chance)
    legends.add(axes[1], loc="lower right")
    legends.of_dynamics(figure, table, limit=True)
    return figure


def _verdicts(table: pd.DataFrame) -> list[Line2D]:
    """Say which colour shows separable draws and which the others, and which draws they are."""
    handles = []
    for verdict, draws in rows(table, "draws").groupby("separable"):
        which = "separable" if verdict else "not separable"
        numbers = ", ".join(f"{x:g}" for x in sorted(draws["x"]))
        label = f"{which}: {'draw' if len(draws) == 1 else 'draws'} {numbers}"
        handles.append(legends.line(label, color=COLOURS[verdict]))
    return handles
