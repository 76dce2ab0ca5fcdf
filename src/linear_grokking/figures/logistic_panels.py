"""Panels of the logistic model: dynamics by a parameter, final accuracies and times."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy.special import ndtr

from linear_grokking.data.laws import law_keys
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import (
    draw_band,
    draw_dynamics,
    step_axis,
    tabulate_dynamics,
    time_span,
)
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import of_proportion, of_values
from linear_grokking.theory import large_size
from linear_grokking.theory.margin import limit_gen_accuracy, separable_gen_accuracy

DYNAMICS_PANELS = ("loss", "accuracy", "weight_norm", "bias")
CHANCE = 0.5
"""Generalization accuracy of guessing."""
_CURVES = ("train", "generalization", "weight_norm", "bias")
SOLVER_COLOURS = {"adam": style.ORANGE, "gradient_flow": style.BLUE}
SOLVER_NAMES = {"adam": "Adam", "gradient_flow": "gradient descent, then gradient flow"}


def tabulate_with_limits(builder: TableBuilder, data: FigureData, *keys: str) -> None:
    """Add the runs ``dynamics``, told apart by some parameters, and their limits at t → ∞."""
    runs = paired_draws(data.runs("dynamics"))
    for run, partner in pair_runs(runs, data.runs("separability")):
        parameters = {key: run.parameters[key] for key in keys}
        tabulate_dynamics(builder, run, parameters, DYNAMICS_PANELS)
        tabulate_limit_lines(builder, run, limit_accuracies(run, partner), parameters)


def paired_draws(runs: Sequence[RunResult]) -> list[RunResult]:
    """Reduce runs to the realizations that all of them have, so that they use the same draws.

    A run that is shared with another figure may have more.
    """
    common = min(run.realizations for run in runs)
    return [run.only(range(common)) for run in runs]


def pair_runs(
    dynamics: Sequence[RunResult], separability: Sequence[RunResult]
) -> list[tuple[RunResult, RunResult]]:
    """Match runs on the same sets.

    Gaussian sets that differ only in σ are multiples of each other and count as the same.  Inputs
    drawn product by product are not those of any other run.

    Raises
    ------
    ValueError
        If a run has no partner (the message names its λ and its seed), or such inputs.
    """

    def key(run: RunResult) -> tuple[Any, ...]:
        law = run.parameters["law"]
        scale = () if law == "gaussian" else ("sigma",)
        names = ("n_train", "lambda", "law", *scale, *law_keys(law))
        return (run.seed, *(run.parameters[name] for name in names))

    partners = {key(run): run for run in separability}
    if any(run.parameters.get("data") == "deferred" for run in dynamics):
        raise ValueError("data = deferred: has no sets to assess beside; needs matrix here")
    missing = [run for run in dynamics if key(run) not in partners]
    if missing:
        raise ValueError(
            f"no separability run for the dynamics at lambda = "
            f"{[run.parameters['lambda'] for run in missing]}, seed = {missing[0].seed}: "
            "both experiments need the same n_train, lambda, seed, law and parameters of the law"
        )
    return [(run, partners[key(run)]) for run in dynamics]


def check_all_known(dynamics: RunResult, separability: RunResult) -> None:
    """Raise ValueError if separability is not known for all realizations of a run."""
    if separability.realizations < dynamics.realizations:
        raise ValueError(
            f"lambda = {dynamics.parameters['lambda']:g}: the dynamics has "
            f"{dynamics.realizations} realizations and separability "
            f"{separability.realizations}; it needs at least as many"
        )


def check_partners(
    data: FigureData, roles: Iterable[str], *partners: str, all_known: bool = False
) -> None:
    """Refuse runs without a partner on the same sets, from the configuration alone.

    Parameters
    ----------
    roles, partners
        The roles of the runs, and those of their partners.
    all_known
        Whether a partner needs all realizations of its run.

    Raises
    ------
    ValueError
        With the roles, and why they do not match (`pair_runs`, `check_all_known`).
    """
    for role in roles:
        try:
            for run, partner in pair_runs(data.runs(role), data.runs(*partners)):
                if all_known:
                    check_all_known(run, partner)
        except ValueError as error:
            raise ValueError(f"{', '.join((role, *partners))}: {error}") from None


def check_same_lambda(data: FigureData, first: str, second: str) -> None:
    """Refuse two roles with runs at different λ, whose curves share panels.

    Raises
    ------
    ValueError
        With the roles and those λ that only one of them has.
    """
    of_first, of_second = (
        {run.parameters["lambda"] for run in data.runs(role)} for role in (first, second)
    )
    if of_first != of_second:
        alone = ", ".join(f"{each:g}" for each in sorted(of_first ^ of_second))
        raise ValueError(f"{first}, {second}: lambda = {alone}: only one of them has it")


def limit_accuracies(dynamics: RunResult, separability: RunResult) -> pd.DataFrame:
    """Return where each realization ends at t → ∞ (Paper B, Secs. 3.2 and 3.3).

    Both runs must draw the same sets, up to σ for Gaussian inputs: see `pair_runs`.  There is
    a row for each realization that both have.

    Returns
    -------
    DataFrame
        Columns ``realization``; ``separable``; ``limit``, the generalization accuracy at
        t → ∞: 1, or Φ(1/(σM)) for a separable set of margin M; ``norm``, ‖S_∞‖ for the
        exponential loss, inf for a separable set; ``margin``, M at the σ of ``dynamics``.
    """
    sets = separability.scalars
    sets = sets[sets["realization"].isin(dynamics.drawn)]
    sigma = float(dynamics.parameters["sigma"])
    scale = sigma / float(separability.parameters["sigma"])
    separable = sets["separable"].to_numpy(bool)
    margin = scale * sets["margin"].to_numpy(float)
    limit = np.ones(len(sets))
    limit[separable] = separable_gen_accuracy(margin[separable], sigma)
    norm = np.where(separable, np.inf, sets["s_inf_norm"].to_numpy(float) / scale)
    found = {"separable": separable, "limit": limit, "norm": norm, "margin": margin}
    return pd.DataFrame({"realization": sets["realization"].to_numpy(), **found})


def with_limits(run: RunResult, sets: RunResult) -> pd.DataFrame:
    """Return the scalars of a run beside the columns of `limit_accuracies`, one row per draw."""
    return run.scalars.merge(limit_accuracies(run, sets), on="realization")


def tabulate_limit_lines(
    builder: TableBuilder, dynamics: RunResult, limits: pd.DataFrame, parameters: Mapping[str, Any]
) -> None:
    """Add the limits at t → ∞ of a run's accuracy and, where it is finite, of its ‖S‖.

    Series ``limit`` holds the median over the sets in ``limits`` (of `limit_accuracies`)
    with quartiles, at the first and last recorded time.
    """
    for panel, column in (("accuracy", "limit"), ("weight_norm", "norm")):
        summary = of_values(panel, limits[column])
        if np.isfinite(summary["median"]):
            builder.add_summary(panel, "limit", time_span(dynamics), summary, parameters)


def tabulate_large_size_limits(
    builder: TableBuilder, run: RunResult, parameters: Mapping[str, Any]
) -> None:
    """Add the limits of large Gaussian sets for t → ∞, as series ``large_size_limit``.

    They are those of the accuracy and, below λ = ½, of ‖S‖ with the exponential loss.
    """
    lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
    limits = {"accuracy": float(limit_gen_accuracy(lambda_, sigma))}
    if lambda_ < 0.5:
        limits["weight_norm"] = float(large_size.limit_norm(lambda_)) / sigma
    for panel, limit in limits.items():
        span = time_span(run)
        builder.add(panel, "large_size_limit", "theory", span, limit, parameters)


def tabulate_by_verdict(builder: TableBuilder, data: FigureData, *roles: str) -> None:
    """Add runs by λ and solver, with separable draws and the others apart.

    The column ``separable`` tells which they are, ``n`` how many, and panel ``draws`` lists
    them (x: the realization, y: 1 if separable).  Limits are those of `limit_accuracies`; Adam on
    separable sets has none here, because it tends to the largest margin in the box (Fig. B19).

    Raises
    ------
    ValueError
        If separability is not known for all realizations of a run.
    """
    for run, partner in pair_runs(data.runs(*roles), data.runs("separability")):
        check_all_known(run, partner)
        limits = limit_accuracies(run, partner)
        told_apart = {key: run.parameters[key] for key in ("lambda", "solver")}
        for verdict, theirs in limits.groupby("separable"):
            part = run.only(theirs["realization"])
            shown = {**told_apart, "separable": bool(verdict)}
            tabulate_dynamics(builder, part, shown, DYNAMICS_PANELS)
            if not (verdict and run.parameters["solver"] == "adam"):
                tabulate_limit_lines(builder, part, theirs, shown)
            x, y = theirs["realization"], float(verdict)
            builder.add("draws", "realization", "experiment", x, y, shown)


def tabulate_unreached(
    builder: TableBuilder, x: float, counts: Mapping[str, int], n: int, **parameters: Any
) -> None:
    """Add, for each series, the fraction of n sets that did not reach the threshold."""
    for series, count in counts.items():
        share = of_proportion(series, count, n)
        panel = "grokking_time_unreached"
        builder.add_summary(panel, series, x, share, parameters, statistic="proportion")


def solver_lines() -> list[Line2D]:
    """Return the legend entries of the solvers' colours."""
    return [legends.line(SOLVER_NAMES[key], color=c) for key, c in SOLVER_COLOURS.items()]


def draw_columns(columns: np.ndarray, table: pd.DataFrame) -> None:
    """Draw loss, accuracy, and the sizes of S and b into a column of axes for each λ."""
    colours = style.colours_of(table["lambda"])
    for column, (lambda_, colour) in zip(columns.T, colours.items(), strict=True):
        curves = rows(table, lambda_=lambda_)
        draw_dynamics(column[:2], curves, "lambda", colours)
        draw_norm_sizes(column[2], curves, "lambda", colours)
        note_clipped(column[0], rows(curves, "loss", "generalization"), colour)
        column[0].set_title(style.label("lambda", lambda_), color=colour)
    align(columns)


def align(axes: np.ndarray) -> None:
    """Give each row of panels the same y range, and only outer panels axis labels and legends."""
    for row in axes:
        low, high = np.array([each.get_ylim() for each in row]).T
        for each in row:
            each.set_ylim(low.min(), high.max())
    for each in axes.flat:
        each.label_outer()
    for each in axes[:, 1:].flat:
        if each.get_legend() is not None:
            each.get_legend().remove()


def note_clipped(axes: Axes, curve: pd.DataFrame, colour: str) -> None:
    """Write the final value of a loss that leaves its panel at the top."""
    last = curve["y"].iloc[-1] if len(curve) else 0.0
    if last > axes.get_ylim()[1]:
        near = rf"near $10^{{{np.log10(last):.0f}}}$" if np.isfinite(last) else "beyond $10^{308}$"
        look = {"ha": "right", "va": "top", "color": colour, "fontsize": 6.5}
        axes.text(0.98, 0.97, f"ends {near}", transform=axes.transAxes, **look)


def draw_norm_sizes(axes: Axes, table: pd.DataFrame, by: str, colours: Mapping[Any, str]) -> None:
    """Draw ‖S‖ (solid) and -b (dash-dot-dotted) against the step, coloured by ``by``."""
    handles = []
    for panel, sign, line, label in (
        ("weight_norm", 1.0, "-", r"$\|S\|$"),
        ("bias", -1.0, style.BIAS_LINE, "$-b$"),
    ):
        handles.append(legends.line(label, color=legends.GREY, linestyle=line))
        curves = rows(table, panel, panel)
        sizes = sign * curves[["y", "y_low", "y_high"]]
        curves = curves.assign(**sizes.where(sizes > 0))
        for value, curve in curves.groupby(by, sort=False):
            draw_band(axes, curve, line, colours[value])
    for value, limit in rows(table, "weight_norm", "limit").groupby(by, sort=False):
        axes.plot(limit["x"], limit["y"], color=colours[value], zorder=2, **style.LIMIT_LINE)
    limit = rows(table, "weight_norm", "large_size_limit")
    axes.plot(limit["x"], limit["y"], zorder=4, **style.LARGE_SIZE_LIMIT)
    step_axis(axes)
    axes.set(yscale="log", ylabel=r"$\|S\|$, $-b$")
    legends.add(axes, handles, loc="upper left")


def draw_thin(column: np.ndarray, curves: pd.DataFrame, **look: Any) -> None:
    """Draw further medians into a column of loss, accuracy, and the sizes of S and b."""
    curves = curves[(curves["x"] > 0) & curves["series"].isin(_CURVES)]
    for (panel, series), curve in curves.groupby(["panel", "series"]):
        row = {"loss": 0, "accuracy": 1}.get(panel, 2)
        sign, line = (-1, style.BIAS_LINE) if panel == "bias" else (1, style.line_of(series))
        y = sign * curve["y"]
        y = y.where((y > 0) | (row == 1))
        column[row].plot(curve["x"], y, linestyle=line, **look)


def tabulate_settled_course(
    builder: TableBuilder,
    log_time: Callable[[np.ndarray], np.ndarray],
    t_max: float,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Add accuracies, and the times up to t_max at which large sets reach them if S has settled.

    Parameters
    ----------
    log_time
        Returns log t at which the given accuracies are reached.
    """
    accuracies = ndtr(np.linspace(0.02, 6.0, 600))
    found = log_time(accuracies)
    kept = (found > 0) & (found < np.log(t_max))
    time = np.exp(found[kept])
    builder.add("accuracy", "large_size", "theory", time, accuracies[kept], parameters)
