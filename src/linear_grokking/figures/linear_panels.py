"""What the figures of Paper A's one-layer model share: theory curves and grokking times."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import TIMES, draw_dynamics, tabulate_dynamics
from linear_grokking.figures.points import draw_lines, draw_points_by, tabulate_scalar
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.crossings import first_crossing
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import linear, linear_grokking_time, linear_scatter

LOSSES = {"train": linear.train_loss, "generalization": linear.gen_loss}
TIME_LABEL = r"grokking time $\Delta t$ (steps)"

_SCATTER: Mapping[str, Any] = {"marker": legends.BAR, "markersize": 8, "markeredgewidth": 0.6}
"""How the legend shows the scatter of one draw by the formula."""

_FIELDS = {"lambda": "lambda_", **{k: k for k in ("eta", "gamma", "d_out", "alpha", "noise")}}


def problem_of(parameters: Mapping[str, Any], **others: Any) -> linear.Problem:
    """Return the theory's problem at some parameters, with ``others`` replacing theirs."""
    given = {**parameters, **others}
    return linear.Problem(**{name: given[key] for key, name in _FIELDS.items() if key in given})


def tabulate_by(data: FigureData, x: str, by: str) -> tuple[TableBuilder, Mapping[str, Any]]:
    """Begin the table of a figure about one parameter, ``x``.

    It holds the runs ``dynamics``, told apart by ``x``, and the measured grokking times of the
    runs ``times`` against ``x``, told apart by ``by``.

    Returns
    -------
    builder
        The table, to which the theory's times are still to be added.
    shared
        Parameters of the first of the runs ``times``; callers replace those that vary.
    """
    builder = TableBuilder()
    tabulate_runs(builder, data.runs("dynamics"), [x, by])
    runs = data.runs("times")
    tabulate_scalar(builder, runs, "grokking_time", "grokking_time", "time", x, [by])
    tabulate_scatter(builder, runs, x, by, data.threshold)
    return builder, runs[0].parameters


def tabulate_reached(builder: TableBuilder, data: FigureData, x: str, by: str) -> None:
    """Add to the grokking times the two times that the panels of dynamics mark.

    Series ``train_reached`` and ``generalization_reached`` hold the medians for each run
    ``dynamics`` that groks, whose generalization takes at least 1.5 times as long as its training.
    """
    for run in data.runs("dynamics"):
        times = {series: run.number(quantity) for series, quantity in TIMES.items()}
        trained, generalized = (times[series]["median"] for series in LOSSES)
        if not 1.5 * trained <= generalized < np.inf:
            continue
        at, shown = run.parameters[x], {by: run.parameters[by]}
        for series, time in times.items():
            name, y, n = f"{series}_reached", time["median"], time["n"]
            builder.add("grokking_time", name, "experiment", at, y, shown, n=n)


def tabulate_runs(builder: TableBuilder, runs: Iterable[RunResult], keys: Sequence[str]) -> None:
    """Add measured and theoretical losses and accuracies, told apart by some parameters.

    The theory is the large-size one at the recorded steps.  Series ``train`` and
    ``generalization`` are gradient flow's, as in the paper; ``train_discrete`` and
    ``generalization_discrete`` take the finite learning rate into account,
    (1 - 2ην)^{2t} in place of e^{-4ηνt}.
    """
    for run in runs:
        shown = {key: run.parameters[key] for key in keys}
        tabulate_dynamics(builder, run, shown)
        steps = run.curve("train_loss")["step"].to_numpy()
        problem = problem_of(run.parameters)
        for series, function in LOSSES.items():
            for name, discrete in ((series, False), (f"{series}_discrete", True)):
                loss = function(steps, problem, discrete=discrete)
                tabulate_loss(builder, run, name, steps, loss, shown)


def tabulate_loss(
    builder: TableBuilder,
    run: RunResult,
    series: str,
    steps: np.ndarray,
    loss: np.ndarray,
    parameters: Mapping[str, Any],
) -> None:
    """Add a theory's loss for a run, and the accuracy that follows from it."""
    accuracy = linear.accuracy(loss, run.parameters["epsilon"], run.parameters["d_out"])
    builder.add("loss", series, "theory", steps, loss, parameters)
    builder.add("accuracy", series, "theory", steps, accuracy, parameters)


def ratio(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return values/exact, NaN where the exact value is below the smallest normal double."""
    told = exact >= np.finfo(float).tiny
    return np.divide(values, exact, out=np.full(exact.shape, np.nan), where=told)


def times_to_loss(
    run: RunResult, level: float, losses: Sequence[str] = ("train_loss", "gen_loss")
) -> list[np.ndarray]:
    """Return when the losses of each realization fall to a level, each (R,); inf if never.

    Between records the logarithm of a loss is interpolated in log t.
    """
    steps, *curves = run.curves(*losses)
    # A loss may reach 0 at the end.
    logs = [np.log(np.maximum(each, np.finfo(float).tiny)) for each in curves]
    return [first_crossing(steps, -each, -np.log(level)) for each in logs]


def tabulate_times(
    builder: TableBuilder,
    x: str,
    values: np.ndarray,
    parameters: Mapping[str, Any],
    by: str,
    threshold: float,
) -> None:
    """Add the theory's grokking time against ``x``; inf where generalization never comes.

    ``parameters`` are those of a run, where ``values`` replace ``x``; ``by`` tells curves apart.
    """
    problem = problem_of(parameters, **{x: values})
    times = linear_grokking_time.grokking_time(problem, parameters["epsilon"], accuracy=threshold)
    builder.add("grokking_time", "time", "theory", values, times, {by: parameters[by]})


def tabulate_scatter(
    builder: TableBuilder, runs: Iterable[RunResult], x: str, by: str, threshold: float
) -> None:
    """Add the scatter of single draws' grokking times about the theory's, by its formula.

    Series ``time_scatter`` holds, for each measured time, the theory's with one standard deviation
    of t_gen on each side, which is that of Δt if training is over much earlier.  Where it is not,
    or where too few modes carry the loss for the formula to hold, there is no point.
    """
    for run in runs:
        parameters, problem = run.parameters, problem_of(run.parameters)
        at = {"epsilon": parameters["epsilon"], "accuracy": threshold}
        trained = linear_grokking_time.train_time(problem, **at)
        generalized = linear_grokking_time.gen_time(problem, **at)
        if not trained < generalized / 4 < np.inf:
            continue
        modes = linear_scatter.effective_modes(generalized, problem, parameters["d_in"])
        deviation = linear_scatter.gen_time_deviation(problem, parameters["d_in"], **at)
        most = linear_scatter.MOST_PERCENT / 100 * generalized
        if modes < linear_scatter.MANY_MODES * problem.d_out or deviation > most:
            continue
        y, shown = generalized - trained, {by: parameters[by]}
        spread = {"y_low": y - deviation, "y_high": y + deviation}
        builder.add("grokking_time", "time_scatter", "theory", parameters[x], y, shown, **spread)


def colours_of(column: pd.Series) -> dict[Any, str]:
    """Give each value of a parameter a colour on which black theory lines can be seen.

    Values of λ skip orange, which is left to ramps in the same figure, and ramps end before their
    darkest colour.
    """
    found = style.colours_of(column)
    others = [value for value, colour in found.items() if colour != style.BLUE]
    if column.name == "lambda":
        found |= dict(zip(others, style.PALETTE[1:], strict=False))
    elif column.name in style.ORDERED and len(others) < len(style.RAMP):
        steps = np.linspace(0, len(style.RAMP) - 2, len(others)).round().astype(int)
        found |= {value: style.RAMP[step] for value, step in zip(others, steps, strict=True)}
    return found


def draw_by(table: pd.DataFrame, x: str, by: str) -> tuple[Figure, Axes, dict[Any, str]]:
    """Draw losses and accuracies by ``x``, and grokking times against it by another parameter.

    Returns
    -------
    figure
    times
        The axes of the times, for their legend.
    colours
        Colours of the values of ``by``.
    """
    figure, axes = style.new_panels(1, 3, height=2.6)
    draw_runs(axes[:2], table, x)
    fixed = style.label(by, rows(table, "loss")[by].iloc[0])
    for each in axes[:2]:
        each.set_title(fixed, loc="right", fontsize="medium")
    measured = legends.mark(
        r"(c): measured $\Delta t$, with quartiles", legends.GREY, markersize=3.2
    )
    scatter = legends.mark(r"(c): theory $\pm$ sd of one draw", style.THEORY, **_SCATTER)
    legends.of_dynamics(figure, table, theory=True, also=[measured, scatter], columns=4)
    return figure, axes[2], _draw_times(axes[2], table, x, by)


def draw_runs(
    axes: np.ndarray, table: pd.DataFrame, key: str, colours: Mapping[Any, str] | None = None
) -> None:
    """Draw losses and accuracies, coloured by one parameter, with a legend in the first panel."""
    colours = colours or colours_of(rows(table, "loss")[key])
    draw_dynamics(axes, table, key, colours)
    legends.of_values(axes[0], key, colours, loc="lower left")


def _draw_times(axes: Axes, table: pd.DataFrame, x: str, by: str) -> dict[Any, str]:
    """Draw grokking times against ``x``, theory as lines, measurements as points.

    The y axis leaves out the last decades of a divergence.
    """
    times = rows(table, "grokking_time")
    colours = colours_of(times[by])
    draw_lines(axes, table, "grokking_time", "time", by=by, colours=colours)
    axes.set(yscale="log", xlabel=style.SYMBOLS[x], ylabel=TIME_LABEL)
    expected = rows(times, series="time", source="theory")["y"]
    expected = expected[np.isfinite(expected) & (expected > 0)]
    top = min(expected.max(), 100 * expected.quantile(0.9))
    axes.set_ylim(expected.min() / 2, 2 * top)
    draw_points_by(axes, rows(times, series="time", source="experiment"), by, colours)
    bars = rows(times, series="time_scatter")
    spread = [bars["y"] - bars["y_low"], bars["y_high"] - bars["y"]]
    look = {"color": style.THEORY, "linewidth": 0.6, "capsize": 3.0, "capthick": 0.6, "zorder": 5}
    axes.errorbar(bars["x"], bars["y"], spread, linestyle="", **look)
    for series, look in style.REACHED.items():
        for value, points in rows(times, series=f"{series}_reached").groupby(by):
            # Open, around the measured points that they may lie on.
            around = {"zorder": 6, "markerfacecolor": "none", "markeredgecolor": colours[value]}
            axes.plot(points["x"], points["y"], **{**look, **around})
    return colours
