"""Initialization scale and label noise in one-layer linear regression (beyond Paper A).

The paper remarks that an initialization scale and label noise do not change the dynamics;
with noise this is an erratum: the student overfits.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figures import FigureOptions, LinearRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import line_styles_legend, panel_letters
from linear_grokking.figures.linear_panels import (
    draw_runs,
    tabulate_runs,
    tabulate_time_curve,
    tabulate_times,
    theory_arguments,
)
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.statistics import summarize_values
from linear_grokking.theory.linear import gen_loss_floor
from linear_grokking.theory.linear_overfitting import gen_loss_minimum

KEYS = ["alpha", "noise"]
MINIMUM = "generalization_minimum"
MEASURED, PREDICTED = "o", "+"
"""Markers of the overfitting minimum."""


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
    tabulate_runs(builder, both.values(), KEYS)

    tabulate_times(builder, scaled, "alpha", ["noise"])
    tabulate_time_curve(
        builder,
        "alpha",
        _spaced(options.alpha_range),
        _time_parameters(scaled[0]),
        ["noise"],
        data.threshold,
    )
    _tabulate_overfitting(builder, [run for run in noisy if run.parameters["noise"] > 0])
    _tabulate_overfitting_theory(builder, noisy[0], _spaced(options.noise_range))
    return builder.frame()


def _spaced(span: Span) -> np.ndarray:
    return np.geomspace(span.start, span.stop, span.points)


def _time_parameters(run: RunResult) -> dict[str, float]:
    keys = ("lambda", "eta", "epsilon", "gamma", "d_out", "noise")
    return {key: run.parameters[key] for key in keys}


def _tabulate_overfitting(builder: TableBuilder, runs: list[RunResult]) -> None:
    """Add minimum and end of the measured generalization loss, and theory's minimum."""
    for run in runs:
        parameters = {key: run.parameters[key] for key in KEYS}
        rows = run.rows()
        lowest = rows.loc[rows.groupby("realization")["gen_loss"].idxmin()]
        time = summarize_values("time", lowest["step"]).iloc[0]["median"]
        minimum = summarize_values("loss", lowest["gen_loss"]).iloc[0]
        final = run.curve("gen_loss").iloc[-1]
        _add_loss(builder, "loss", MINIMUM, time, minimum, parameters)
        along = {"alpha": run.parameters["alpha"]}
        for series, row in (("minimum", minimum), ("final", final)):
            _add_loss(builder, "minimum_loss", series, run.parameters["noise"], row, along)
        turn, value = gen_loss_minimum(**theory_arguments(run.parameters))
        builder.add("loss", MINIMUM, "theory", turn, value, parameters=parameters)


def _add_loss(
    builder: TableBuilder,
    panel: str,
    series: str,
    x: float,
    row: pd.Series,
    parameters: Mapping[str, float],
) -> None:
    builder.add(
        panel,
        series,
        "experiment",
        x,
        row["median"],
        y_low=row["q25"],
        y_high=row["q75"],
        n=row["n"],
        parameters=parameters,
    )


def _tabulate_overfitting_theory(
    builder: TableBuilder, run: RunResult, variances: np.ndarray
) -> None:
    arguments = {**theory_arguments(run.parameters), "noise": variances}
    _, lowest = gen_loss_minimum(**arguments)
    del arguments["eta"]
    floor = gen_loss_floor(**arguments)
    parameters = {"alpha": run.parameters["alpha"]}
    for series, values in (("minimum", lowest), ("final", floor)):
        builder.add("minimum_loss", series, "theory", variances, values, parameters=parameters)


def draw(table: pd.DataFrame) -> Figure:
    """Draw a row for the initialization scale and a row for label noise."""
    figure = style.new_figure(3, 2.1)
    axes = figure.subplots(2, 3)
    dynamics = table["panel"].isin(["loss", "accuracy"])
    minima = table["series"] == MINIMUM
    scaled = table[dynamics & (table["noise"] == 0)]
    baseline = table.loc[dynamics & (table["noise"] > 0), "alpha"].iloc[0]
    noisy = table[dynamics & ~minima & (table["alpha"] == baseline)]
    draw_runs(axes[0, :2], scaled, "alpha")
    draw_runs(axes[1, :2], noisy, "noise")
    colours = style.colours(sorted(noisy["noise"].unique()))
    for _, row in table[minima].iterrows():
        colour = colours[row["noise"]] if row["source"] == "experiment" else style.THEORY
        axes[1, 0].plot(row["x"], row["y"], **_mark(row["source"], colour))
    _draw_delays(axes[0, 2], table, scaled)
    _draw_minima(axes[1, 2], table)
    panel_letters(axes.flat)
    marks = [
        Line2D([], [], **_mark("experiment", "#555555"), label="overfitting minimum"),
        Line2D([], [], **_mark("theory", style.THEORY), label="its prediction"),
    ]
    line_styles_legend(figure, theory=True, also=marks, columns=4)
    return figure


def _mark(source: str, colour: str) -> dict[str, object]:
    """Return how an overfitting minimum is drawn."""
    if source == "theory":
        return {
            "marker": PREDICTED,
            "linestyle": "",
            "markersize": 12,
            "color": colour,
            "zorder": 7,
        }
    return {
        "marker": MEASURED,
        "linestyle": "",
        "markersize": 7,
        "color": colour,
        "markeredgecolor": "black",
        "markeredgewidth": 0.8,
        "zorder": 6,
    }


def _draw_delays(axes: Axes, table: pd.DataFrame, dynamics: pd.DataFrame) -> None:
    colours = style.colours(sorted(dynamics["alpha"].unique()))
    draw_lines(axes, table, "grokking_time", "time", {"color": style.THEORY, "linewidth": 0.9})
    measured = table[(table["panel"] == "grokking_time") & (table["source"] == "experiment")]
    for x, rows in measured.groupby("x"):
        draw_points(axes, rows, colours[x])
    axes.set(
        xscale="log", xlabel=style.SYMBOLS["alpha"], ylabel=r"grokking time $\Delta t$ (steps)"
    )
    axes.set_xticks(sorted(colours), [style.number(alpha) for alpha in sorted(colours)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.ticklabel_format(axis="y", style="plain")


def _draw_minima(axes: Axes, table: pd.DataFrame) -> None:
    """Draw minimum and end of the loss in units of the noise variance."""
    rows = table[table["panel"] == "minimum_loss"].copy()
    rows[["y", "y_low", "y_high"]] = rows[["y", "y_low", "y_high"]].div(rows["x"], axis=0)
    noise = sorted(rows.loc[rows["source"] == "experiment", "x"].unique())
    colours = style.colours([0.0, *noise])
    handles = []
    for series, line, marker, name in (
        ("final", ":", "s", r"end, $t\to\infty$"),
        ("minimum", "-", MEASURED, "minimum"),
    ):
        look = {"color": style.THEORY, "linestyle": line, "linewidth": 0.9}
        draw_lines(axes, rows, "minimum_loss", series, look)
        measured = rows[(rows["series"] == series) & (rows["source"] == "experiment")]
        for x, point in measured.groupby("x"):
            draw_points(axes, point, colours[x], marker=marker)
        handles.append(Line2D([], [], **look, marker=marker, markersize=4.5, label=name))
    axes.set(xscale="log", xlabel=style.SYMBOLS["noise"], ylabel="generalization loss / $s^2$")
    axes.set_ylim(bottom=0)
    axes.legend(handles=handles, loc="lower left")
