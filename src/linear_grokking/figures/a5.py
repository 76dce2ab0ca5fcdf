"""Fig. A5."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, TwoLayerRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_band, draw_dynamics, step_axis, tabulate_dynamics
from linear_grokking.figures.linear_panels import colours_of, ratio, tabulate_loss
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, transformed
from linear_grokking.theory import two_layer

TITLE = "Grokking in two-layer nets, compared with the lazy approximation (Paper A, Fig. 5)"
ERROR_BAR_EVERY = 8

COMPARISON = "tanh_over_linear"
KEYS = ("d_h", "activation")
ACTIVATIONS = {"identity": "linear", "tanh": "tanh"}
_SHOWN_UNTIL = 3.0
"""The axes hold all ratios up to this multiple of the time at which the last net generalizes; later
ratios are of losses too small to matter."""
_LOSSES = {
    "train": ("train_loss", two_layer.train_loss),
    "generalization": ("gen_loss", two_layer.gen_loss),
}


class Options(FigureOptions):
    """What Fig. A5 is drawn from."""

    dynamics: TwoLayerRuns = Field(description="Runs of all panels, d_h × activation.")
    above_one: TwoLayerRuns = Field(description="Runs of claims alone, linear nets with λ > 1.")


def problem_of(parameters: Mapping[str, Any]) -> two_layer.Problem:
    """Return the theory's problem at the parameters of a run."""
    return two_layer.Problem(*(parameters[key] for key in ("lambda", "eta", "d_h", "d_out")))


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by hidden width and activation, with the theory.

    Panel ``loss_ratio`` holds the ratio of the median losses, and of their quartiles, to the lazy
    approximation.  Its series ``generalization_error`` is the median standard error from sampling
    the generalization loss of a tanh net, in the same units.  Panel ``tanh_over_linear`` holds
    the ratio of the median losses of tanh nets to those of linear ones.
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        shown = {key: run.parameters[key] for key in KEYS}
        tabulate_dynamics(builder, run, shown)
        problem = problem_of(run.parameters)
        for series, (quantity, lazy) in _LOSSES.items():
            curve = run.curve(quantity)
            steps = curve["step"].to_numpy(float)
            loss = lazy(steps, problem)
            tabulate_loss(builder, run, series, steps, loss, shown)
            ratios = transformed(curve, lambda values, loss=loss: ratio(values, loss))
            builder.add_summary("loss_ratio", series, steps, ratios, shown)
            if quantity == "gen_loss" and run.parameters["activation"] == "tanh":
                error = run.curve("gen_loss_error")
                name, y = "generalization_error", ratio(error["median"].to_numpy(float), loss)
                builder.add("loss_ratio", name, "experiment", steps, y, shown, n=error["n"])
    table = builder.frame()
    return pd.concat([table, _tanh_over_linear(table)], ignore_index=True)


def _tanh_over_linear(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows that compare the activations: median losses at the steps that both have."""
    losses = rows(table, "loss", source="experiment")
    losses = losses[losses["series"].isin(list(_LOSSES))]
    linear, tanh = (rows(losses, activation=name) for name in ACTIVATIONS)
    both = tanh.merge(linear[["series", "d_h", "x", "y"]], on=["series", "d_h", "x"])
    both["y"] = ratio(both["y_x"].to_numpy(), both["y_y"].to_numpy())
    # A ratio of medians has no quartiles.
    both[["y_low", "y_high"]] = np.nan
    return both.assign(panel=COMPARISON)[table.columns]


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and the losses' ratio to the theory, a column per activation."""
    present = [name for name in ACTIVATIONS if (table["activation"] == name).any()]
    figure = style.new_figure(6.4)
    grid = figure.add_gridspec(4, len(present), height_ratios=(1, 1, 0.75, 0.6))
    axes = (
        grid[:3, :]
        .subgridspec(3, len(present), height_ratios=(1, 1, 0.75))
        .subplots(sharex=True, sharey="row", squeeze=False)
    )
    last = figure.add_subplot(grid[3, :])
    style.letter([*axes.flat, last])
    colours = colours_of(table["d_h"])
    measured = table[table["panel"] != COMPARISON]
    for column, activation in zip(axes.T, present, strict=True):
        some = rows(measured, activation=activation)
        draw_dynamics(column[:2], some, "d_h", colours)
        _draw_ratio(column[2], some, colours)
        column[0].set_title(ACTIVATIONS[activation])
        for each in column[:2]:
            each.set_xlabel("")
    for each in axes[:, 1:].flat:
        each.set_ylabel("")
    _draw_comparison(last, rows(table, COMPARISON), colours)
    until = _SHOWN_UNTIL * _last_time(rows(measured, "accuracy"))
    _limit(axes[2], rows(table, "loss_ratio"), until)
    _limit([last], rows(table, COMPARISON), until)
    for each, activation in zip(axes[2], present, strict=True):
        _say_end(each, rows(table, "loss_ratio", activation=activation))
    _say_end(last, rows(table, COMPARISON))
    legends.of_values(axes[0, 0], "d_h", colours, loc="lower left")
    lazy = legends.line("Eq. 19 (lazy approximation)", **style.THEORY_LINE)
    error = legends.line(
        "(f): sampling error", color=legends.GREY, linestyle="", marker=legends.BAR
    )
    legends.of_dynamics(figure, table, also=[lazy, error], columns=3)
    return figure


def _draw_ratio(axes: Axes, table: pd.DataFrame, colours: Mapping[int, str]) -> None:
    """Draw the ratios, and the error from sampling the generalization loss on a few records."""
    axes.axhline(1.0, zorder=1, **style.THEORY_LINE)
    step_axis(axes)
    axes.set(ylabel="loss / Eq. 19")
    for d_h, ratios in rows(table, "loss_ratio").groupby("d_h", sort=False):
        for series in _LOSSES:
            curve, line = rows(ratios, series=series), style.line_of(series)
            draw_band(axes, curve, line, colours[d_h])
            # Bands of one colour overlap: their edges tell them apart.
            edge = {"color": colours[d_h], "linestyle": line, "linewidth": 0.5, "alpha": 0.7}
            axes.plot(curve["x"], curve[["y_low", "y_high"]], **edge)
        records = ratios[ratios["x"] > 0]
        few = rows(records, series="generalization")[::ERROR_BAR_EVERY]
        error = rows(records, series="generalization_error")["y"][::ERROR_BAR_EVERY]
        if len(error):
            bars = {"color": colours[d_h], "linestyle": "", "zorder": 5, "linewidth": 0.8}
            axes.errorbar(few["x"], few["y"], yerr=error, **bars)


def _last_time(accuracies: pd.DataFrame) -> float:
    """Return the time at which the last net generalizes, inf if one does not."""
    reached = rows(accuracies, series="generalization_reached")
    nets = accuracies[list(KEYS)].drop_duplicates()
    return reached["x"].max() if len(reached) == len(nets) else np.inf


def _limit(panels: Sequence[Axes], ratios: pd.DataFrame, until: float) -> None:
    """Fit the y range of panels that share it to all bands of the ratios up to a step."""
    drawn = ratios["series"].isin(list(_LOSSES)) & (ratios["x"] <= until)
    shown = ratios.loc[drawn, ["y", "y_low", "y_high"]]
    low, high = shown.min().min(), shown.max().max()
    room = 0.05 * (high - low)
    panels[0].set_ylim(*finite_ends(low - room, high + room))


def _say_end(axes: Axes, ratios: pd.DataFrame) -> None:
    """Write how far the medians of each net go beyond a panel's axis."""
    largest = ratios[ratios["series"].isin(list(_LOSSES))].groupby("d_h")["y"].max()
    beyond = largest[largest > axes.get_ylim()[1]]
    if len(beyond):
        nets = [f"{y:.2g} ({style.label('d_h', d_h)})" for d_h, y in beyond.items()]
        place = {"transform": axes.transAxes, "va": "top", "fontsize": 6.5}
        axes.text(0.02, 0.93, f"up to {', '.join(nets)} at the end", **place)


def _draw_comparison(axes: Axes, table: pd.DataFrame, colours: Mapping[int, str]) -> None:
    """Draw the losses of tanh nets over those of linear ones."""
    axes.axhline(1.0, **style.REFERENCE)
    step_axis(axes)
    axes.set(ylabel="tanh / linear")
    for (d_h, series), curve in table.groupby(["d_h", "series"], sort=False):
        draw_band(axes, curve, style.line_of(series), colours[d_h])
