"""Fig. B20.

Paper B takes small steps and speaks of gradient flow.  Here the learning rate passes the largest
stable one, η_c of `large_rates.critical_rate`, and goes on to where a step of the cross-entropy is
one of the batch perceptron.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import QUANTITIES, draw_band
from linear_grokking.figures.points import draw_points, draw_points_by
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import of_proportion
from linear_grokking.theory.large_rates import critical_rate

TITLE = (
    "Large learning rates in classification: from faster to exponentially slower (beyond Paper B)"
)
THROWN_OUT = 1e3
"""‖S‖ beyond which the exponential loss has overflowed: otherwise ‖S‖ is far smaller."""
_RATE = r"$\eta/\eta_c$"
_MARKERS = {"lambda": "osD", "sigma": "vPX"}
_HOLLOW = {"marker": "P", "markerfacecolor": "white", "markersize": 6.5, "zorder": 3}
"""A hollow marker drawn below points at the same place, which show inside it."""


class Options(FigureOptions):
    """What Fig. B20 is drawn from."""

    dynamics: LogisticRuns = Field(description="Literal steps at one λ and σ, one per η.")
    rates: LogisticRuns = Field(description="Literal steps at one σ, λ × η.")
    perceptron: LogisticRuns = Field(description="The same at an η beyond all scales, one per λ.")
    flow: LogisticRuns = Field(description="Gradient flow on the same sets, one per λ.")
    small_sigma: LogisticRuns = Field(description="Literal steps at a smaller σ, one per η.")
    large_sigma: LogisticRuns = Field(description="Literal steps at a larger σ, one per η.")
    flow_sigma: LogisticRuns = Field(description="Gradient flow at all these σ, both losses.")
    exponential: LogisticRuns = Field(description="Exponential loss where it is stable, by η.")
    shifted: LogisticRuns = Field(
        description="The same from another b₀, with ηe^b₀ as it is there; of claims alone."
    )
    overflow: LogisticRuns = Field(
        description="Cross-entropy from a b₀ far below 0, where it is the exponential loss; by η."
    )
    overflow_small_sigma: LogisticRuns = Field(description="The same at the smaller σ.")
    overflow_large_sigma: LogisticRuns = Field(description="The same at the larger σ.")
    without_bias: LogisticRuns = Field(
        description="Without bias, on sets that are not separable, by η."
    )


def rate_ratio(run: RunResult) -> float:
    """Return η/η_c.

    From a b₀ far below 0 the cross-entropy is the exponential loss, and so is its η_c.
    """
    p = run.parameters
    return float(p["eta"] / critical_rate(p["lambda"], p["sigma"], p["b0"], p["loss"]))


def scaled_times(run: RunResult) -> np.ndarray:
    """Return ηt of each realization, where t is its time to the threshold."""
    return run.parameters["eta"] * run.scalars["t_gen"].to_numpy(float)


def against_flow(run: RunResult, flows: Sequence[RunResult]) -> np.ndarray:
    """Return ηt at the threshold in units of the flow's on the same sets.

    Sets that the flow does not bring there within half of the run's ηt are left out: for them,
    inf would only mean that the run has few steps.

    Raises
    ------
    ValueError
        If there is no flow on these sets.
    """
    keys = ("n_train", "lambda", "sigma", "loss")
    same = [flow for flow in flows if all(flow.parameters[k] == run.parameters[k] for k in keys)]
    if not same:
        told = ", ".join(f"{key} = {run.parameters[key]}" for key in keys)
        raise ValueError(f"no gradient flow on the sets of {told}")
    draws = min(run.realizations, same[0].realizations)
    flow = scaled_times(same[0])[:draws]
    soon = flow <= run.parameters["eta"] * run.parameters["t_max"] / 2.0
    return scaled_times(run)[:draws][soon] / flow[soon]


def error_free_accuracies(run: RunResult) -> np.ndarray:
    """Return A_gen at the first record without a training error, NaN where there is none."""
    _, train, generalization = run.curves("train_accuracy", "gen_accuracy")
    free = train == 1.0
    first = np.argmax(free, axis=1)[:, np.newaxis]
    found = np.take_along_axis(generalization, first, axis=1)[:, 0]
    return np.where(free.any(axis=1), found, np.nan)


def is_thrown_out(run: RunResult) -> np.ndarray:
    """Tell for each realization whether the exponential loss overflows on it."""
    return run.scalars["final_weight_norm"].to_numpy(float) > THROWN_OUT


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: curves of accuracies; times, accuracies and overflow against η/η_c.

    Panel ``scaled_accuracy`` holds curves against ηt, and ``without_bias`` those of one set
    against the step.  The other panels have η/η_c as x.  Panel ``scaled_time`` holds ηt at the
    threshold, and series ``flow`` is gradient flow's, over all x.  Panel ``time_ratio`` holds the
    same time in units of the flow's.  Panel ``error_free_accuracy`` holds the accuracy at the first
    record without a training error, and the perceptron's as series ``perceptron``, over all x.
    Panel ``overflow`` holds the share of sets on which the exponential loss overflows.
    """
    builder = TableBuilder()
    shown = sorted(data.runs("dynamics"), key=lambda run: run.parameters["eta"])
    standard = {key: shown[0].parameters[key] for key in ("lambda", "sigma")}
    flows = data.runs("flow")
    for run in [run for run in flows if run.parameters["lambda"] == standard["lambda"]] + shown:
        _tabulate_accuracies(builder, "scaled_accuracy", run, run.parameters["eta"])
    ratios = [rate_ratio(run) for run in data.runs("rates")]
    ends = np.array([min(ratios), max(ratios)])
    for run, ratio in zip(data.runs("rates"), ratios, strict=True):
        at = {"lambda": run.parameters["lambda"]}
        builder.add_values("scaled_time", "t95", ratio, scaled_times(run), at)
        free = error_free_accuracies(run)
        builder.add_values("error_free_accuracy", "first", ratio, free, at)
    for panel, series, runs, values in (
        ("scaled_time", "flow", flows, scaled_times),
        ("error_free_accuracy", "perceptron", data.runs("perceptron"), error_free_accuracies),
    ):
        for run in runs:
            at = {"lambda": run.parameters["lambda"]}
            builder.add_values(panel, series, ends, values(run), at)
    _tabulate_ratios(builder, data, standard)
    for run in data.runs("overflow", "overflow_small_sigma", "overflow_large_sigma"):
        hits = is_thrown_out(run)
        share = of_proportion("overflow", int(hits.sum()), len(hits))
        at = {"sigma": run.parameters["sigma"]}
        builder.add_summary("overflow", "share", rate_ratio(run), share, at, "proportion")
    for run in data.runs("without_bias"):
        _tabulate_accuracies(builder, "without_bias", run.only([0]), 1.0)
    return builder.frame()


def _tabulate_accuracies(builder: TableBuilder, panel: str, run: RunResult, unit: float) -> None:
    """Add both accuracies against the step times a unit, and η/η_c as parameter ``eta``."""
    for series, quantity in QUANTITIES["accuracy"].items():
        curve = run.curve(quantity)
        shown = {"solver": run.parameters["solver"], "eta": rate_ratio(run)}
        builder.add_summary(panel, series, unit * curve["step"], curve, shown)


def _tabulate_ratios(builder: TableBuilder, data: FigureData, standard: dict[str, Any]) -> None:
    panel, flows = "time_ratio", data.runs("flow_sigma")
    rates = [r for r in data.runs("rates") if r.parameters["lambda"] == standard["lambda"]]
    for run in rates + data.runs("small_sigma", "large_sigma", "exponential"):
        loss, at = run.parameters["loss"], {"sigma": run.parameters["sigma"]}
        builder.add_values(panel, loss, rate_ratio(run), against_flow(run, flows), at)


def draw(table: pd.DataFrame) -> Figure:
    """Draw accuracies and times by λ above; times by σ, overflow, and cycles below."""
    figure, axes = style.new_panels(2, 3, height=4.8)
    _draw_accuracies(axes[0, 0], rows(table, "scaled_accuracy"))
    axes[0, 0].set(xlabel=r"$\eta t$", xlim=(0.3, 3e3))
    lambdas = style.colours_of(rows(table, "scaled_time")["lambda"])
    _draw_times(axes[0, 1], rows(table, "scaled_time"), lambdas)
    axes[0, 1].set_ylabel(rf"$\eta\,{{\times}}$ time to {percent(table)} accuracy")
    _draw_error_free(axes[0, 2], rows(table, "error_free_accuracy"), lambdas)
    sigmas = style.colours_of(rows(table, "time_ratio")["sigma"])
    _draw_ratios(axes[1, 0], rows(table, "time_ratio"), sigmas)
    _draw_overflow(axes[1, 1], rows(table, "overflow"), sigmas)
    _draw_accuracies(axes[1, 2], rows(table, "without_bias"))
    axes[1, 2].set(xlabel="step $t$", title="without bias, not separable")
    handles = [
        legends.line("training", color=legends.GREY, linestyle=style.TRAIN_LINE),
        legends.line("generalization", color=legends.GREY),
        *legends.marks("lambda", lambdas, _MARKERS["lambda"]),
        legends.line(r"gradient flow, $\eta\to0$", color=legends.GREY, **_FLOW),
        legends.line(r"batch perceptron, $\eta\to\infty$", color=legends.GREY, **style.LIMIT_LINE),
        legends.mark("not reached by most sets", legends.GREY, "^", markerfacecolor="none"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


_FLOW = {"linestyle": "--", "linewidth": 0.8}


def _draw_accuracies(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw both accuracies, with the flow in blue and larger rates darker."""
    steps = sorted(curves.loc[curves["solver"] != "gradient_flow", "eta"].unique())
    shades = [style.RAMP[k] for k in np.linspace(0, 3, len(steps)).round().astype(int)]
    colours = dict(zip(steps, shades, strict=True))
    labels = {eta: style.number(float(f"{eta:.2g}")) for eta in steps}
    for eta in set(curves["eta"]) - set(steps):
        colours, labels = {eta: style.BLUE, **colours}, {eta: "flow", **labels}
    for (eta, series), curve in curves.groupby(["eta", "series"], sort=False):
        draw_band(axes, curve, style.line_of(series), colours[eta], linewidth=1.0)
    axes.set(xscale="log", ylabel="accuracy", ylim=(0.3, 1.03))
    handles = [legends.line(labels[eta], color=colour) for eta, colour in colours.items()]
    legends.add(axes, handles, loc="lower right", title=_RATE, ncols=3, handlelength=1.2)


def _draw_times(axes: Axes, points: pd.DataFrame, colours: dict[Any, str]) -> None:
    _draw_by(axes, points, "t95", "lambda", colours)
    for lambda_, line in rows(points, series="flow").groupby("lambda"):
        axes.plot(line["x"], line["y"], color=colours[lambda_], **_FLOW)
    finite = points.loc[np.isfinite(points["y"]), "y"]
    axes.set(xscale="log", yscale="log", xlabel=_RATE)
    axes.set_ylim(*finite_ends(finite.min() / 2, 4 * finite.max()))


def _draw_error_free(axes: Axes, points: pd.DataFrame, colours: dict[Any, str]) -> None:
    _draw_by(axes, points, "first", "lambda", colours)
    for lambda_, line in rows(points, series="perceptron").groupby("lambda"):
        axes.plot(line["x"], line["y"], color=colours[lambda_], **style.LIMIT_LINE)
    axes.set(
        xscale="log", xlabel=_RATE, ylabel="accuracy at the first step\nwithout a training error"
    )


def _draw_ratios(axes: Axes, points: pd.DataFrame, colours: dict[Any, str]) -> None:
    axes.axhline(1.0, color=legends.GREY, **_FLOW)
    _draw_by(axes, points, "cross_entropy", "sigma", colours)
    draw_points_by(axes, rows(points, series="exponential"), "sigma", colours, **_HOLLOW)
    finite = points.loc[np.isfinite(points["y_high"]), "y_high"]
    axes.set(xscale="log", yscale="log", xlabel=_RATE, ylim=finite_ends(0.3, 40 * finite.max()))
    axes.set_ylabel(r"$\eta t$ / that of gradient flow")
    exponential = legends.mark("exponential loss", legends.GREY, **_HOLLOW)
    marks = legends.marks("sigma", colours, _MARKERS["sigma"])
    legends.add(axes, [*marks, exponential], loc="upper center")


def _draw_overflow(axes: Axes, points: pd.DataFrame, colours: dict[Any, str]) -> None:
    _draw_by(axes, points, "share", "sigma", colours)
    for sigma, line in points.groupby("sigma"):
        line = line.sort_values("x")
        axes.plot(line["x"], line["y"], color=colours[sigma], linewidth=0.7)
    axes.set(xlabel=r"$\eta/\eta_c$, exponential loss", ylim=(-0.04, 1.04))
    axes.set_ylabel("share of sets that overflow")
    legends.add(axes, legends.marks("sigma", colours, _MARKERS["sigma"]), loc="lower right")


def _draw_by(
    axes: Axes, points: pd.DataFrame, series: str, key: str, colours: dict[Any, str]
) -> None:
    """Draw a series by a parameter, with a guide at η = η_c."""
    axes.axvline(1.0, **style.GUIDE)
    markers = dict(zip(colours, _MARKERS[key], strict=False))
    for value, chosen in rows(points, series=series).groupby(key):
        draw_points(axes, chosen, colours[value], marker=markers[value])
