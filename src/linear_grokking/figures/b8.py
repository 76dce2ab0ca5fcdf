"""Grokking time of the two-point model near λ = ½ (Paper B, Fig. 8; ICML Fig. 9)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.fields import Positive, Span
from linear_grokking.config.figures import LogisticRuns, TwoPointRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import QUANTITIES, panel_letters
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.figures.two_point_panels import (
    FULL,
    TWO_POINT,
    TwoPointOptions,
    distance_label,
    lambda_at,
)
from linear_grokking.grokking_time import first_crossing
from linear_grokking.statistics import summarize_values
from linear_grokking.theory import large_size
from linear_grokking.theory.two_point import settled_log_ratio
from linear_grokking.theory.two_point_times import (
    log_time_to_gen_loss,
    log_time_to_train_loss,
)

_PANEL = "root_log_ratio"
_LARGE_SIZE_DISTANCE = 1e-3
"""Smallest 1-2λ of the large-size curve, which has left the panel long before."""
_MARKERS = {"train": style.TRAIN_MARKER, "generalization": style.GENERALIZATION_MARKER}


class Options(TwoPointOptions):
    """What Fig. B8 is drawn from."""

    read_off: TwoPointRuns = Field(description="The one run whose times are read off.")
    full: LogisticRuns = Field(
        description="Runs of the full model with the exponential loss, one per λ."
    )
    epsilon: Positive = Field(1.0e-3, description="Threshold ε of the losses.")
    sigma: tuple[Positive, ...] = Field(min_length=1, description="σ of the two-point curves.")
    distance: Span = Field(description="Range of 1-2λ, log-spaced.")
    fit_sigma: Positive = Field(20.0, description="Smallest σ whose points are fitted.")
    fit_distance: Positive = Field(0.02, description="Largest 1-2λ whose points are fitted.")
    fit_settled: Positive = Field(
        4.0, description="Smallest σ²(1-2λ) ln t*_gen of a fitted point: S must have settled."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: the losses and where they reach ε, and √ln(t*_gen/t*_tr).

    Panel ``root_log_ratio`` is against |ln(1-2λ)|; panel ``slope`` holds the predicted slope
    and that of the points fitted at σ ≥ x, with its standard error as ``y_low``, ``y_high``.
    These points are exact: the error says how straight they lie.

    Raises
    ------
    ValueError
        If there are several runs to read off, or a run of the full model is not below
        λ = ½, or fewer than three points are left to fit.
    """
    builder = TableBuilder()
    read_off = data.runs("read_off")
    if len(read_off) != 1:
        raise ValueError(f"read_off names {len(read_off)} runs: must be one")
    _tabulate_read_off(builder, read_off[0], options.epsilon)
    span = options.distance
    distance = np.geomspace(span.start, span.stop, span.points)
    _tabulate_two_point(builder, options, distance)
    _tabulate_large_size(builder, distance[distance >= _LARGE_SIZE_DISTANCE])
    for run in data.runs("full"):
        _tabulate_measured(builder, run, options.epsilon)
    return builder.frame()


def _tabulate_read_off(builder: TableBuilder, run: RunResult, epsilon: float) -> None:
    """Add the losses of a run, and the exact times at which they fall to ε."""
    names = ("lambda", "sigma", "eta", "s0", "b0")
    lambda_, sigma, eta, s0, b0 = (run.parameters[name] for name in names)
    shown = {"model": TWO_POINT, "lambda": lambda_, "sigma": sigma}
    times = {"train": log_time_to_train_loss, "generalization": log_time_to_gen_loss}
    for series, quantity in QUANTITIES["loss"].items():
        curve = run.curve(quantity)
        values = (curve["step"], curve["median"])
        spread = {"y_low": curve["q25"], "y_high": curve["q75"], "n": curve["n"]}
        builder.add("loss", series, "experiment", *values, **spread, parameters=shown)
        time = np.exp(times[series](epsilon, lambda_, sigma, eta, s0, b0))
        at = {**shown, "epsilon": epsilon}
        builder.add("loss", f"{series}_at_epsilon", "theory", time, epsilon, parameters=at)


def _tabulate_two_point(builder: TableBuilder, options: Options, distance: np.ndarray) -> None:
    """Add √ln(t*_gen/t*_tr) for each σ and for settled S, and the straight line's fit."""
    x, lambda_ = -np.log(distance), lambda_at(distance)
    fitted = []
    for sigma in options.sigma:
        arguments = (options.epsilon, lambda_, sigma, options.eta, options.s0, options.b0)
        gen = log_time_to_gen_loss(*arguments)
        root = np.sqrt(gen - log_time_to_train_loss(*arguments))
        shown = {"model": TWO_POINT, "sigma": sigma, "epsilon": options.epsilon}
        builder.add(_PANEL, "exact", "theory", x, root, parameters=shown)
        if sigma >= options.fit_sigma:
            settled = sigma**2 * distance * gen >= options.fit_settled
            kept = settled & (distance <= options.fit_distance)
            fitted.append(np.column_stack([x[kept], root[kept]]))
    shown = {"model": TWO_POINT}
    settled = np.sqrt(settled_log_ratio(lambda_))
    builder.add(_PANEL, "settled", "theory", x, settled, parameters=shown)

    points = np.concatenate([np.empty((0, 2)), *fitted])
    if len(points) < 3:
        raise ValueError(
            f"{len(points)} points have sigma >= {options.fit_sigma:g}, 1-2 lambda <= "
            f"{options.fit_distance:g} and a settled weight: the fit needs three"
        )
    # Imported here: every call of Snakemake imports this module for its options, and
    # scipy.stats takes longer than all the rest.
    from scipy.stats import linregress

    fit = linregress(points[:, 0], points[:, 1])
    ends = np.array([points[:, 0].min(), points[:, 0].max()])
    line = fit.intercept + fit.slope * ends
    builder.add(_PANEL, "fit", "theory", ends, line, n=len(points), parameters=shown)
    predicted = np.array([0.0, x.max()])
    builder.add(_PANEL, "predicted", "paper", predicted, predicted / np.sqrt(2.0), parameters=shown)
    error = {"y_low": fit.slope - fit.stderr, "y_high": fit.slope + fit.stderr}
    smallest, n = options.fit_sigma, len(points)
    builder.add("slope", "fit", "theory", smallest, fit.slope, **error, n=n, parameters=shown)
    builder.add("slope", "predicted", "paper", smallest, 1.0 / np.sqrt(2.0), parameters=shown)


def _tabulate_large_size(builder: TableBuilder, distance: np.ndarray) -> None:
    """Add √(‖S_∞‖²/2 - ln C_∞) of the full model for large N and settled S."""
    lambda_ = lambda_at(distance)
    norm, loss = large_size.limit_norm(lambda_), large_size.limit_loss(lambda_)
    root = np.sqrt(norm**2 / 2.0 - np.log(loss))
    shown = {"model": FULL}
    builder.add(_PANEL, "large_size", "theory", -np.log(distance), root, parameters=shown)


def _tabulate_measured(builder: TableBuilder, run: RunResult, epsilon: float) -> None:
    """Add the full model's median with quartiles; inf where generalization never comes."""
    distance = 1.0 - 2.0 * run.parameters["lambda"]
    if distance <= 0.0:
        raise ValueError(f"full: lambda = {run.parameters['lambda']:g}: must be below 0.5")
    rows = run.rows()
    times = {}
    for name in ("train_loss", "gen_loss"):
        curves = rows.pivot(index="realization", columns="step", values=name)
        times[name] = first_crossing(
            curves.columns.to_numpy(), -np.log(curves.to_numpy()), -np.log(epsilon)
        )
    root = np.sqrt(np.log(times["gen_loss"] / times["train_loss"]))
    row = summarize_values("root_log_ratio", root, censored=np.isinf(root)).iloc[0]
    keys = ("lambda", "n_train", "sigma", "loss")
    shown = {"model": FULL, "epsilon": epsilon, **{key: run.parameters[key] for key in keys}}
    builder.add(
        _PANEL,
        "median",
        "experiment",
        -np.log(distance),
        row["median"],
        y_low=row["q25"],
        y_high=row["q75"],
        n=row["n"],
        parameters=shown,
    )


def draw(table: pd.DataFrame) -> Figure:
    """Draw how the times are read off, and their ratio against the distance from ½."""
    figure = style.new_figure(2.6, 1.3)
    axes = figure.subplots(1, 2)
    _draw_read_off(axes[0], table[table["panel"] == "loss"])
    _draw_ratio(axes[1], table)
    panel_letters(axes)
    return figure


def _draw_read_off(axes: Axes, rows: pd.DataFrame) -> None:
    at = rows[rows["series"].str.endswith("_at_epsilon")]
    epsilon = at["y"].iloc[0]
    for series, line, name in (
        ("train", style.TRAIN_LINE, "training"),
        ("generalization", "-", "generalization"),
    ):
        curve = rows[(rows["series"] == series) & (rows["x"] > 0)]
        axes.plot(curve["x"], curve["y"], color=style.BLUE, linestyle=line, label=name)
        time = at.loc[at["series"] == f"{series}_at_epsilon", "x"].iloc[0]
        marker = _MARKERS[series]
        axes.plot(
            time,
            epsilon,
            marker,
            color=style.BLUE,
            markeredgecolor="black",
            markersize=style.MARKER_SIZES[marker],
            zorder=5,
        )
        index = "tr" if series == "train" else "gen"
        axes.annotate(
            rf"$t^*_\mathrm{{{index}}}$",
            (time, epsilon),
            (6, 8),
            textcoords="offset points",
        )
    axes.axhline(epsilon, color=style.PAPER, linewidth=0.8, linestyle=":")
    axes.annotate(
        rf"$\epsilon$ = {style.number(epsilon)}",
        (1.0, epsilon),
        (3, -11),
        textcoords="offset points",
        color=style.PAPER,
    )
    shown = at.iloc[0]
    text = f"{distance_label(shown['lambda'])}, {style.label('sigma', shown['sigma'])}"
    axes.set_title(text)
    axes.set(xscale="log", yscale="log", xlabel="step $t$", ylabel="loss")
    axes.set_ylim(epsilon / 300.0, None)
    axes.margins(x=0.02)
    axes.legend(loc="upper right").set_in_layout(False)


def _draw_ratio(axes: Axes, table: pd.DataFrame) -> None:
    rows = table[table["panel"] == _PANEL]
    exact = rows[rows["series"] == "exact"]
    colours = style.colours(["fit", *sorted(exact["sigma"].unique())])
    handles = []
    points = {"marker": "o", "markersize": 3.5, "linestyle": ""}
    for sigma, curve in exact.groupby("sigma"):
        label = f"two points, {style.label('sigma', sigma)}"
        handles += axes.plot(curve["x"], curve["y"], color=colours[sigma], label=label, **points)
    settled = {"color": style.THEORY, "linewidth": 0.9, "label": r"two points, $\sigma\to\infty$"}
    handles += draw_lines(axes, table, _PANEL, "settled", settled)
    slope = table[table["panel"] == "slope"].set_index("series")
    error = slope.loc["fit", "y_high"] - slope.loc["fit", "y"]
    text = rf"fit, $\sigma\geq{slope.loc['fit', 'x']:g}$: slope {slope.loc['fit', 'y']:.4f}"
    fit = {"color": colours["fit"], "label": rf"{text} $\pm$ {error:.4f}", "zorder": 5}
    handles += draw_lines(axes, table, _PANEL, "fit", fit)
    predicted = {"color": colours["fit"], "linestyle": "--", "linewidth": 1.0, "zorder": 5}
    predicted["label"] = rf"paper: slope $1/\sqrt{{2}}$ = {slope.loc['predicted', 'y']:.4f}"
    handles += draw_lines(axes, table, _PANEL, "predicted", predicted)
    large = {"color": style.THEORY, "linestyle": "-.", "linewidth": 1.2}
    large["label"] = r"full model, $N\to\infty$"
    handles += draw_lines(axes, table, _PANEL, "large_size", large)
    measured = rows[rows["series"] == "median"]
    draw_points(axes, measured, style.THEORY, marker="s")
    label = f"full model, {style.label('n_train', int(measured['n_train'].iloc[0]))}, median"
    handles.append(
        Line2D([], [], color=style.THEORY, marker="s", markersize=4.5, linestyle="", label=label)
    )
    axes.set_xlim(0.0, None)
    axes.set_ylim(0.0, 1.15 * exact["y"].max())
    axes.set_xlabel(r"$|\ln(1-2\lambda)|$")
    axes.set_ylabel(r"$\sqrt{\ln(t^*_\mathrm{gen}/t^*_\mathrm{tr})}$")
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5))
