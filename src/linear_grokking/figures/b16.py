"""Fig. B16."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import label_fraction, threshold_labels

TITLE = "A share r of labels −1: decided by x₁ (Paper B, Fig. 16) or at random (beyond Paper B)"
_PANELS = logistic.DYNAMICS_PANELS[:3]
_ROWS = {"threshold": ("dynamics", "labels by $x_1$"), "random": ("random", "random labels")}
"""How labels are assigned → the role of the runs, and the name in the figure."""


class Options(FigureOptions):
    """What Fig. B16 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs with labels: threshold, one per r.")
    random: LogisticRuns = Field(description="Runs with labels: random, one per r.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `dynamics`: for r = 1."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    logistic.check_partners(data, [role for role, _ in _ROWS.values()], "separability")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by labels and r, with the limits at t → ∞ of the accuracy.

    Series ``constant`` is r, the accuracy of always answering -1.
    """
    builder = TableBuilder()
    for labels, (role, _) in _ROWS.items():
        runs = logistic.paired_draws(data.runs(role))
        for run, partner in logistic.pair_runs(runs, data.runs("separability")):
            r = run.parameters["label_fraction"]
            shown = {"labels": labels, "label_fraction": r}
            tabulate_dynamics(builder, run, shown, _PANELS)
            ends = time_span(run)
            builder.add("accuracy", "constant", "theory", ends, r, shown)
            if r == 1:
                limits = logistic.limit_accuracies(run, partner)
                logistic.tabulate_limit_lines(builder, run, limits, shown)
            elif (limit := _LIMITS[labels](run)) is not None:
                builder.add("accuracy", "large_size_limit", "theory", ends, limit, shown)
    return builder.frame()


def random_limit(run: RunResult) -> float | None:
    """Return the large-size limit of the accuracy on random labels; None below λ_c(r)."""
    lambda_, r, sigma = (run.parameters[key] for key in _DETERMINING)
    if lambda_ <= label_fraction.separability_threshold(r):
        return None
    negative = label_fraction.limit_negative_fraction(lambda_, r, sigma)
    return label_fraction.assigned_accuracy(negative, r)


def threshold_limit(run: RunResult) -> float:
    """Return the large-size limit of the accuracy on labels decided by x₁."""
    return threshold_labels.limit_gen_accuracy(*(run.parameters[key] for key in _DETERMINING))


_DETERMINING = ("lambda", "label_fraction", "sigma")
_LIMITS = {"threshold": threshold_limit, "random": random_limit}


def draw(table: pd.DataFrame) -> Figure:
    """Draw a row of loss, accuracy and ‖S‖ for each way of assigning labels."""
    figure, axes = style.new_panels(len(_ROWS), len(_PANELS), height=4.2)
    colours = style.colours_of(table["label_fraction"], reverse=True)
    for line, (labels, (_, name)) in zip(axes, _ROWS.items(), strict=True):
        curves = rows(table, labels=labels)
        constant = rows(curves, series="constant")
        draw_dynamics(line, curves.drop(constant.index), "label_fraction", colours, _PANELS)
        for r, ends in constant.groupby("label_fraction"):
            line[1].plot(ends["x"], ends["y"], color=colours[r], linewidth=0.8, zorder=1)
        line[1].set_title(name)
    legends.of_values(axes[0, 0], "label_fraction", colours, loc="lower left")
    constant = legends.line("always answering $-1$", color=style.PAPER, linewidth=0.8)
    legends.add(axes[1, 1], [constant], loc="lower right")
    legends.of_dynamics(figure, table, limit=True, large_size=True, columns=3)
    return figure
