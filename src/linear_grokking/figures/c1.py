"""Fig. C1."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from pydantic import Field

from linear_grokking.config.fields import Axis, OpenProbability
from linear_grokking.config.figure_options import FigureOptions, ModularRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import TIMES, draw_dynamics, tabulate_dynamics
from linear_grokking.figures.points import draw_points
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, time_label
from linear_grokking.results.reading import RunResult

TITLE = "Addition modulo p: an experiment without theory, for comparison (beyond both papers)"
FRACTION = "train_fraction"
KEYS = (FRACTION, "eta", "gamma")
BY_FRACTION = ("sparse", "near", "dense")
"""Roles of the runs that differ in the fraction alone."""
BY_DECAY = ("weak_decay", "decay", "strong_decay", "rates")
"""Roles of the runs at other weight decays and learning rates."""
_TRAINING = {"marker": "D", "markersize": 3, "fillstyle": "none"}
_NOT_REACHED = {"marker": "^", "markersize": 4.5, "fillstyle": "none"}
_OTHER_RATE = {"marker": "s", "markersize": 3.6, "fillstyle": "none", "zorder": 5}


class Options(FigureOptions):
    """What Fig. C1 is drawn from."""

    sparse: ModularRuns = Field(description="Runs at the smallest training fractions.")
    near: ModularRuns = Field(description="Runs at those where the nets begin to generalize.")
    dense: ModularRuns = Field(description="Runs at the largest.")
    weak_decay: ModularRuns = Field(description="Runs at the smallest weight decays.")
    decay: ModularRuns = Field(description="Runs at larger ones below the standard one.")
    strong_decay: ModularRuns = Field(description="Runs at the largest weight decay.")
    rates: ModularRuns = Field(description="Runs at other learning rates.")
    shown: Axis[OpenProbability] = Field(description="Fractions whose dynamics are drawn.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by fraction, times against the fraction and the decay.

    Panel ``times`` has the fraction as x, panel ``decay_times`` 1/(ηγ), in steps; series ``train``
    and ``generalization`` are the median times to the threshold, ``t_max`` is the runs' last step.
    """
    builder = TableBuilder()
    by_fraction = data.runs(*BY_FRACTION)
    for run in by_fraction:
        if run.parameters[FRACTION] in options.shown:
            tabulate_dynamics(builder, run, {key: run.parameters[key] for key in KEYS})
        _tabulate_times(builder, "times", run, run.parameters[FRACTION])
    others = data.runs(*BY_DECAY)
    for run in with_standard(by_fraction, others):
        decay = run.parameters["eta"] * run.parameters["gamma"]
        _tabulate_times(builder, "decay_times", run, 1.0 / decay)
    return builder.frame()


def with_standard(by_fraction: Sequence[RunResult], others: Sequence[RunResult]) -> list[RunResult]:
    """Return the runs at other decays and rates, and the standard ones at the same fractions."""
    fractions = {run.parameters[FRACTION] for run in others}
    return [*(run for run in by_fraction if run.parameters[FRACTION] in fractions), *others]


def _tabulate_times(builder: TableBuilder, panel: str, run: RunResult, x: float) -> None:
    shown = {key: run.parameters[key] for key in (*KEYS, "t_max")}
    for series, quantity in TIMES.items():
        builder.add_summary(panel, series, x, run.number(quantity), shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw accuracies and losses above, the times by fraction and by decay below."""
    figure, axes = style.new_panels(2, 2, height=4.6)
    shown = rows(table, "accuracy")[FRACTION]
    by_decay = rows(table, "decay_times")[FRACTION]
    colours = style.colours_of(pd.concat([shown, by_decay], ignore_index=True))
    draw_dynamics(axes[0, ::-1], table, FRACTION, colours)
    present = {fraction: colours[fraction] for fraction in sorted(shown.unique())}
    legends.of_values(axes[0, 1], FRACTION, present, loc="lower left")
    _draw_times(axes[1, 0], table, colours)
    _draw_decay(axes[1, 1], table, colours)
    legends.of_dynamics(figure, table, columns=4)
    return figure


def _draw_times(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    """Draw both times against the fraction."""
    times = rows(table, "times")
    for fraction, point in times.groupby("x"):
        colour = colours.get(fraction, legends.GREY)
        _draw_reached(axes, rows(point, series="train"), colour, **_TRAINING)
        _draw_reached(axes, rows(point, series="generalization"), colour)
    axes.set(xlabel="fraction of pairs in the training set", ylabel=time_label(table), yscale="log")
    handles = [
        legends.mark("generalization", legends.GREY, markersize=3.2),
        legends.mark("training", legends.GREY, **_TRAINING),
        legends.mark("not reached", legends.GREY, **_NOT_REACHED),
    ]
    legends.add(axes, handles, loc="upper right")


def _draw_decay(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    """Draw the time to generalize against 1/(ηγ), with guides of slope 1."""
    times = rows(table, "decay_times", "generalization")
    standard = rows(table, "times")["eta"].iloc[0]
    fractions = {}
    for fraction, points in times.groupby(FRACTION):
        fractions[fraction] = colours[fraction]
        own = points[points["eta"] == standard]
        others = points[points["eta"] != standard]
        _draw_reached(axes, own, colours[fraction])
        _draw_reached(axes, others, colours[fraction], **_OTHER_RATE)
        reached = own[np.isfinite(own["y"])]
        if len(reached):
            # Through the point of the weakest decay, with which the others are compared.
            last = reached.loc[reached["x"].idxmax()]
            span = times["x"].agg(["min", "max"])
            axes.plot(span, last["y"] * span / last["x"], zorder=1, **style.REFERENCE)
    axes.set(xlabel=r"$1/(\eta\gamma)$ (steps)", ylabel=time_label(table))
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    handles = [
        *legends.marks(FRACTION, fractions),
        legends.mark(r"other $\eta$, $\gamma$ = 1", legends.GREY, **_OTHER_RATE),
        legends.line("slope 1", **style.REFERENCE),
    ]
    legends.add(axes, handles, loc="upper left")


def _draw_reached(axes: Axes, points: pd.DataFrame, colour: str, **look: Any) -> None:
    """Draw medians and quartiles; what was not reached is marked at the last step of its runs."""
    reached = points[np.isfinite(points["y"])]
    reached = reached.assign(y_high=reached["y_high"].clip(upper=reached["t_max"]))
    draw_points(axes, reached, colour, **look)
    ended = points[np.isposinf(points["y_high"])]
    axes.plot(ended["x"], ended["t_max"], color=colour, linestyle="", **_NOT_REACHED)
