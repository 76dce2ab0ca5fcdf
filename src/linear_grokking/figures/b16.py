"""Fig. B16."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, transformed
from linear_grokking.models.expectations import accuracy_against_minus_one
from linear_grokking.theory.label_fraction import (
    assigned_accuracy,
    limit_negative_fraction,
    separability_threshold,
)

TITLE = "Effect of labels assigned at random: a fraction r of -1, the rest +1 (Paper B, Fig. 16)"
_AGAINST_MINUS_ONE = "accuracy_minus_one"


class Options(FigureOptions):
    """What Fig. B16 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs, one per label fraction r > ½.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`: for r = 1."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by r, accuracies against both labels, caps and limits.

    Panel ``accuracy`` is against assigned labels; there series ``cap`` is r, what the best
    classifier reaches.  Panel ``accuracy_minus_one`` holds P(f < 0).
    """
    builder = TableBuilder()
    runs = logistic.paired_draws(data.runs("dynamics"))
    for run, partner in logistic.pair_runs(runs, data.runs("separability")):
        r, lambda_ = run.parameters["label_fraction"], run.parameters["lambda"]
        shown = {"label_fraction": r}
        tabulate_dynamics(builder, run, shown, logistic.DYNAMICS_PANELS)
        assigned = run.curve("gen_accuracy")
        curve = transformed(assigned, lambda values, r=r: accuracy_against_minus_one(values, r))
        builder.add_summary(_AGAINST_MINUS_ONE, "generalization", curve["step"], curve, shown)
        ends = time_span(run)
        builder.add("accuracy", "cap", "theory", ends, r, shown)
        if r == 1:
            limits = logistic.limit_accuracies(run, partner)
            logistic.tabulate_limit_lines(builder, run, limits, shown)
            limit = limits["limit"].median()
            builder.add(_AGAINST_MINUS_ONE, "limit", "experiment", ends, limit, shown)
        elif lambda_ > separability_threshold(r):
            limit = limit_negative_fraction(lambda_, r, run.parameters["sigma"])
            builder.add("accuracy", "limit", "theory", ends, assigned_accuracy(limit, r), shown)
            builder.add(_AGAINST_MINUS_ONE, "limit", "theory", ends, limit, shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies against both labels, and ‖S‖."""
    figure, axes = style.new_panels(2, 2, height=2.1)
    colours = style.colours_of(table["label_fraction"], reverse=True)
    caps = rows(table, series="cap")
    panels = ("loss", "accuracy", "weight_norm", _AGAINST_MINUS_ONE)
    draw_dynamics(axes.flat, table.drop(caps.index), "label_fraction", colours, panels)
    assigned, minus_one = axes[:, 1]
    for r, cap in caps.groupby("label_fraction"):
        assigned.plot(cap["x"], cap["y"], color=colours[r], linewidth=0.8, zorder=1)
    assigned.set_ylabel("accuracy, assigned labels")
    minus_one.set(ylabel=r"accuracy, label $-1$ for all", ylim=assigned.get_ylim())
    legends.of_values(axes[0, 0], "label_fraction", colours, loc="lower left")
    cap = legends.line("cap $r$", color=style.PAPER, linewidth=0.8)
    legends.add(assigned, [cap], loc="lower right")
    legends.of_dynamics(figure, table, limit=True)
    return figure
