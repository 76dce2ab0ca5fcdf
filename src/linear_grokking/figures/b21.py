"""Fig. B21.

Paper B trains sets of up to 40 000 points, and its formula for the time of an accuracy assumes
that S has settled.  Inputs drawn product by product (`data.deferred`) give access to larger sets:
to how the time scatters with N, and to where S has not settled.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field
from scipy.special import chdtri

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics
from linear_grokking.figures.logistic_panels import tabulate_settled_course
from linear_grokking.figures.points import draw_lines, draw_points, draw_points_by, tabulate_scalar
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.separability_panels import LARGEST_BELOW
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, time_label
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.results.statistics import CONFIDENCE
from linear_grokking.theory import large_size

TITLE = (
    "Large sets without their matrix: times at large N, and where S is not settled (beyond Paper B)"
)
_HOLLOW = {"markerfacecolor": "white"}
_SETTLING = r"$\sigma^2p\,\log(\eta C_\infty t)$"


class Options(FigureOptions):
    """What Fig. B21 is drawn from."""

    times: LogisticRuns = Field(description="Deferred inputs at one N, σ × λ up to ½.")
    small: LogisticRuns = Field(description="Matrices at one λ and σ, by N.")
    direct: LogisticRuns = Field(description="Matrices at the same λ and σ, at a larger N.")
    deferred: LogisticRuns = Field(description="Deferred inputs of the same law and size.")
    large: LogisticRuns = Field(description="Deferred inputs at larger N.")
    largest: LogisticRuns = Field(description="Deferred inputs at the largest N.")
    lambda_range: Span = Field(description="Range of λ of the formula.")


def settled_time(run: RunResult, accuracy: float) -> float:
    """Return the time at which large sets would reach an accuracy if S had settled."""
    p = run.parameters
    return float(np.exp(large_size.log_time_to_accuracy(p["lambda"], p["eta"], accuracy)))


def settling(run: RunResult, accuracy: float) -> float:
    """Return σ²p log(ηC_∞t) at the time of a settled S."""
    lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
    return float(large_size.settling(lambda_, sigma, accuracy))


def settled_shares(run: RunResult, accuracy: float) -> np.ndarray:
    """Return log t of each realization over its value if S had settled; inf where never."""
    return np.log(run.scalars["t_gen"].to_numpy(float)) / np.log(settled_time(run, accuracy))


def log_ratios(run: RunResult, accuracy: float) -> np.ndarray:
    """Return the logarithm of each realization's time over the settled one; inf where never."""
    return np.log(run.scalars["t_gen"].to_numpy(float) / settled_time(run, accuracy))


def scatter_power(sizes: Sequence[float], scatter: Sequence[float]) -> tuple[float, float]:
    """Fit the scatter by a factor times a power of N; return the power and the factor."""
    power, log_factor = np.polyfit(np.log(sizes), np.log(scatter), 1)
    return float(power), float(np.exp(log_factor))


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: curves of both kinds of inputs, times against λ, and against N.

    Panel ``grokking_time`` holds medians against λ.  Its theory assumes a settled S; series
    ``settled_range`` marks, for each σ, its last point where σ²p log(ηC_∞t) is at least
    `large_size.SETTLED`.  Panel ``settled_share`` holds log t over the formula's, against
    σ²p log(ηC_∞t).  Panel ``finite_size`` holds, against N, the standard deviation of log t with
    its 95 % interval (``scatter``), a power law fitted to it (``scatter_power``), and the relative
    difference of the geometric mean of t from the formula with its standard error
    (``correction``).
    """
    builder = TableBuilder()
    for role in ("direct", "large"):
        run = max(data.runs(role), key=lambda each: each.parameters["n_train"])
        tabulate_dynamics(builder, run, {"n_train": run.parameters["n_train"]}, ["accuracy"])
    lambda_, eta, t_max = (
        data.runs("direct")[0].parameters[key] for key in ("lambda", "eta", "t_max")
    )
    log_time = partial(large_size.log_time_to_accuracy, lambda_, eta)
    tabulate_settled_course(builder, log_time, t_max)
    times = data.runs("times")
    tabulate_scalar(builder, times, "t_gen", "grokking_time", "t95", "lambda", ["sigma"])
    _tabulate_formula(builder, options, times, data.threshold)
    for run in times:
        if run.parameters["lambda"] <= LARGEST_BELOW:
            at = {key: run.parameters[key] for key in ("sigma", "lambda")}
            shares = settled_shares(run, data.threshold)
            builder.add_values("settled_share", "t95", settling(run, data.threshold), shares, at)
    _tabulate_sizes(builder, data)
    return builder.frame()


def _tabulate_formula(
    builder: TableBuilder, options: Options, runs: Sequence[RunResult], accuracy: float
) -> None:
    eta = runs[0].parameters["eta"]
    lambdas = options.lambda_range.linear()
    log_time = large_size.log_time_to_accuracy(lambdas, eta, accuracy)
    builder.add("grokking_time", "large_size", "theory", lambdas, np.exp(log_time))
    for sigma in sorted(by_value(runs, "sigma")):
        settled = large_size.settling(lambdas, sigma, accuracy)
        (within,) = np.nonzero(settled >= large_size.SETTLED)
        if within.size:
            last = within[-1]
            at = {"sigma": sigma}
            place = lambdas[last], np.exp(log_time[last])
            builder.add("grokking_time", "settled_range", "theory", *place, at)


def _tabulate_sizes(builder: TableBuilder, data: FigureData) -> None:
    sizes, scatter = [], []
    for run in data.runs("small", "direct", "deferred", "large", "largest"):
        n_train, logs = run.parameters["n_train"], log_ratios(run, data.threshold)
        at = {"data": run.parameters.get("data", "matrix")}
        if not np.isfinite(logs).all():
            continue
        error = np.nan
        if len(logs) > 1:
            value, low, high = _deviation(logs)
            spread = {"y_low": low, "y_high": high, "n": len(logs)}
            builder.add("finite_size", "scatter", "experiment", n_train, value, at, **spread)
            sizes.append(n_train)
            scatter.append(value)
            error = value / np.sqrt(len(logs))
        off, low, high = np.expm1(logs.mean() + np.array([0.0, -error, error]))
        spread = {"y_low": low, "y_high": high, "n": len(logs)}
        builder.add("finite_size", "correction", "experiment", n_train, off, at, **spread)
    if len(set(sizes)) > 1:
        power, factor = scatter_power(sizes, scatter)
        sizes = np.geomspace(min(sizes), max(sizes), 50)
        builder.add("finite_size", "scatter_power", "experiment", sizes, factor * sizes**power)


def _deviation(logs: np.ndarray) -> tuple[float, float, float]:
    """Return the standard deviation with its interval: log t is nearly normal, draws may be few."""
    value, degrees = float(logs.std(ddof=1)), len(logs) - 1
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = value * np.sqrt(degrees / chdtri(degrees, [tail, 1.0 - tail]))
    return value, low, high


def draw(table: pd.DataFrame) -> Figure:
    """Draw dynamics and times above; how far S has settled, and sizes, below."""
    figure, axes = style.new_panels(2, 2, height=4.6)
    _draw_dynamics(axes[0, 0], table)
    colours = style.colours_of(rows(table, "grokking_time")["sigma"])
    _draw_times(axes[0, 1], table, colours)
    _draw_settling(axes[1, 0], table, colours)
    _draw_sizes(axes[1, 1], table)
    return figure


def _draw_dynamics(axes: Axes, table: pd.DataFrame) -> None:
    curves = rows(table, "accuracy", source="experiment")
    sizes = sorted(curves["n_train"].unique())
    colours = dict(zip(sizes, (style.ORANGE, style.BLUE), strict=True))
    draw_dynamics([axes], curves, "n_train", colours, ["accuracy"])
    draw_lines(axes, table, "accuracy", "large_size", zorder=4)
    axes.set(ylim=(0.45, 1.03), xlim=(1, None))
    kinds = zip(("matrix", "deferred"), colours.items(), strict=True)
    handles = [
        legends.line(f"{kind}, {style.label('n_train', n)}", color=colour)
        for kind, (n, colour) in kinds
    ]
    handles.append(legends.line("training", color=legends.GREY, linestyle=style.TRAIN_LINE))
    handles.append(legends.line(r"settled $S$, $N\to\infty$", **style.THEORY_LINE))
    legends.add(axes, [*handles, *legends.reached(table)], loc="lower right")


def _draw_times(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    points = rows(table, "grokking_time", "t95")
    draw_lines(axes, table, "grokking_time", "large_size")
    finite = points[["y", "y_low", "y_high"]].replace(np.inf, np.nan)
    axes.set(yscale="log")
    axes.set_ylim(*finite_ends(finite.min().min() / 2.0, 30.0 * finite.max().max()))
    draw_points_by(axes, points, "sigma", colours)
    edge = {"linestyle": "", "marker": "|", "markersize": 15, "markeredgewidth": 1.6, "zorder": 3}
    for sigma, end in rows(table, "grokking_time", "settled_range").groupby("sigma"):
        axes.plot(end["x"], end["y"], color=colours[sigma], **edge)
    axes.set(xlabel=style.SYMBOLS["lambda"], ylabel=time_label(table))
    handles = legends.marks("sigma", colours)
    handles.append(legends.line(r"settled $S$, $N\to\infty$", **style.THEORY_LINE))
    label = f"{_SETTLING}$={large_size.SETTLED:g}$"
    handles.append(legends.line(label, color=legends.GREY, **edge))
    legends.add(axes, handles, loc="upper left")


def _draw_settling(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    axes.axhline(1.0, **style.THEORY_LINE)
    axes.axvline(large_size.SETTLED, **style.GUIDE)
    axes.set(xscale="log")
    style.tick_plainly(axes.xaxis)
    draw_points_by(axes, rows(table, "settled_share"), "sigma", colours)
    axes.set(xlabel=_SETTLING, ylabel=r"$\log t$ / value for settled $S$", ylim=(0, None))


def _draw_sizes(axes: Axes, table: pd.DataFrame) -> None:
    axes.axhline(0.0, **style.GUIDE)
    if rows(table, "finite_size").empty:
        return
    handles = []
    for series, colour, name in (
        ("scatter", style.BLUE, r"scatter of $\log t$"),
        ("correction", style.VERMILION, r"mean $t$ / formula $-\,1$"),
    ):
        points = rows(table, "finite_size", series)
        for kind, look in (("matrix", _HOLLOW), ("deferred", {})):
            draw_points(axes, rows(points, data=kind), colour, **look)
        handles.append(legends.mark(name, colour))
    fit = rows(table, "finite_size", "scatter_power")
    if len(fit) > 1:
        axes.plot(fit["x"], fit["y"], **style.REFERENCE)
        power = np.diff(np.log(fit["y"]))[0] / np.diff(np.log(fit["x"]))[0]
        handles.append(legends.line(rf"$\propto N^{{{power:.2f}}}$", **style.REFERENCE))
    handles.append(legends.mark("matrix", legends.GREY, **_HOLLOW))
    handles.append(legends.mark("deferred", legends.GREY))
    high = rows(table, "finite_size")[["y", "y_high"]].max().max()
    axes.set(xscale="log", xlabel=style.SYMBOLS["n_train"], ylabel="relative deviation")
    axes.set_ylim(top=1.6 * high)  # room for the legend
    legends.add(axes, handles, loc="upper right", ncols=2)
