"""Effect of labels assigned at random: a fraction r of -1, the rest +1 (Paper B, Fig. 16)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import (
    draw_dynamics,
    line_styles_legend,
    panel_letters,
    tabulate_dynamics,
    value_legend,
)
from linear_grokking.figures.logistic_panels import (
    DYNAMICS_PANELS,
    limit_accuracies,
    pair_runs,
    paired_draws,
    tabulate_limit_lines,
    time_span,
)
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.population import accuracy_against_minus_one
from linear_grokking.theory.label_fraction import limit_negative_fraction, separability_threshold

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
    runs = paired_draws(data.runs("dynamics"), data.threshold)
    for run, partner in pair_runs(runs, data.runs("separability")):
        r = run.parameters["label_fraction"]
        shown = {"label_fraction": r}
        tabulate_dynamics(builder, run, shown, DYNAMICS_PANELS)
        _tabulate_against_minus_one(builder, run)
        ends = time_span(run)
        builder.add("accuracy", "cap", "theory", ends, np.full(2, r), parameters=shown)
        if r == 1:
            limits = limit_accuracies(run, partner)
            tabulate_limit_lines(builder, run, limits, shown)
            limit = np.full(2, limits["limit"].median())
            builder.add(_AGAINST_MINUS_ONE, "limit", "experiment", ends, limit, parameters=shown)
        elif run.parameters["lambda"] > separability_threshold(r):
            sigma = run.parameters["sigma"]
            limit = limit_negative_fraction(run.parameters["lambda"], r, sigma)
            assigned = r * limit + (1.0 - r) * (1.0 - limit)
            for panel, value in (("accuracy", assigned), (_AGAINST_MINUS_ONE, limit)):
                builder.add(panel, "limit", "theory", ends, np.full(2, value), parameters=shown)
    return builder.frame()


def _tabulate_against_minus_one(builder: TableBuilder, run: RunResult) -> None:
    """Add P(f < 0) on fresh data: a linear function of the accuracy, and so its quantiles."""
    r = run.parameters["label_fraction"]
    curve = run.curve("gen_accuracy")
    median, low, high = (
        accuracy_against_minus_one(curve[name].to_numpy(float), r)
        for name in ("median", "q25", "q75")
    )
    builder.add(
        _AGAINST_MINUS_ONE,
        "generalization",
        "experiment",
        curve["step"],
        median,
        y_low=low,
        y_high=high,
        n=curve["n"],
        parameters={"label_fraction": r},
    )


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies against both labels, and ‖S‖."""
    figure = style.new_figure(2, 2.1)
    axes = figure.subplots(2, 2)
    colours = style.colours(sorted(table["label_fraction"].unique(), reverse=True))
    caps = table["series"] == "cap"
    panels = ("loss", "accuracy", "weight_norm", _AGAINST_MINUS_ONE)
    for each, panel in zip(axes.ravel(), panels, strict=True):
        draw_dynamics(each, table[~caps], panel, "label_fraction", colours)
    assigned, minus_one = axes[:, 1]
    for r, cap in table[caps].groupby("label_fraction"):
        assigned.plot(cap["x"], cap["y"], color=colours[r], linewidth=0.8, zorder=1)
    assigned.set_ylabel("accuracy, assigned labels")
    minus_one.set_ylabel(r"accuracy, label $-1$ for all")
    minus_one.set_ylim(assigned.get_ylim())
    cap = Line2D([], [], color=style.PAPER, linewidth=0.8, label="cap $r$")
    value_legend(axes[0, 0], "label_fraction", colours, loc="lower left")
    assigned.legend(handles=[cap], loc="lower right").set_in_layout(False)
    panel_letters(axes.ravel())
    line_styles_legend(figure, theory=False, limit=True)
    return figure
