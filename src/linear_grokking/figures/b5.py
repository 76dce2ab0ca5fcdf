"""Fig. B5."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLE = "Adam just below λ = ½: accuracy stays at chance, then rises (Paper B, Fig. 5)"
COLOURS = {False: style.BLUE, True: style.ORANGE}


class Options(FigureOptions):
    """What Fig. B5 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs with Adam, at one λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    logistic.check_partners(data, ["dynamics"], "separability", all_known=True)


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics of each draw, and whether it is separable.

    Panel ``draws`` lists them (x: the realization, y: 1 if separable).  Only draws that are not
    separable have limits at t → ∞: on the others Adam tends to the largest margin in the box
    (Fig. B19).

    Raises
    ------
    ValueError
        If separability is not known for all draws.
    """
    builder = TableBuilder()
    for run, partner in logistic.pair_runs(data.runs("dynamics"), data.runs("separability")):
        logistic.check_all_known(run, partner)
        limits = logistic.limit_accuracies(run, partner)
        for (verdict, draw_), theirs in limits.groupby(["separable", "realization"]):
            part = run.only([draw_])
            shown = {
                "lambda": run.parameters["lambda"],
                "separable": bool(verdict),
                "realization": draw_,
            }
            tabulate_dynamics(builder, part, shown, logistic.DYNAMICS_PANELS)
            if not verdict:
                logistic.tabulate_limit_lines(builder, part, theirs, shown)
            builder.add("draws", "realization", "experiment", draw_, float(verdict), shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies, and the sizes of S and b, a curve for each draw."""
    figure, axes = style.new_panels(1, 3, height=2.5)
    verdicts = rows(table, "draws").set_index("realization")["separable"].astype(bool)
    colours = {draw_: COLOURS[verdict] for draw_, verdict in verdicts.items()}
    draw_dynamics(axes[:2], table, "realization", colours)
    logistic.draw_norm_sizes(axes[2], table, "realization", colours)
    for each in axes:
        each.set_xlabel("step $t$ of Adam")
    axes[0].set_title(style.label("lambda", table["lambda"].iloc[0]))
    legends.add(axes[0], _verdicts(table), loc="lower left")
    axes[1].axhline(logistic.CHANCE, **style.REFERENCE)
    right = {"transform": axes[1].get_yaxis_transform(), "ha": "right", "va": "bottom"}
    axes[1].text(0.99, logistic.CHANCE, "chance", color=style.PAPER, fontsize=6.5, **right)
    legends.of_dynamics(figure, table, limit=True, columns=5)
    return figure


def _verdicts(table: pd.DataFrame) -> list[Line2D]:
    """Return legend entries for separable draws and for the others, with their numbers."""
    handles = []
    for verdict, draws in rows(table, "draws").groupby("separable"):
        which = "separable" if verdict else "not separable"
        label = f"{which} ({len(draws)} {'draw' if len(draws) == 1 else 'draws'})"
        handles.append(legends.line(label, color=COLOURS[bool(verdict)]))
    return handles
