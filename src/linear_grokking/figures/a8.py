"""Fig. A8."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import linear_panels as panels
from linear_grokking.figures.dynamics import draw_band, step_axis, tabulate_dynamics
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, time_label
from linear_grokking.jobs import expected
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import linear, linear_optimizers
from linear_grokking.theory.linear_grokking_time import gen_time, train_time
from linear_grokking.theory.linear_optimizers import Losses

TITLE = "Optimizers in one-layer linear regression: how fast can one grok? (beyond Paper A)"
METHOD = ["solver", "nesterov", "eta"]
"""Parameters that tell methods apart."""
SERIES = {"train": "t_train", "generalization": "t_gen"}
SCALING = ("gradient_descent", "tuned", "conjugate_gradients")
"""Roles whose runs are at several λ."""
COLOURS = (
    *(style.BLUE, style.VERMILION, style.ORANGE, style.SKY, style.PURPLE, style.GREEN),
    legends.GREY,
)
MARKERS: Mapping[str, Mapping[str, Any]] = {
    "train": {"marker": "D", "fillstyle": "none"},
    "generalization": {"marker": "o"},
}
_BOUND = {"color": "#CC79A7", "linewidth": 1.4, "linestyle": (0, (3, 1.5)), "zorder": 6}
"""Line of the speed limit: a colour that no method has, above the curves close to it."""


class Options(FigureOptions):
    """What Fig. A8 is drawn from."""

    gradient_descent: LinearRuns = Field(description="Plain runs, one per λ.")
    larger_rate: LinearRuns = Field(description="A plain run with a larger learning rate.")
    momentum: LinearRuns = Field(description="A run with momentum, at the rate of the plain ones.")
    nesterov: LinearRuns = Field(description="The same with Nesterov's look ahead.")
    grokfast: LinearRuns = Field(description="A run with amplified slow gradients.")
    tuned: LinearRuns = Field(description="Runs with the momentum λ, one per λ.")
    conjugate_gradients: LinearRuns = Field(description="Runs of conjugate gradients, one per λ.")
    mini_batches: LinearRuns = Field(description="Runs on mini-batches, one per batch size.")
    distance: Span = Field(description="Range of 1 - λ of the theory curves, log-spaced.")


def losses_of(run: RunResult, steps: np.ndarray) -> Losses:
    """Return the theory's losses (T,) of a run's method at some steps (T,)."""
    return expected.losses_of(run.parameters, run.parameters["lambda"], steps)


def times_of(run: RunResult, threshold: float) -> dict[str, float]:
    """Return when the theory's accuracies of a run reach the threshold, by series."""
    steps = run.curve("train_loss")["step"].to_numpy(float)
    times = expected.times_of(run.parameters, run.parameters["lambda"], steps, threshold)
    return dict(zip(SERIES, times, strict=True))


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table.

    Panels ``loss`` and ``accuracy`` hold the curves of all methods at the largest λ; series
    ``bound`` is the least loss of Krylov methods.  The times of both accuracies are in panels
    ``times`` (against 1 - λ), ``methods`` (by method, at the largest λ) and ``batches`` (against
    the batch size; the last point is the full batch).
    """
    builder = TableBuilder()
    roles = [role for role in options.roles() if role != "mini_batches"]
    largest = max(run.parameters["lambda"] for run in data.runs("gradient_descent"))
    for run in data.runs(*roles):
        shown = _method(run)
        if run.parameters["lambda"] == largest:
            tabulate_dynamics(builder, run, shown)
            steps = run.curve("train_loss")["step"].to_numpy(float)
            for series, loss in zip(SERIES, losses_of(run, steps), strict=True):
                panels.tabulate_loss(builder, run, series, steps, loss, shown)
            for series, time in times_of(run, data.threshold).items():
                builder.add_summary("methods", series, largest, run.number(SERIES[series]), shown)
                builder.add("methods", series, "theory", largest, time, shown)
    steps = np.arange(1, 1000)
    bound = linear_optimizers.least_gen_loss(steps, largest)
    builder.add("loss", "bound", "theory", steps, bound)
    _tabulate_scaling(builder, options, data)
    _tabulate_batches(builder, data)
    return builder.frame()


def _method(run: RunResult) -> dict[str, Any]:
    """Return the parameters among `METHOD` that a run has."""
    return {key: run.parameters[key] for key in METHOD if key in run.parameters}


def _tabulate_scaling(builder: TableBuilder, options: Options, data: FigureData) -> None:
    """Add times against 1 - λ; the theory's are for the loss at the threshold accuracy."""
    distance = options.distance.log()
    plain = data.runs("gradient_descent")[0].parameters
    loss = float(linear.loss_threshold(plain["epsilon"], accuracy=data.threshold))
    for role in SCALING:
        for run in data.runs(role):
            for series, quantity in SERIES.items():
                at, row = 1.0 - run.parameters["lambda"], run.number(quantity)
                builder.add_summary("times", series, at, row, _method(run))
    problem = panels.problem_of(plain, **{"lambda": 1.0 - distance})
    accuracy = {"accuracy": data.threshold}
    conjugate = [linear_optimizers.conjugate_gradient_times(loss, 1.0 - each) for each in distance]
    theory = {
        "gradient_descent": Losses(
            train_time(problem, plain["epsilon"], **accuracy),
            gen_time(problem, plain["epsilon"], **accuracy),
        ),
        "tuned": linear_optimizers.tuned_momentum_times(loss, 1.0 - distance),
        "conjugate_gradients": Losses(*np.array(conjugate).T),
    }
    for role, times in theory.items():
        for series, time in zip(SERIES, times, strict=True):
            shown = _method(data.runs(role)[0])
            builder.add("times", series, "theory", distance, time, shown)
    bound = linear_optimizers.least_gen_time(loss, 1.0 - distance)
    builder.add("times", "bound", "theory", distance, bound)


def _tabulate_batches(builder: TableBuilder, data: FigureData) -> None:
    runs = data.runs("mini_batches")
    parameters = runs[0].parameters
    lambda_ = parameters["lambda"]
    descents = data.runs("gradient_descent")
    full = [run.only(runs[0].drawn) for run in descents if run.parameters["lambda"] == lambda_]
    shown, whole = {"lambda": lambda_}, parameters["d_in"] / lambda_
    for run in [*runs, *full]:
        size = run.parameters.get("batch_size", round(whole))
        for series, quantity in SERIES.items():
            builder.add_summary("batches", series, size, run.number(quantity), shown)
    smallest = min(run.parameters["batch_size"] for run in runs)
    # Times rise steeply towards the smallest batch: most points are there.
    sizes = smallest * (whole / smallest) ** (np.linspace(0.0, 1.0, 40) ** 2)
    sizes = np.minimum(sizes, whole)
    steps = runs[0].curve("train_loss")["step"].to_numpy(float)
    times = [
        expected.times_of({**parameters, "batch_size": size}, lambda_, steps, data.threshold)
        for size in sizes
    ]
    for series, time in zip(SERIES, np.transpose(times), strict=True):
        builder.add("batches", series, "theory", sizes, time, shown)
    limit = parameters["eta"] * parameters["d_in"]
    builder.add("batches", "limit", "theory", limit, 0.0, shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses of all methods, their times, and those of mini-batches."""
    figure, axes = style.new_panels(2, 3, height=5.2)
    # Conjugate gradients have no learning rate, and only momentum has a look-ahead.
    table = table.fillna({"nesterov": False, "eta": 0.0})
    dynamics = rows(table, "loss", source="experiment")
    methods = list(_methods(dynamics[dynamics["series"] == "generalization"]))
    colours = dict(zip(methods, COLOURS, strict=False))
    slow = _equal_speed(methods)
    shown = [method for method in methods if not method[1] and method not in slow[1:2]]
    for each, series, title in zip(
        axes[0, :2], ("generalization", "train"), ("generalization", "training"), strict=True
    ):
        _draw_losses(each, table, shown, colours, [series])
        each.set_ylabel(f"{title} loss")
    bound = rows(table, "loss", "bound")
    axes[0, 0].plot(bound["x"], bound["y"], **_BOUND)
    _draw_losses(axes[0, 2], table, slow, colours, ["generalization", "train"])
    axes[0, 2].set_ylabel("loss")
    _draw_times(axes[1, 0], table, colours)
    scaling = list(_methods(rows(table, "times")))
    names = {method: _label(method, scaling) for method in colours}
    _draw_methods(axes[1, 1], table, colours, names)
    _draw_batches(axes[1, 2], table)
    largest = style.label("lambda", rows(table, "methods")["x"].iloc[0])
    for each in (*axes[0], axes[1, 1]):
        each.set_title(largest, loc="right", fontsize="medium")
    batches = style.label("lambda", rows(table, "batches")["lambda"].iloc[0])
    axes[1, 2].set_title(batches, loc="right", fontsize="medium")
    handles = [legends.line(names[method], color=colour) for method, colour in colours.items()]
    handles += [
        legends.line("theory", **style.THEORY_LINE),
        legends.line("lower bound for Krylov methods", **_BOUND),
        *(
            legends.mark(style.NAMES[series], legends.GREY, markersize=4, **look)
            for series, look in MARKERS.items()
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.2)
    return figure


def _methods(table: pd.DataFrame) -> Iterator[tuple]:
    """Yield the methods of a table's rows in their order."""
    yield from table[METHOD].drop_duplicates().itertuples(index=False, name=None)


def _of(table: pd.DataFrame, method: tuple) -> pd.DataFrame:
    """Return a table's rows of a method."""
    return table[(table[METHOD] == list(method)).all(axis=1)]


def _label(method: tuple, scaling: Collection[tuple]) -> str:
    """Name a method; momentum that is among ``scaling`` (run at several λ) has β = λ."""
    solver, nesterov, eta = method
    tuned = r" $\beta=\lambda$" if method in scaling else ""
    name = {
        "spectral": "gradient descent",
        "momentum": "Nesterov" if nesterov else rf"momentum{tuned}",
        "grokfast": "Grokfast",
        "conjugate_gradients": "conjugate gradients",
    }[solver]
    return f"{name}, {style.label('eta', eta)}" if eta else name


def _equal_speed(methods: Sequence[tuple]) -> list[tuple]:
    """Return plain descent at both rates, and Grokfast."""
    return [method for method in methods if method[0] in ("spectral", "grokfast")]


def _draw_losses(
    axes: Axes,
    table: pd.DataFrame,
    methods: Sequence[tuple],
    colours: Mapping[tuple, str],
    series: Sequence[str],
) -> None:
    """Draw losses of some methods, with theory on top of experiment."""
    for method in methods:
        for name in series:
            curves = rows(_of(table, method), "loss", name)
            curve = rows(curves, source="experiment")
            draw_band(axes, curve, style.line_of(name), colours[method], linewidth=2.4)
            theory = rows(curves, source="theory")
            theory = theory[theory["x"] > 0]
            axes.plot(theory["x"], theory["y"], zorder=4, **style.THEORY_LINE)
    step_axis(axes)
    # Limits first: a logarithmic scale would try to cover losses near the end of floats' range.
    axes.set(ylim=(1e-6, 3), xlim=(0.8, 1e5), yscale="log")


def _draw_times(axes: Axes, table: pd.DataFrame, colours: Mapping[tuple, str]) -> None:
    times = rows(table, "times")
    for method in _methods(rows(times, source="experiment")):
        _draw_both(axes, _of(times, method), colours[method])
    draw_lines(axes, table, "times", "bound", **_BOUND)
    axes.set(xscale="log", yscale="log", xlabel=r"$1-\lambda$", ylabel=time_label(table))
    axes.invert_xaxis()


def _draw_both(axes: Axes, times: pd.DataFrame, colour: str) -> None:
    """Draw the times of both accuracies, with theory on stripes."""
    for series, look in MARKERS.items():
        found = rows(times, series=series)
        theory = rows(found, source="theory").sort_values("x")
        line = style.line_of(series)
        axes.plot(theory["x"], theory["y"], color=colour, zorder=1, **style.STRIPE)
        axes.plot(theory["x"], theory["y"], **{**style.THEORY_LINE, "linestyle": line})
        draw_points(axes, rows(found, source="experiment"), colour, **look)


def _draw_methods(
    axes: Axes, table: pd.DataFrame, colours: Mapping[tuple, str], names: Mapping[tuple, str]
) -> None:
    """Draw both times of each method on a line of its own, the slowest on top."""
    times = rows(table, "methods")
    for k, (method, colour) in enumerate(reversed([*colours.items()])):
        for series, look in MARKERS.items():
            found = rows(_of(times, method), series=series)
            point = rows(found, source="experiment").iloc[0]
            spread = [[point["y"] - point["y_low"]], [point["y_high"] - point["y"]]]
            bar = {"markersize": 4.5, "color": colour, "linestyle": "", "linewidth": 0.8}
            axes.errorbar(point["y"], k, xerr=spread, **bar, **look)
            expected = rows(found, source="theory")["y"].iloc[0]
            axes.plot(expected, k, marker="|", markersize=9, color=style.THEORY, zorder=6)
        look = {"va": "bottom", "fontsize": 6.5, "color": colour}
        axes.text(0.02, k + 0.2, names[method], transform=axes.get_yaxis_transform(), **look)
    axes.set(xscale="log", xlabel=time_label(table), ylim=(-0.7, len(colours) - 0.2), yticks=[])


def _draw_batches(axes: Axes, table: pd.DataFrame) -> None:
    _draw_both(axes, rows(table, "batches"), style.BLUE)
    axes.axvline(rows(table, "batches", "limit")["x"].iloc[0], **style.GUIDE)
    axes.set(xscale="log", yscale="log", xlabel="batch size $B$", ylabel=time_label(table))
    style.tick_plainly(axes.yaxis)
