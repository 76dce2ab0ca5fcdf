"""Fig. A5."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, TwoLayerRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_band, draw_dynamics, step_axis, tabulate_dynamics
from linear_grokking.figures.linear_panels import ratio, tabulate_loss
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, transformed
from linear_grokking.theory import two_layer

TITLE = "Grokking in two-layer nets against the lazy approximation (Paper A, Fig. 5)"
RATIOS = (0.4, 1.6)
ERROR_BAR_EVERY = 8

KEYS = ("d_h", "activation")
ACTIVATIONS = {"identity": "linear", "tanh": "tanh"}
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

    Panel ``loss_ratio`` has the median losses over the lazy approximation's, quartiles
    likewise; series ``generalization_error`` is the median standard error that comes from
    sampling the generalization loss of a tanh net, in the same units.
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
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and the losses' ratio to the theory, a column per activation."""
    present = [name for name in ACTIVATIONS if (table["activation"] == name).any()]
    layout = {"sharex": True, "sharey": "row", "squeeze": False, "height_ratios": (1, 1, 0.7)}
    figure, axes = style.new_panels(3, len(present), height=5.2, **layout)
    colours = style.colours_of(table["d_h"])
    for column, activation in zip(axes.T, present, strict=True):
        some = rows(table, activation=activation)
        draw_dynamics(column[:2], some, "d_h", colours)
        _draw_ratio(column[2], some, colours)
        column[0].set_title(ACTIVATIONS[activation])
        for each in column[:2]:
            each.set_xlabel("")
    for each in axes[:, 1:].flat:
        each.set_ylabel("")
    legends.of_values(axes[0, 0], "d_h", colours, loc="lower left")
    lazy = legends.line("Eq. 19 (lazy approximation)", **style.THEORY_LINE)
    legends.of_dynamics(figure, table, also=[lazy], columns=3)
    return figure


def _draw_ratio(axes: Axes, table: pd.DataFrame, colours: Mapping[int, str]) -> None:
    """Draw the ratios, and the error from sampling the generalization loss on a few records."""
    axes.axhline(1.0, **style.THEORY_LINE)
    step_axis(axes)
    axes.set(ylabel="loss / Eq. 19", ylim=RATIOS)
    for d_h, ratios in rows(table, "loss_ratio").groupby("d_h", sort=False):
        for series in _LOSSES:
            draw_band(axes, rows(ratios, series=series), series, colours[d_h])
        records = ratios[ratios["x"] > 0]
        few = rows(records, series="generalization")[::ERROR_BAR_EVERY]
        error = rows(records, series="generalization_error")["y"][::ERROR_BAR_EVERY]
        if len(error):
            bars = {"color": colours[d_h], "linestyle": "", "zorder": 5}
            axes.errorbar(few["x"], few["y"], yerr=error, **bars)
