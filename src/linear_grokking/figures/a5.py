"""Grokking in two-layer nets against the lazy approximation (Paper A, Fig. 5)."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, TwoLayerRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import (
    draw_dynamics,
    line_styles_legend,
    panel_letters,
    tabulate_dynamics,
    value_legend,
)
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.theory import linear, two_layer

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


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: losses and accuracies by hidden width and activation, with the theory.

    Panel ``loss_ratio`` has the median losses over the lazy approximation's, quartiles
    likewise; series ``generalization_error`` is the median standard error that comes from
    sampling the generalization loss of a tanh net, in the same units.
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        parameters = {key: run.parameters[key] for key in KEYS}
        tabulate_dynamics(builder, run, parameters)
        for series in _LOSSES:
            _tabulate_theory(builder, run, series, parameters)
    return builder.frame()


def _tabulate_theory(
    builder: TableBuilder, run: RunResult, series: str, parameters: dict[str, object]
) -> None:
    """Add the lazy loss and accuracy of one kind, and the measured loss over the lazy one."""
    quantity, lazy = _LOSSES[series]
    curve = run.curve(quantity)
    steps = curve["step"].to_numpy(float)
    names = ("lambda", "eta", "d_h", "d_out")
    loss = lazy(steps, *(run.parameters[name] for name in names))
    accuracy = linear.accuracy(loss, run.parameters["epsilon"], run.parameters["d_out"])
    builder.add("loss", series, "theory", steps, loss, parameters=parameters)
    builder.add("accuracy", series, "theory", steps, accuracy, parameters=parameters)
    builder.add(
        "loss_ratio",
        series,
        "experiment",
        steps,
        curve["median"].to_numpy(float) / loss,
        y_low=curve["q25"].to_numpy(float) / loss,
        y_high=curve["q75"].to_numpy(float) / loss,
        n=curve["n"],
        parameters=parameters,
    )
    if series == "generalization" and run.parameters["activation"] == "tanh":
        error = run.curve("gen_loss_error")
        builder.add(
            "loss_ratio",
            "generalization_error",
            "experiment",
            steps,
            error["median"].to_numpy(float) / loss,
            n=error["n"],
            parameters=parameters,
        )


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, accuracies and the losses' ratio to the theory, a column per activation."""
    figure = style.new_figure(2.2, 2.6)
    present = [name for name in ACTIVATIONS if (table["activation"] == name).any()]
    axes = figure.subplots(
        3, len(present), sharex=True, sharey="row", squeeze=False, height_ratios=(1, 1, 0.7)
    )
    colours = style.colours(sorted(table["d_h"].dropna().unique()))
    for column, activation in zip(axes.T, present, strict=True):
        some = table[table["activation"] == activation]
        draw_dynamics(column[0], some, "loss", "d_h", colours)
        draw_dynamics(column[1], some, "accuracy", "d_h", colours)
        _draw_ratio(column[2], some, colours)
        column[0].set_title(ACTIVATIONS[activation])
        for each in column[:2]:
            each.set_xlabel("")
    for each in axes[:, 1:].flat:
        each.set_ylabel("")
    value_legend(axes[0, 0], "d_h", colours, loc="lower left")
    panel_letters(axes.flat)
    lazy = Line2D([], [], color=style.THEORY, linewidth=0.9, label="lazy approximation")
    line_styles_legend(figure, theory=False, also=[lazy], columns=3)
    return figure


def _draw_ratio(axes: Axes, table: pd.DataFrame, colours: Mapping[int, str]) -> None:
    rows = table[(table["panel"] == "loss_ratio") & (table["x"] > 0)]
    axes.axhline(1.0, color=style.THEORY, linewidth=0.9)
    for (d_h, series), curve in rows.groupby(["d_h", "series"], sort=False):
        if series == "generalization_error":
            _draw_sampling_errors(axes, rows[rows["d_h"] == d_h], colours[d_h])
            continue
        line = style.TRAIN_LINE if series == "train" else "-"
        axes.plot(curve["x"], curve["y"], color=colours[d_h], linestyle=line)
        axes.fill_between(
            curve["x"],
            curve["y_low"],
            curve["y_high"],
            color=colours[d_h],
            alpha=style.BAND_ALPHA,
            linewidth=0,
        )
    axes.set_xscale("log")
    axes.set_xlabel("step $t$")
    axes.set_ylabel("loss / theory")
    axes.set_ylim(*RATIOS)


def _draw_sampling_errors(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw the generalization loss's error from its fresh samples, on a few records."""
    curve = rows[rows["series"] == "generalization"][::ERROR_BAR_EVERY]
    error = rows[rows["series"] == "generalization_error"][::ERROR_BAR_EVERY]
    axes.errorbar(curve["x"], curve["y"], yerr=error["y"], color=colour, linestyle="", zorder=5)
