"""Fig. B18.

Paper B trains without regularization.  With weight decay, two conventions differ: decay of all
parameters keeps them finite and the accuracy below 1; decay of the weights alone brings every set
to accuracy 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.logistic_panels import tabulate_large_size_limits
from linear_grokking.figures.maps import draw_map, tabulate_map
from linear_grokking.figures.points import draw_lines, draw_points, draw_points_by, tabulate_scalar
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.separability_panels import LARGEST_BELOW, lambda_axis
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import large_size, logistic_weight_decay, quasi_static
from linear_grokking.theory.margin import limit_gen_accuracy

TITLE = "Weight decay in classification: weights alone, or all parameters (beyond Paper B)"
KINDS = {"none": style.BLUE, "weights": style.GREEN, "all": style.PURPLE}
NAMES = {"none": "no decay", "weights": "decay of $S$", "all": "decay of $S$ and $b$"}
SHADES = ("#7FD1B3", "#009E73", "#00523C")
"""Colours of λ in the panel of times, ascending: greens, because only the weights decay there."""
MARKERS = "os^v"
_BIASES = -np.linspace(0.1, 30.0, 150)
"""Biases at which the quasi-static curve is tabulated; what lies outside the panel is left out."""


class Options(FigureOptions):
    """What Fig. B18 is drawn from."""

    dynamics: LogisticRuns = Field(
        description="Runs without decay, with decay of the weights, and of all; one per λ."
    )
    minima: LogisticRuns = Field(description="Runs with decay of all, to their end, λ × γ.")
    times: LogisticRuns = Field(description="Runs with decay of the weights alone, λ × γ.")
    large_sigma: LogisticRuns = Field(description="The same at a large σ, of claims alone.")
    lambda_range: Span = Field(description="Range of λ of the theory curves and of the map.")
    gamma_range: Span = Field(description="Range of γ of the theory curves and of the map.")


def kind_of(parameters: Mapping[str, Any]) -> str:
    """Return what decays in a run: none, weights or all."""
    return parameters.get("decay", "weights") if parameters["gamma"] > 0 else "none"


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ and by what decays, final accuracies, and times.

    Column ``decay`` is ``none`` without decay.  Panel ``final_accuracy`` holds the accuracy with
    decay of all parameters against λ; series ``large_size`` is that of large sets, and ``limit``
    its limit for γ → 0.  Panel ``scaled_time`` holds, against γ, ηγ times the time to the
    threshold with decay of the weights; series ``large_size`` is the quasi-static time, and
    ``no_decay`` the time without decay.  The map ``lambda_gamma`` holds the accuracy with decay of
    all parameters, and ``largest_gamma`` the weight decay beyond which it is below the threshold.
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        _tabulate_dynamics(builder, run)
    sigma = data.runs("minima")[0].parameters["sigma"]
    lambdas, gammas = options.lambda_range.linear(), options.gamma_range.log()
    _tabulate_minima(builder, data.runs("minima"), lambdas)
    limit = limit_gen_accuracy(lambdas, sigma)
    builder.add("final_accuracy", "limit", "theory", lambdas, limit, {"gamma": 0.0})
    ends = logistic_weight_decay.minimum(lambdas, sigma, gammas[:, np.newaxis])
    tabulate_map(builder, "lambda_gamma", lambdas, gammas, ends.accuracy, series="accuracy")
    most = logistic_weight_decay.max_weight_decay(lambdas, sigma, data.threshold)
    builder.add("lambda_gamma", "largest_gamma", "theory", lambdas, most)
    _tabulate_times(builder, data.runs("times"), gammas, data.threshold)
    return builder.frame()


def _tabulate_dynamics(builder: TableBuilder, run: RunResult) -> None:
    """Add a run's curves, and what theory says of large sets."""
    p = run.parameters
    kind = kind_of(p)
    shown = {"lambda": p["lambda"], "gamma": p["gamma"], "decay": kind}
    tabulate_dynamics(builder, run, shown, ("accuracy", "weight_norm"))
    if kind == "none":
        tabulate_large_size_limits(builder, run, shown)
        return
    if kind == "all":
        end = logistic_weight_decay.minimum(p["lambda"], p["sigma"], p["gamma"], p["loss"])
        for panel, value in (("accuracy", end.accuracy), ("weight_norm", end.norm)):
            builder.add(panel, "large_size_limit", "theory", time_span(run), value, shown)
        return
    curve = quasi_static.passage(_BIASES, *(p[key] for key in ("lambda", "sigma", "gamma", "eta")))
    first, last = time_span(run)
    kept = (curve.time >= first) & (curve.time <= last)
    for panel, series, values in (
        ("accuracy", "generalization", curve.accuracy),
        ("weight_norm", "weight_norm", curve.norm),
    ):
        builder.add(panel, series, "theory", curve.time[kept], values[kept], shown)


def _tabulate_minima(builder: TableBuilder, runs: Sequence[RunResult], lambdas: np.ndarray) -> None:
    panel, keys = "final_accuracy", ["gamma"]
    tabulate_scalar(builder, runs, "final_gen_accuracy", panel, "median", "lambda", keys)
    for gamma in sorted(by_value(runs, "gamma")):
        sigma, loss = (runs[0].parameters[key] for key in ("sigma", "loss"))
        end = logistic_weight_decay.minimum(lambdas, sigma, gamma, loss)
        builder.add(panel, "large_size", "theory", lambdas, end.accuracy, {"gamma": gamma})


def _tabulate_times(
    builder: TableBuilder, runs: Sequence[RunResult], gammas: np.ndarray, threshold: float
) -> None:
    panel = "scaled_time"
    for run in runs:
        p = run.parameters
        scaled = p["eta"] * p["gamma"] * run.scalars["t_gen"]
        builder.add_values(panel, "t95", p["gamma"], scaled, {"lambda": p["lambda"]})
    sigma, eta = (runs[0].parameters[key] for key in ("sigma", "eta"))
    for lambda_ in sorted(by_value(runs, "lambda")):
        time = quasi_static.time_to_accuracy(lambda_, sigma, gammas, eta, threshold)
        at = {"lambda": lambda_}
        builder.add(panel, "large_size", "theory", gammas, eta * gammas * time, at)
        if lambda_ <= LARGEST_BELOW:
            plain = np.exp(large_size.log_time_to_accuracy(lambda_, eta, threshold))
            builder.add(panel, "no_decay", "theory", gammas, eta * gammas * plain, at)


def draw(table: pd.DataFrame) -> Figure:
    """Draw dynamics above; accuracies at the end, their map, and times below."""
    figure, axes = style.new_panels(2, 3, height=4.5)
    dynamics = table[table["panel"].isin(["accuracy", "weight_norm"])]
    lambdas = sorted(dynamics["lambda"].unique())
    shown = lambdas[0], lambdas[-1]
    for each, lambda_ in zip(axes[0], shown, strict=False):
        draw_dynamics([each], rows(dynamics, lambda_=lambda_), "decay", KINDS, ["accuracy"])
        each.set(ylim=(0.45, 1.03), title=style.label("lambda", lambda_))
    _draw_norms(axes[0, 2], rows(dynamics, "weight_norm", lambda_=shown[-1]))
    axes[0, 2].set_title(style.label("lambda", shown[-1]))
    _draw_minima(axes[1, 0], table)
    _draw_map(figure, axes[1, 1], table)
    _draw_times(axes[1, 2], table)
    kinds = [legends.line(NAMES[kind], color=colour) for kind, colour in KINDS.items()]
    kinds.append(legends.line(r"quasi-static, $N\to\infty$", **style.THEORY_LINE))
    legends.of_dynamics(figure, table, large_size=True, also=kinds, columns=3)
    return figure


def _draw_norms(axes: Axes, table: pd.DataFrame) -> None:
    draw_dynamics([axes], table, "decay", KINDS, ["weight_norm"])
    measured = rows(table, series="weight_norm", source="experiment")
    axes.set(yscale="log", ylim=(1e-2, 3.0 * measured["y_high"].max()))


def _draw_minima(axes: Axes, table: pd.DataFrame) -> None:
    panel = "final_accuracy"
    measured = rows(table, panel, source="experiment")
    colours = style.colours_of(measured["gamma"])
    draw_lines(axes, table, panel, "large_size", by="gamma", colours=colours)
    draw_lines(axes, table, panel, "limit", **style.REFERENCE)
    draw_points_by(axes, measured, "gamma", colours)
    lambda_axis(axes, "final accuracy")
    axes.set_ylim(0.5, 1.03)
    marks = legends.marks("gamma", colours)
    marks += [legends.line(r"$N\to\infty$", **style.THEORY_LINE)]
    marks += [legends.line(r"$\gamma\to0$", **style.REFERENCE)]
    legends.add(axes, marks, loc="upper right")


def _draw_map(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    axes.set(yscale="log", xlabel=style.SYMBOLS["lambda"], ylabel=style.SYMBOLS["gamma"])
    cells = rows(table, "lambda_gamma", "accuracy")
    mesh = draw_map(axes, cells, cmap=style.SEQUENTIAL, vmin=0.5, vmax=1.0)
    edge = rows(table, "lambda_gamma", "largest_gamma")
    edge = edge[edge["y"] > 0]
    axes.plot(edge["x"], edge["y"], color="white", linewidth=1.4)
    text = f"below {percent(table)}"
    axes.text(0.95, 0.9, text, transform=axes.transAxes, ha="right", color="white")
    bar = figure.colorbar(mesh, ax=axes)
    bar.set_label("final accuracy")


def _draw_times(axes: Axes, table: pd.DataFrame) -> None:
    panel = "scaled_time"
    measured = rows(table, panel, source="experiment")
    lambdas = sorted(measured["lambda"].unique())
    colours = style.shades("lambda", lambdas, SHADES)
    markers = dict(zip(lambdas, MARKERS * len(lambdas), strict=False))
    draw_lines(axes, table, panel, "large_size", by="lambda", colours=colours)
    draw_lines(axes, table, panel, "no_decay", by="lambda", colours=colours, **style.REFERENCE)
    for lambda_, points in measured.groupby("lambda"):
        draw_points(axes, points, colours[lambda_], marker=markers[lambda_])
    axes.set(xscale="log", yscale="log", xlabel=style.SYMBOLS["gamma"])
    axes.set_ylabel(rf"$\eta\gamma\,{{\times}}$ time to {percent(table)} accuracy")
    axes.set_ylim(*finite_ends(0.5 * measured["y_low"].min(), 4.0 * measured["y_high"].max()))
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_minor_locator(NullLocator())
    marks = [*legends.marks("lambda", colours, markers.values())]
    marks.append(legends.line("no decay", **style.REFERENCE))
    legends.add(axes, marks, loc="lower right")
