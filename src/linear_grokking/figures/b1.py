"""Dynamics below, near and above λ = ½, and how they end (Paper B, Fig. 1)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import line_styles_legend
from linear_grokking.figures.logistic_panels import (
    draw_columns,
    limit_accuracies,
    pair_runs,
    tabulate_limit_lines,
    tabulate_limits,
    tabulate_runs,
    tabulate_t95,
)
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.separability_panels import (
    CRITICAL,
    MEAN,
    MEDIAN,
    draw_statistic,
    tabulate_statistic,
)
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory import large_size, margin, two_point


class Options(FigureOptions):
    """What Fig. B1 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs of the three columns, one per λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of sets of `dynamics`: where they lead."
    )
    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    final_dynamics: LogisticRuns = Field(description="Dynamics over a range of λ (E3).")
    final_separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `final_dynamics` (E3)."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the theory curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ; ‖S_∞‖, final accuracy and t₉₅ against λ."""
    builder = TableBuilder()
    tabulate_runs(builder, data.runs("dynamics"), "lambda")
    for run, sets in pair_runs(data.runs("dynamics"), data.runs("separability")):
        limits = limit_accuracies(run, sets)
        tabulate_limit_lines(builder, run, limits, {"lambda": run.parameters["lambda"]})
    tabulate_statistic(builder, data.runs("statistics"), "s_inf_norm", "s_inf_norm")
    pairs = pair_runs(data.runs("final_dynamics"), data.runs("final_separability"))
    tabulate_limits(builder, pairs)
    tabulate_t95(builder, pairs, data.threshold)

    span = options.lambda_
    values = np.linspace(span.start, span.stop, span.points)
    below = values[values < CRITICAL]
    builder.add("s_inf_norm", "large_size", "theory", below, large_size.limit_norm(below))
    builder.add("s_inf_norm", "two_point", "theory", below, two_point.s_infinity(below, 1.0))
    parameters = pairs[0][0].parameters
    accuracy = margin.limit_gen_accuracy(values, parameters["sigma"])
    builder.add("final_accuracy", "margin", "theory", values, accuracy)
    log_time = large_size.log_time_to_accuracy(below, parameters["eta"], data.threshold)
    builder.add("grokking_time", "t95", "theory", below, np.exp(np.minimum(log_time, 700.0)))
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw three columns of dynamics, and the right column against λ."""
    figure, axes = draw_columns(table, spare=1)
    _draw_limit_norm(axes[0, -1], table)
    _draw_final_accuracy(axes[1, -1], table)
    _draw_times(axes[2, -1], table)
    line_styles_legend(figure, theory=True, limit=True)
    return figure


def _draw_limit_norm(axes, table: pd.DataFrame) -> None:
    theory = {
        "large_size": {"color": style.THEORY, "linewidth": 0.9, "label": r"$N\to\infty$"},
        "two_point": {
            "color": style.PAPER,
            "linewidth": 1.2,
            "linestyle": "--",
            "label": "two-point model",
        },
    }
    draw_statistic(axes, table, "s_inf_norm", theory)
    axes.set_ylabel(r"$\|S_\infty\|$")
    rows = table[(table["panel"] == "s_inf_norm") & (table["source"] == "experiment")]
    finite = rows.loc[np.isfinite(rows["y"]), "y"]
    # Where the median of every run is infinite, theory alone sets the scale.
    axes.set_ylim(0, 1.15 * finite.max() if len(finite) else None)
    axes.set_xlim(rows["x"].min() - 0.01, 0.505)


def _draw_final_accuracy(axes, table: pd.DataFrame) -> None:
    line = {"color": style.THEORY, "linewidth": 0.9, "label": r"$N\to\infty$"}
    handles = draw_lines(axes, table, "final_accuracy", "margin", line)
    rows = table[(table["panel"] == "final_accuracy") & (table["source"] == "experiment")]
    for series, colour, marker, label in (
        ("at_t_max", style.SKY, "v", "when the run ends"),
        ("median", MEDIAN, "o", r"$t\to\infty$, median"),
        ("mean", MEAN, "s", r"$t\to\infty$, mean"),
    ):
        draw_points(axes, rows[rows["series"] == series], colour, marker=marker)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=label))
    axes.set_xlabel(style.SYMBOLS["lambda"])
    axes.set_ylabel("final accuracy")
    axes.axvline(CRITICAL, color=style.PAPER, linewidth=0.8, linestyle=":")
    axes.legend(handles=handles, loc="lower left").set_in_layout(False)


def _draw_times(axes, table: pd.DataFrame) -> None:
    rows = table[table["panel"] == "grokking_time"]
    line = {"color": style.THEORY, "linewidth": 0.9, "label": r"$N\to\infty$"}
    handles = draw_lines(axes, table, "grokking_time", "t95", line)
    axes.set_yscale("log")
    finite = rows.loc[(rows["source"] == "experiment") & np.isfinite(rows["y"]), "y"]
    axes.set_ylim(1, 1e4 * finite.max() if len(finite) else 1e10)
    draw_points(axes, rows[rows["source"] == "experiment"], MEDIAN)
    handles += [
        Line2D([], [], color=MEDIAN, marker="o", linestyle="", label="median, quartiles"),
        Line2D(
            [], [], color=MEDIAN, marker="^", markerfacecolor="none", linestyle="", label="never"
        ),
    ]
    axes.set_xlabel(style.SYMBOLS["lambda"])
    axes.set_ylabel(r"time of 95 % accuracy (steps)")
    axes.axvline(CRITICAL, color=style.PAPER, linewidth=0.8, linestyle=":")
    axes.legend(handles=handles, loc="upper left").set_in_layout(False)
