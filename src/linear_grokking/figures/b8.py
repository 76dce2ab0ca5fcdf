"""Fig. B8."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.fields import Axis, Positive, Span
from linear_grokking.config.figure_options import LogisticRuns, TwoPointRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import two_point_panels as panels
from linear_grokking.figures.dynamics import QUANTITIES, draw_band, step_axis
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import large_size
from linear_grokking.theory.two_point import TwoPoint, settled_log_ratio
from linear_grokking.theory.two_point_times import log_time_to_gen_loss, log_time_to_train_loss

TITLE = "Grokking time of the two-point model near λ = ½ (Paper B, Fig. 8; ICML Fig. 9)"
_PANEL = "root_log_ratio"
_LARGE_SIZE_DISTANCE = 1e-3
"""Smallest 1-2λ of the large-size curve, which has left the panel long before."""
_MEASURED = style.GREEN
_LOG_TIMES = {"train": log_time_to_train_loss, "generalization": log_time_to_gen_loss}


class Options(panels.TwoPointOptions):
    """What Fig. B8 is drawn from."""

    read_off: TwoPointRuns = Field(description="The one run whose times are read off.")
    full: LogisticRuns = Field(
        description="Runs of the full model with the exponential loss, one per λ."
    )
    sigma: Axis[Positive] = Field(description="σ of the two-point curves.")
    distance: Span = Field(description="Range of 1-2λ, log-spaced.")
    fit_sigma: Positive = Field(20.0, description="Smallest σ whose points are fitted.")
    fit_distance: Positive = Field(0.02, description="Largest 1-2λ whose points are fitted.")
    fit_settled: Positive = Field(
        4.0, description="Smallest σ²(1-2λ) ln(ηt*_gen) of a fitted point: S must have settled."
    )


def root_log_ratios(run: RunResult) -> np.ndarray:
    """Return √ln(t*_gen/t*_tr) of each draw, (R,); 0 where generalization does not come later."""
    train, gen = run.scalars[["t_train_loss", "t_gen_loss"]].to_numpy(float).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.maximum(np.log(gen / train), 0.0))


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: the losses and where they reach ε, and √ln(t*_gen/t*_tr).

    Panel ``root_log_ratio`` is against |ln(1-2λ)|.  Panel ``slope`` holds the predicted slope and
    the slope fitted to the points with σ ≥ x; ``y_low`` and ``y_high`` are one standard error
    away.  These points are exact: the error tells how straight they lie.

    Raises
    ------
    ValueError
        If there is not exactly one run to read off, or a run of the full model is not below
        λ = ½, or fewer than three points are left to fit.
    """
    builder = TableBuilder()
    read_off = data.runs("read_off")
    if len(read_off) != 1:
        raise ValueError(f"read_off names {len(read_off)} runs: must be one")
    _tabulate_read_off(builder, read_off[0], data.loss_threshold)
    distance = options.distance.log()
    _tabulate_two_point(builder, options, distance, data.loss_threshold)
    _tabulate_large_size(builder, distance[distance >= _LARGE_SIZE_DISTANCE])
    for run in data.runs("full"):
        _tabulate_measured(builder, run, data.loss_threshold)
    return builder.frame()


def _tabulate_read_off(builder: TableBuilder, run: RunResult, epsilon: float) -> None:
    """Add the losses of a run, and the exact times at which they fall to ε."""
    names = ("lambda", "sigma", "eta", "s0", "b0")
    problem = TwoPoint.at_lambda(*(run.parameters[name] for name in names))
    shown = {"model": panels.TWO_POINT, **{key: run.parameters[key] for key in ("lambda", "sigma")}}
    at = {**shown, "epsilon": epsilon}
    for series, quantity in QUANTITIES["loss"].items():
        curve = run.curve(quantity)
        builder.add_summary("loss", series, curve["step"], curve, shown)
        time = np.exp(_LOG_TIMES[series](epsilon, problem))
        builder.add("loss", f"{series}_at_epsilon", "theory", time, epsilon, at)


def _tabulate_two_point(
    builder: TableBuilder, options: Options, distance: np.ndarray, epsilon: float
) -> None:
    """Add √ln(t*_gen/t*_tr) for each σ and for settled S, and the straight line's fit."""
    x = -np.log(distance)
    fitted = []
    for sigma in options.sigma:
        problem = options.problem(distance, sigma)
        gen = log_time_to_gen_loss(epsilon, problem)
        root = np.sqrt(gen - log_time_to_train_loss(epsilon, problem))
        at = {"model": panels.TWO_POINT, "sigma": sigma, "epsilon": epsilon}
        builder.add(_PANEL, "exact", "theory", x, root, at)
        if sigma >= options.fit_sigma:
            settled = sigma**2 * distance * (gen + np.log(options.eta)) >= options.fit_settled
            kept = settled & (distance <= options.fit_distance)
            fitted.append(np.column_stack([x[kept], root[kept]]))
    shown = {"model": panels.TWO_POINT}
    settled = np.sqrt(settled_log_ratio(panels.lambda_at(distance)))
    builder.add(_PANEL, "settled", "theory", x, settled, shown)

    points = np.concatenate([np.empty((0, 2)), *fitted])
    if len(points) < 3 or not np.ptp(points[:, 0]) > 0.0:
        raise ValueError(
            f"{len(points)} points have sigma >= {options.fit_sigma:g}, 1-2 lambda <= "
            f"{options.fit_distance:g} and a settled weight: the fit needs three, not all of one "
            "lambda"
        )
    (slope, intercept), covariance = np.polyfit(points[:, 0], points[:, 1], 1, cov=True)
    n, ends = len(points), np.array([points[:, 0].min(), points[:, 0].max()])
    builder.add(_PANEL, "fit", "theory", ends, intercept + slope * ends, shown, n=n)
    predicted, ends = 1.0 / np.sqrt(2.0), np.array([0.0, x.max()])
    builder.add(_PANEL, "predicted", "paper", ends, predicted * ends, shown)
    error = np.sqrt(covariance[0, 0])
    spread = {"y_low": slope - error, "y_high": slope + error, "n": n}
    builder.add("slope", "fit", "theory", options.fit_sigma, slope, shown, **spread)
    builder.add("slope", "predicted", "paper", options.fit_sigma, predicted, shown)


def _tabulate_large_size(builder: TableBuilder, distance: np.ndarray) -> None:
    """Add √(‖S_∞‖²/2 - ln C_∞) of the full model for large N and settled S."""
    lambda_ = panels.lambda_at(distance)
    norm, loss = large_size.limit_norm(lambda_), large_size.limit_loss(lambda_)
    root = np.sqrt(norm**2 / 2.0 - np.log(loss))
    builder.add(_PANEL, "large_size", "theory", -np.log(distance), root, {"model": panels.FULL})


def _tabulate_measured(builder: TableBuilder, run: RunResult, epsilon: float) -> None:
    """Add the full model's median with quartiles; inf where generalization never comes."""
    distance = 1.0 - 2.0 * run.parameters["lambda"]
    if distance <= 0.0:
        raise ValueError(f"full: lambda = {run.parameters['lambda']:g}: must be below 0.5")
    root = root_log_ratios(run)
    keys = ("lambda", "n_train", "sigma", "loss")
    shown = {"model": panels.FULL, "epsilon": epsilon, **{key: run.parameters[key] for key in keys}}
    builder.add_values(_PANEL, "median", -np.log(distance), root, shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw how the times are read off, and their ratio against the distance from ½."""
    figure, axes = style.new_panels(1, 2, height=3.5)
    colours = style.colours_of(rows(table, _PANEL, "exact")["sigma"])
    _draw_read_off(axes[0], rows(table, "loss"), colours)
    handles = _draw_ratio(axes[1], table, colours)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw_read_off(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    colour = colours.get(table["sigma"].iloc[0], style.GREEN)
    for series, index in (("train", "tr"), ("generalization", "gen")):
        curve, name = rows(table, series=series), style.NAMES[series]
        draw_band(axes, curve, style.line_of(series), colour, name)
        at = rows(table, series=f"{series}_at_epsilon").iloc[0]
        place, epsilon = (at["x"], at["y"]), at["y"]
        axes.plot(*place, color=colour, zorder=5, **style.REACHED[series])
        symbol = rf"$t^*_\mathrm{{{index}}}$"
        axes.annotate(symbol, place, (6, 8), textcoords="offset points")
    axes.axhline(epsilon, **style.GUIDE)
    middle, text = (0.5, epsilon), style.label("epsilon", epsilon)
    note = {"xycoords": axes.get_yaxis_transform(), "ha": "center", "va": "top"}
    axes.annotate(text, middle, (0, -3), textcoords="offset points", color=style.PAPER, **note)
    axes.set_title(f"{panels.distance_label(at['lambda'])}, {style.label('sigma', at['sigma'])}")
    step_axis(axes)
    axes.set(yscale="log", ylabel="loss", ylim=(epsilon / 300.0, None))
    legends.add(axes, loc="upper right")


def _draw_ratio(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> list[Line2D]:
    """Draw the ratios, and return their legend entries."""
    exact = rows(table, _PANEL, "exact")
    draw_lines(axes, table, _PANEL, "exact", by="sigma", colours=colours)
    handles = [
        legends.line(
            f"two-point model, {style.label('sigma', sigma)}", color=colour, **style.STRIPE
        )
        for sigma, colour in colours.items()
    ]
    slopes = rows(table, "slope").set_index("series")
    fit, predicted = slopes.loc["fit"], slopes.loc["predicted"]
    _draw_fit(axes, table, fit["y"])
    dotted = {"linestyle": ":", "linewidth": 1.4}
    dashed = {**style.REFERENCE, "linewidth": 1.0}
    for series, label, look in (
        ("settled", r"two-point model, $\sigma\to\infty$", dotted),
        ("predicted", rf"paper: slope $1/\sqrt{{2}}$ = {predicted['y']:.4f}", dashed),
        ("large_size", r"full model, $N\to\infty$", {"linestyle": "-.", "linewidth": 1.2}),
    ):
        handles += draw_lines(axes, table, _PANEL, series, label=label, **look)
    measured = rows(table, _PANEL, "median")
    draw_points(axes, measured, _MEASURED, marker="s")
    sigma = style.label("sigma", measured["sigma"].iloc[0])
    label = f"full model, {style.size_label(measured)}, {sigma}: median, quartiles"
    handles.append(legends.mark(label, _MEASURED, "s", markersize=3.2))
    axes.set(xlim=(0.0, None), xlabel=r"$|\ln(1-2\lambda)|$")
    axes.set_ylim(*finite_ends(0.0, 1.15 * exact["y"].max()))
    axes.set_ylabel(r"$\sqrt{\ln(t^*_\mathrm{gen}/t^*_\mathrm{tr})}$")
    return handles


def _draw_fit(axes: Axes, table: pd.DataFrame, slope: float) -> None:
    """Mark below the curves the range over which their slope is taken, and write the slope."""
    ends = rows(table, _PANEL, "fit")["x"]
    height = 0.07
    look = {"color": style.PAPER, "linewidth": 0.8, "marker": "|", "markersize": 6}
    axes.plot(ends, [height, height], transform=axes.get_xaxis_transform(), **look)
    text = f"fitted slope, settled $S$: {slope:.4f}"
    place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    axes.text(ends.mean(), height + 0.02, text, fontsize=6.5, color=style.PAPER, **place)
