"""Fig. B19."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.points import draw_lines, draw_points, draw_points_by
from linear_grokking.figures.separability_panels import lambda_axis
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import adam_limit, large_size
from linear_grokking.theory.margin import limit_gen_accuracy

TITLE = "Where Adam ends: at chance above λ = ½, without a long delay below (beyond Paper B)"
_CURVES = 0.51
"""Smallest λ above ½ at which the curves of large sets are drawn."""
_ADAM, _DESCENT = "adam", "gradient_flow"
_COLOURS = logistic.SOLVER_COLOURS


class Options(FigureOptions):
    """What Fig. B19 is drawn from."""

    below: LogisticRuns = Field(description="Runs with Adam at λ below ½.")
    below_descent: LogisticRuns = Field(description="Gradient descent on the same sets.")
    above: LogisticRuns = Field(description="Runs with Adam at λ above ½, one size and one σ.")
    above_descent: LogisticRuns = Field(description="Gradient descent on the same sets.")
    steps: LogisticRuns = Field(description="Runs with Adam above ½ that differ in η and σ.")
    separability: SeparabilityRuns = Field(
        description="Separability of all these sets, with margins and those in the box."
    )
    large_sets: SeparabilityRuns = Field(
        description="Larger sets with margins in the box, for the limit of large sizes."
    )


_COMPARED = ("above", "above_descent", "steps", "below", "below_descent")
"""Roles of the runs that are compared with the sets themselves."""


def check(data: FigureData) -> None:
    """See `registry`."""
    logistic.check_partners(data, _COMPARED, "separability", all_known=True)


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table; the column ``solver`` tells Adam from gradient descent.

    Panel ``accuracy`` holds the curves of the separable sets at the smallest λ above ½.  Panel
    ``final_accuracy`` has series ``final`` (runs), ``limit`` (limits of the same sets for t → ∞)
    and ``large_size``.  Panel ``box_norm_ratio`` holds the ratio of ‖S‖/|b| at the end of Adam's
    runs to that of the largest margin in the box, against ησd√(2/π), by σ.  Panel ``scaled_time``
    holds η times the time to the accuracy's threshold against σ‖S_∞‖, a point for each set that
    is not separable, and series ``large_size``.

    Raises
    ------
    ValueError
        If separability is not known for all draws.
    """
    builder = TableBuilder()
    for role, solver in (("above", _ADAM), ("above_descent", _DESCENT)):
        runs = data.runs(role)
        first = min(run.parameters["lambda"] for run in runs)
        for run, partner in logistic.pair_runs(runs, data.runs("separability")):
            ends = separable_ends(run, partner)
            _tabulate_ends(builder, run, ends, solver)
            if run.parameters["lambda"] == first:
                _tabulate_way(builder, run, ends, solver)
        _tabulate_curve(builder, runs[0], solver)
    for run, partner in logistic.pair_runs(data.runs("steps"), data.runs("separability")):
        ratio = separable_ends(run, partner)["norm_ratio"]
        shown = {key: run.parameters[key] for key in ("lambda", "sigma", "eta")}
        builder.add_values("box_norm_ratio", "median", step_of(run), ratio, shown)
    for role, solver in (("below", _ADAM), ("below_descent", _DESCENT)):
        runs = data.runs(role)
        for run, partner in logistic.pair_runs(runs, data.runs("separability")):
            _tabulate_times(builder, run, partner, solver)
        _tabulate_time_curve(builder, runs[0], solver, data.threshold)
    return builder.frame()


def step_of(run: RunResult) -> float:
    """Return ησd√(2/π), the largest change of an output in a step of Adam."""
    keys = ("eta", "sigma", "lambda", "n_train")
    eta, sigma, lambda_, n_train = (run.parameters[key] for key in keys)
    return float(adam_limit.output_step(eta, sigma, lambda_ * n_train))


def separable_ends(run: RunResult, sets: RunResult) -> pd.DataFrame:
    """Return the separable realizations of a run, with their scalars and limits.

    Returns
    -------
    DataFrame
        The scalars.  For Adam, also ``limit``, Φ(1/(σ‖S‖)) with the ‖S‖ of the largest margin in
        the box, and ``norm_ratio``, the final ‖S‖/|b| over that ‖S‖.  For gradient descent,
        ``limit`` is that of `logistic_panels.limit_accuracies`.
    """
    logistic.check_all_known(run, sets)
    box = sets.scalars[["realization", "box_norm"]]
    ends = logistic.with_limits(run, sets).merge(box, on="realization")
    ends = ends[ends["separable"].astype(bool)].reset_index(drop=True)
    if run.parameters["solver"] == _ADAM:
        norm = ends["box_norm"].to_numpy(float)
        limit = adam_limit.box_gen_accuracy(norm, run.parameters["sigma"])
        ratio = ends["final_weight_norm"] / (-ends["final_bias"] * norm)
        ends = ends.assign(limit=limit, norm_ratio=ratio)
    return ends


def _tabulate_ends(builder: TableBuilder, run: RunResult, ends: pd.DataFrame, solver: str) -> None:
    shown, lambda_ = {"solver": solver, "sigma": run.parameters["sigma"]}, run.parameters["lambda"]
    for series, column in (("final", "final_gen_accuracy"), ("limit", "limit")):
        builder.add_values("final_accuracy", series, lambda_, ends[column], shown)


def _tabulate_way(builder: TableBuilder, run: RunResult, ends: pd.DataFrame, solver: str) -> None:
    """Add the accuracies of a run's separable sets against the step, and their limits."""
    shown = {"solver": solver, "lambda": run.parameters["lambda"]}
    part = run.only(ends["realization"])
    tabulate_dynamics(builder, part, shown, ("accuracy",))
    builder.add_values("accuracy", "limit", time_span(run), ends["limit"], shown)
    limit = _large_size_limit(solver, run, run.parameters["lambda"])
    builder.add("accuracy", "large_size_limit", "theory", time_span(run), limit, shown)


def _large_size_limit(solver: str, run: RunResult, lambda_: np.ndarray | float) -> np.ndarray:
    sigma, n_train = run.parameters["sigma"], run.parameters["n_train"]
    if solver == _ADAM:
        return adam_limit.limit_gen_accuracy(lambda_, sigma, np.multiply(n_train, lambda_))
    return limit_gen_accuracy(lambda_, sigma)


def _tabulate_curve(builder: TableBuilder, run: RunResult, solver: str) -> None:
    lambda_ = np.linspace(_CURVES, 0.85, 120)
    limit = _large_size_limit(solver, run, lambda_)
    shown = {"solver": solver, "sigma": run.parameters["sigma"]}
    builder.add("final_accuracy", "large_size", "theory", lambda_, limit, shown)


def _tabulate_times(builder: TableBuilder, run: RunResult, sets: RunResult, solver: str) -> None:
    logistic.check_all_known(run, sets)
    draws = logistic.with_limits(run, sets)
    draws = draws[~draws["separable"].astype(bool)]
    scale = run.parameters["sigma"] * draws["norm"].to_numpy(float)
    time = run.parameters["eta"] * draws["t_gen"].to_numpy(float)
    shown = {"solver": solver, "lambda": run.parameters["lambda"]}
    shown["realization"] = draws["realization"].to_numpy()
    builder.add("scaled_time", "t95", "experiment", scale, time, shown, n=1)


def _tabulate_time_curve(
    builder: TableBuilder, run: RunResult, solver: str, threshold: float
) -> None:
    lambda_ = np.linspace(0.3, 0.488, 120)
    r = large_size.limit_norm(lambda_)
    eta = run.parameters["eta"]
    if solver == _ADAM:
        beta1, beta2 = (run.parameters[key] for key in ("beta1", "beta2"))
        time = eta * adam_limit.time_to_accuracy(lambda_, eta, beta1, beta2, threshold)
    else:
        time = eta * np.exp(large_size.log_time_to_accuracy(lambda_, eta, threshold))
    builder.add("scaled_time", "large_size", "theory", r, time, {"solver": solver})


def draw(table: pd.DataFrame) -> Figure:
    """Draw accuracies in time and at the end, the effect of the step size, and times below ½."""
    figure, axes = style.new_panels(2, 2, height=4.6)
    way = rows(table, "accuracy")
    draw_dynamics([axes[0, 0]], way, "solver", _COLOURS, ("accuracy",))
    axes[0, 0].set_title(style.label("lambda", way["lambda"].iloc[0]))
    axes[0, 0].set_ylim(bottom=0.4)
    _draw_ends(axes[0, 1], table)
    _draw_ratios(axes[1, 0], rows(table, "box_norm_ratio"))
    _draw_times(axes[1, 1], table)
    also = logistic.solver_lines()
    legends.of_dynamics(figure, way, limit=True, large_size=True, also=also, columns=4)
    return figure


def _draw_ends(axes: Axes, table: pd.DataFrame) -> None:
    ends = rows(table, "final_accuracy")
    above = {name: ends[name] - logistic.CHANCE for name in ("y", "y_low", "y_high")}
    ends = ends.assign(**above)
    draw_lines(axes, ends, "final_accuracy", "large_size", by="solver", colours=_COLOURS)
    for solver, colour in _COLOURS.items():
        draw_points(axes, rows(ends, series="limit", solver=solver), colour, **_HOLLOW)
        draw_points(axes, rows(ends, series="final", solver=solver), colour)
    lambda_axis(axes, r"final $A_\mathrm{gen}-\frac{1}{2}$")
    axes.set(yscale="log", xlim=(0.49, 0.85))
    style.tick_plainly(axes.yaxis)
    handles = [
        legends.mark("runs", legends.GREY),
        legends.mark("limits of these sets", legends.GREY, **_HOLLOW),
        legends.line(r"$N\to\infty$", **style.THEORY_LINE),
    ]
    legends.add(axes, handles, loc="center right")


_SIGMA_COLOURS = (style.PURPLE, style.GREEN, style.SKY, style.VERMILION)
_HOLLOW = {"marker": "s", "markersize": 5.0, "markerfacecolor": "none"}


def _draw_ratios(axes: Axes, ratios: pd.DataFrame) -> None:
    axes.axhline(1.0, **style.THEORY_LINE)
    axes.axvline(1.0, **style.GUIDE)
    sigmas = sorted(ratios["sigma"].unique())
    # Blue and orange stand for the solvers.
    colours = dict(zip(sigmas, _SIGMA_COLOURS, strict=False))
    draw_points_by(axes, ratios, "sigma", colours)
    axes.set(
        xscale="log",
        xlabel=r"largest change of an output per step, $\eta\sigma d\sqrt{2/\pi}$",
        ylabel=r"$\|S\|/|b|$ / its limit",
    )
    legends.add(axes, legends.marks("sigma", colours), loc="lower center")


def _draw_times(axes: Axes, table: pd.DataFrame) -> None:
    times = rows(table, "scaled_time")
    draw_lines(axes, times, "scaled_time", "large_size", by="solver", colours=_COLOURS)
    points = rows(times, source="experiment")
    for solver, colour in _COLOURS.items():
        draw_points(axes, rows(points, solver=solver), colour)
    finite = times[np.isfinite(times["y"])]
    axes.set(
        yscale="log",
        ylim=(finite["y"].min() / 2, min(3.0 * points["y"].replace(np.inf, 0).max(), 1e12)),
        xlabel=r"$\sigma\|S_\infty\|$ of each set",
        ylabel=rf"$\eta\,{{\times}}$ time to {percent(table)} accuracy",
    )
