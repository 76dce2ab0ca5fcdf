"""Fig. B1."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field
from scipy.special import ndtri

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, time_label
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import large_size, margin, two_point

TITLE = "Dynamics below, near and above λ = ½, and how they end (Paper B, Fig. 1)"

_LOOKS = {
    "median": {"colour": style.GREEN, "marker": "o", "markersize": 3.0, "zorder": 5},
    "mean": {"colour": style.SKY, "marker": "s", "markerfacecolor": "none", "markersize": 4.2},
    "at_t_max": {"colour": style.VERMILION, "marker": "v", "markersize": 3.0},
}
"""Looks of the statistics over the draws, in colours that no λ has."""
_TWO_POINT = {**style.REFERENCE, "linewidth": 1.0, "label": "two-point model"}
_UNSETTLED = {"linestyle": (0, (1, 1)), "linewidth": 1.0}
"""Line of a formula where its condition does not hold."""
_NEAR = (0.415, 0.625)
"""Range of λ shown of the transition, and of the shares of draws that reach the accuracy."""


class Options(FigureOptions):
    """What Fig. B1 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs of the three columns, one per λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of sets of `dynamics`: where they lead."
    )
    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    final_dynamics: LogisticRuns = Field(description="Dynamics over a range of λ (E3).")
    final_separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `final_dynamics` (E3)."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the theory curves.")


def check(data: FigureData) -> None:
    """See `registry`."""
    logistic.check_partners(data, ["dynamics"], "separability")
    logistic.check_partners(data, ["final_dynamics"], "final_separability")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ; ‖S_∞‖, final accuracy and t₉₅ against λ.

    Panel ``final_accuracy`` holds the accuracy at t → ∞ (``median``, ``mean``) and at the end of
    the run (``at_t_max``), and the largest λ at which large sets reach the threshold
    (``threshold``).  Series ``t95`` is the median time with quartiles, inf where half of the sets
    or more do not reach the threshold.  Its theory assumes that S has settled; series
    ``unsettled`` continues it where S would not have settled by then.  Panel
    ``grokking_time_unreached`` holds the fraction of sets whose limit lies below the threshold
    (``never``), and of those that would reach it after the run's end (``censored``).
    """
    builder = TableBuilder()
    logistic.tabulate_with_limits(builder, data, "lambda")
    for run in data.runs("dynamics"):
        logistic.tabulate_large_size_limits(builder, run, {"lambda": run.parameters["lambda"]})
    panels.tabulate_statistic(builder, data.runs("statistics"), "s_inf_norm")
    finals = data.runs("final_dynamics")
    for run, partner in logistic.pair_runs(finals, data.runs("final_separability")):
        limits = logistic.limit_accuracies(run, partner)
        _tabulate_end(builder, run, limits, data.threshold)

    values = options.lambda_.linear()
    # The curves that diverge at ½ bend within a step of this grid.
    near = np.linspace(0.48, panels.LARGEST_BELOW, 80)
    near = near[(near > values[0]) & (near < values[-1])]
    values = np.unique(np.concatenate([values, near]))
    first = finals[0].parameters
    below = values[values <= panels.LARGEST_BELOW]
    builder.add("s_inf_norm", "large_size", "theory", below, large_size.limit_norm(below))
    log_time = large_size.log_time_to_accuracy(below, first["eta"], data.threshold)
    settled = large_size.settling(below, first["sigma"], data.threshold)
    time = np.exp(np.minimum(log_time, 700.0))
    for series, chosen in (
        ("t95", settled >= large_size.SETTLED),
        ("unsettled", settled <= large_size.SETTLED),
    ):
        builder.add("grokking_time", series, "theory", below[chosen], time[chosen])
    builder.add("s_inf_norm", "two_point", "theory", below, two_point.s_infinity(below, 1.0))
    accuracy = margin.limit_gen_accuracy(values, first["sigma"])
    builder.add("final_accuracy", "margin", "theory", values, accuracy)
    last = _last_to_reach(data.threshold, first["sigma"])
    builder.add("final_accuracy", "threshold", "theory", last, data.threshold)
    return builder.frame()


def _last_to_reach(threshold: float, sigma: float) -> float:
    """Return the λ > ½ at which the limit of large sets, Φ(1/(σ²M̃)), falls to an accuracy."""
    return float(margin.truncated_second_moment(1.0 / (sigma**2 * ndtri(threshold))))


def _tabulate_end(
    builder: TableBuilder, run: RunResult, limits: pd.DataFrame, threshold: float
) -> None:
    """Add how the realizations of a run with known limits (`limit_accuracies`) end."""
    run = run.only(limits["realization"])
    x = run.parameters["lambda"]
    for statistic in ("median", "mean"):
        builder.add_values("final_accuracy", statistic, x, limits["limit"], statistic=statistic)
    builder.add_summary("final_accuracy", "at_t_max", x, run.number("final_gen_accuracy"))
    time = run.number("t_gen")
    builder.add_summary("grokking_time", "t95", x, time)
    never = int((limits["limit"] < threshold).sum())
    late = max(int(time["n_infinite"] + time["n_censored"]) - never, 0)
    logistic.tabulate_unreached(builder, x, {"never": never, "censored": late}, len(limits))


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of dynamics for each λ, and below them three panels against λ."""
    figure = style.new_figure(7.6)
    above, below = figure.add_gridspec(2, 1, height_ratios=[2.6, 1.0])
    lambdas = table.loc[table["panel"] == "loss", "lambda"].unique()
    columns = above.subgridspec(3, len(lambdas)).subplots(squeeze=False)
    norms, accuracies, times = below.subgridspec(1, 3).subplots(squeeze=False)[0]
    style.letter([*columns.T.flat, norms, accuracies, times])
    logistic.draw_columns(columns, table[table["lambda"].isin(lambdas)])
    _draw_limit_norm(norms, table)
    _draw_accuracies(accuracies, table)
    _draw_times(times, table)
    also = [
        legends.line(r"$N\to\infty$", **style.THEORY_LINE),
        legends.line(r"(l): $N\to\infty$, $S$ not settled", **{**style.THEORY_LINE, **_UNSETTLED}),
        legends.line(**_TWO_POINT),
        _mark("median", r"median and quartiles; (k): $t\to\infty$"),
        _mark("mean", "mean and standard error"),
        _mark("at_t_max", "median at the end of the run"),
        legends.mark(
            "median not reached in the run",
            style.GREEN,
            "^",
            markersize=4.5,
            markerfacecolor="none",
        ),
    ]
    legends.of_dynamics(figure, table, limit=True, large_size=True, also=also, columns=4)
    return figure


def _mark(series: str, label: str) -> Line2D:
    look = {key: value for key, value in _LOOKS[series].items() if key != "zorder"}
    return legends.mark(label, look.pop("colour"), **look)


def _draw_measured(axes: Axes, table: pd.DataFrame, panel: str, names: dict[str, str]) -> None:
    """Draw statistics over the draws; ``names`` maps a series to its look in `_LOOKS`."""
    for series, name in names.items():
        points = rows(table, panel, series, "experiment")
        draw_points(axes, points, **_LOOKS[name])


def _draw_limit_norm(axes: Axes, table: pd.DataFrame) -> None:
    panel = "s_inf_norm"
    draw_lines(axes, table, panel, "large_size")
    draw_lines(axes, table, panel, "two_point", **_TWO_POINT)
    points = rows(table, panel, source="experiment")
    finite = points.loc[np.isfinite(points["y"]), "y"]
    # Where the median of every run is infinite, theory alone sets the scale.
    axes.set_ylim(0, 1.4 * finite.max() if len(finite) else None)
    axes.set_xlim(points["x"].min() - 0.01, 0.505)
    _draw_measured(axes, table, panel, {"mean": "mean", "median": "median"})
    panels.lambda_axis(axes, rf"$\sigma\|S_\infty\|$, {style.size_label(points)}")
    _write_left_out(axes, points)


def _write_left_out(axes: Axes, points: pd.DataFrame) -> None:
    """Write above the panel what share of the draws, the separable ones, the means leave out."""
    means = rows(points, series="mean").sort_values("x")
    drawn = rows(points, series="median")["n"].max()
    low, high = axes.get_xlim()
    look = {"va": "bottom", "fontsize": 6.5, "color": style.SKY}
    look |= {"transform": axes.get_xaxis_transform()}
    last = np.inf
    for x, n in means[["x", "n"]].to_numpy(float)[::-1]:
        share = 1 - n / drawn
        if x <= last - 0.15 * (high - low) and share >= 0.005:
            axes.text(x, 1.01, f"{100 * share:.0f} %", ha="center", **look)
            last = x
    if np.isfinite(last):
        text = "above: share of draws\nleft out of the mean"
        axes.text(0.04, 0.97, text, **{**look, "va": "top", "transform": axes.transAxes})


def _draw_accuracies(axes: Axes, table: pd.DataFrame) -> None:
    whole = axes.inset_axes((0.7, 0.6, 0.29, 0.38))
    names = {"at_t_max": "at_t_max", "mean": "mean", "median": "median"}
    for each in (axes, whole):
        draw_lines(each, table, "final_accuracy", "margin")
        each.axvline(panels.CRITICAL, **style.GUIDE)
    _draw_measured(axes, table, "final_accuracy", names)
    panels.lambda_axis(axes, "final accuracy")
    lowest = rows(table, "final_accuracy").query("@_NEAR[0] <= x <= @_NEAR[1]")["y"].min()
    axes.set(xlim=_NEAR, ylim=(lowest - 0.04, 1.02))
    points = rows(table, "final_accuracy", "median")
    whole.plot(points["x"], points["y"], ".", color=style.GREEN, markersize=2.5)
    whole.set(xticks=[0.1, 0.5, 0.9], yticks=[0.6, 1.0])


def _draw_times(axes: Axes, table: pd.DataFrame) -> None:
    points = rows(table, "grokking_time", source="experiment")
    reached = points[np.isfinite(points["y"])]
    # Beyond, no median is finite.
    table = table[~(table["x"] > max(_NEAR[1], reached["x"].max()))]
    points, times = points[points.index.isin(table.index)], reached["y"]
    low = times[times > 0].min() / 5 if (times > 0).any() else 1
    axes.set(yscale="log", ylim=(low, 1e5 * times.max() if len(times) else 1e10))
    draw_lines(axes, table, "grokking_time", "t95")
    draw_lines(axes, table, "grokking_time", "unsettled", **_UNSETTLED)
    _draw_measured(axes, table, "grokking_time", {"t95": "median"})
    panels.lambda_axis(axes, time_label(table))
    for x in rows(table, "final_accuracy", "threshold")["x"]:
        text = rf"$N\to\infty$: never above $\lambda$ = {x:.2f}"
        place = {"xycoords": axes.get_xaxis_transform(), "textcoords": axes.transAxes}
        arrow = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 0, **style.THEORY_LINE}
        look = {"arrowprops": arrow, "fontsize": 6.5, "ha": "left", "va": "center"}
        axes.annotate(text, (x, 0.93), (0.03, 0.93), **place, **look)
    _draw_shares(axes.inset_axes((0.12, 0.34, 0.36, 0.36)), table)


def _draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the shares of draws that reach the accuracy during the run, after it, and never."""
    never, late = (
        rows(table, "grokking_time_unreached", series).sort_values("x")
        for series in ("never", "censored")
    )
    shares = [1.0 - never["y"].to_numpy() - late["y"].to_numpy(), late["y"], never["y"]]
    colours = [style.GREEN, style.UNREACHED, "#8A8A8A"]
    axes.stackplot(never["x"], *shares, colors=colours, alpha=0.8, linewidth=0)
    axes.set(xlim=_NEAR, ylim=(0, 1), xticks=[0.5, 0.6], yticks=[0, 0.5, 1])
    axes.set_title("shares of draws\n(pale: later)", loc="right", fontsize=6.5, pad=2)
    look = {"fontsize": 6.5, "ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.2, 0.3, "in\ntime", **look)
    axes.text(0.78, 0.7, "never", **look)
