"""Fig. A7.

According to the paper's Sec. 3.1.3, label noise leaves the dynamics unchanged and adds a constant
to the generalization loss.  That is an erratum: the student overfits (docs/errata.md).
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import linear_panels as panels
from linear_grokking.figures.points import draw_lines, draw_points, tabulate_scalar
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory.linear import gen_loss_floor
from linear_grokking.theory.linear_overfitting import gen_loss_minimum

TITLE = "Initialization scale and label noise in one-layer linear regression (beyond Paper A)"
KEYS = ["alpha", "noise"]
MINIMUM = "generalization_minimum"
MARKS = {
    "experiment": {"marker": "o", "linestyle": "", "markersize": 4.5, "zorder": 6, **style.EDGE},
    "theory": {"marker": "x", "linestyle": "", "markersize": 6, "zorder": 7},
}
"""How an overfitting minimum is drawn."""
NOISES = ("#C9A0C4", "#A2559A", "#6A1B60")
"""Colours of noise variances above 0, in ascending order; oranges stand for α in this figure."""


class Options(FigureOptions):
    """What Fig. A7 is drawn from."""

    scale: LinearRuns = Field(description="Runs of the upper row, one per α, without noise.")
    noise: LinearRuns = Field(description="Runs of the lower row, one per noise variance.")
    alpha_range: Span = Field(description="Range of α of the theory curve, log-spaced.")
    noise_range: Span = Field(
        description="Range of the noise variance of the theory curves, log-spaced."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by α and by noise, and what they lead to.

    Series ``generalization_minimum`` of panel ``loss`` holds time (x) and value (y) of the
    generalization loss's minimum, measured as medians over the realizations' minima.  Panel
    ``minimum_loss`` has that value against the noise variance, beside the ``final`` loss.
    """
    builder = TableBuilder()
    scaled, noisy = data.runs("scale"), data.runs("noise")
    both = {run.run_id: run for run in [*scaled, *noisy]}
    panels.tabulate_runs(builder, both.values(), KEYS)

    tabulate_scalar(builder, scaled, "grokking_time", "grokking_time", "time", "alpha", ["noise"])
    alpha, plain = options.alpha_range.log(), scaled[0].parameters
    panels.tabulate_times(builder, "alpha", alpha, plain, "noise", data.threshold)
    overfitting = [run for run in noisy if run.parameters["noise"] > 0]
    for series, quantity in (("minimum", "min_gen_loss"), ("final", "final_gen_loss")):
        tabulate_scalar(builder, overfitting, quantity, "minimum_loss", series, "noise", ["alpha"])
    for run in overfitting:
        shown = {key: run.parameters[key] for key in KEYS}
        turn = run.number("step_of_min_gen_loss")["median"]
        builder.add_summary("loss", MINIMUM, turn, run.number("min_gen_loss"), shown)
        turn, lowest = gen_loss_minimum(panels.problem_of(run.parameters))
        builder.add("loss", MINIMUM, "theory", turn, lowest, shown)
    variances = options.noise_range.log()
    problem = panels.problem_of(noisy[0].parameters, noise=variances)
    along = {"alpha": noisy[0].parameters["alpha"]}
    _, lowest = gen_loss_minimum(problem)
    builder.add("minimum_loss", "minimum", "theory", variances, lowest, along)
    builder.add("minimum_loss", "final", "theory", variances, gen_loss_floor(problem), along)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a row for the initialization scale and a row for label noise."""
    figure, axes = style.new_panels(2, 3, height=4.5)
    dynamics = table[table["panel"].isin(["loss", "accuracy"])]
    minima = rows(dynamics, series=MINIMUM)
    curves = dynamics.drop(minima.index)
    scaled = rows(curves, noise=0)
    noisy = rows(curves, alpha=minima["alpha"].iloc[0])
    scales = panels.colours_of(scaled["alpha"])
    panels.draw_runs(axes[0, :2], scaled, "alpha", scales)
    colours = style.colours_of(noisy["noise"])
    above = [noise for noise in colours if noise > 0]
    colours |= style.shades("noise", above, NOISES)
    panels.draw_runs(axes[1, :2], noisy, "noise", colours)
    for (noise, source), row in minima.groupby(["noise", "source"], sort=False):
        colour = colours[noise] if source == "experiment" else style.THEORY
        axes[1, 0].plot(row["x"], row["y"], color=colour, **MARKS[source])
    _draw_delays(axes[0, 2], table, scales)
    _draw_minima(axes[1, 2], table, colours)
    bars = {"marker": "o", "markersize": 3.2, "linestyle": ""}
    marks = [
        legends.line("(d): measured minimum", color=legends.GREY, **MARKS["experiment"]),
        legends.line("(d): predicted minimum", color=style.THEORY, **MARKS["theory"]),
        legends.line("(c), (f): median, quartiles", color=legends.GREY, **bars),
    ]
    legends.of_dynamics(figure, table, theory=True, also=marks, columns=4)
    return figure


def _draw_delays(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    draw_lines(axes, table, "grokking_time", "time", **style.THEORY_LINE)
    for alpha, point in rows(table, "grokking_time", source="experiment").groupby("x"):
        draw_points(axes, point, colours[alpha])
    axes.set(xscale="log", xlabel=style.SYMBOLS["alpha"], ylabel=panels.TIME_LABEL)
    axes.set_xticks(list(colours), [style.number(alpha) for alpha in colours])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.ticklabel_format(axis="y", style="plain")


def _draw_minima(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    """Draw the loss's minimum and final value in units of the noise variance."""
    losses = rows(table, "minimum_loss").copy()
    spread = ["y", "y_low", "y_high"]
    losses[spread] = losses[spread].div(losses["x"], axis=0)
    handles = []
    hollow = {"marker": "s", "markersize": 6, "fillstyle": "none"}
    for series, line, marker, name in (
        ("final", ":", hollow, r"final, $t\to\infty$"),
        ("minimum", "-", {"marker": "o", "markersize": 3.2}, "minimum"),
    ):
        look = {**style.THEORY_LINE, "linestyle": line}
        draw_lines(axes, losses, "minimum_loss", series, **look)
        # Final losses are drawn beside minima: in these units they are the same at every variance.
        aside = 0.8 if series == "final" else 1.0
        for noise, point in rows(losses, series=series, source="experiment").groupby("x"):
            draw_points(axes, point.assign(x=aside * noise), colours[noise], **marker)
        handles.append(legends.line(name, **marker, **look))
    axes.set(xscale="log", xlabel=style.SYMBOLS["noise"], ylabel="generalization loss / $s^2$")
    axes.set_ylim(bottom=0)
    axes.legend(handles=handles, loc="lower left")
