"""Panels of the logistic model: dynamics by a parameter, final accuracies and times."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
from linear_grokking.results.statistics import summarize_proportion, summarize_values
from linear_grokking.theory.margin import separable_gen_accuracy

DYNAMICS_PANELS = ("loss", "accuracy", "weight_norm", "bias")


def tabulate_with_limits(builder: TableBuilder, data: FigureData, *keys: str) -> None:
    """Add the runs ``dynamics``, which some parameters tell apart, and where they lead."""
    runs = paired_draws(data.runs("dynamics"))
    for run, partner in pair_runs(runs, data.runs("separability")):
        parameters = {key: run.parameters[key] for key in keys}
        tabulate_dynamics(builder, run, parameters, DYNAMICS_PANELS)
        tabulate_limit_lines(builder, run, limit_accuracies(run, partner), parameters)


def paired_draws(runs: Sequence[RunResult]) -> list[RunResult]:
    """Reduce runs to the realizations that all of them have, so that they compare the same.

    A run that another figure shares may have more.
    """
    common = min(run.realizations for run in runs)
    return [run if run.realizations == common else run.only(range(common)) for run in runs]


def pair_runs(
    dynamics: Sequence[RunResult], separability: Sequence[RunResult]
) -> list[tuple[RunResult, RunResult]]:
    """Match runs on the same sets.

    Gaussian sets that differ in σ are multiples of each other and count as the same.

    Raises
    ------
    ValueError
        If a run has no partner, naming its λ.
    """
    keys = ("n_train", "lambda", "law", "sigma")

    def key(run: RunResult) -> tuple[Any, ...]:
        relevant = keys[:-1] if run.parameters["law"] == "gaussian" else keys
        return tuple(run.parameters[name] for name in relevant)

    partners = {key(run): run for run in separability}
    missing = [run.parameters["lambda"] for run in dynamics if key(run) not in partners]
    if missing:
        raise ValueError(
            f"no separability run for the dynamics at lambda = {missing}: "
            f"both experiments need the same {', '.join(keys)} and seed"
        )
    return [(run, partners[key(run)]) for run in dynamics]


def check_all_known(dynamics: RunResult, separability: RunResult) -> None:
    """Raise ValueError if separability is not known of all realizations of a run."""
    if separability.realizations < dynamics.realizations:
        raise ValueError(
            f"lambda = {dynamics.parameters['lambda']:g}: the dynamics has "
            f"{dynamics.realizations} realizations and separability "
            f"{separability.realizations}; it needs at least as many"
        )


def limit_accuracies(dynamics: RunResult, separability: RunResult) -> pd.DataFrame:
    """Return what becomes of each realization (Paper B, Secs. 3.2 and 3.3).

    Both runs must draw the same sets, up to σ for Gaussian inputs: see `pair_runs`.  The
    rows are of the realizations that both have.

    Returns
    -------
    DataFrame
        Columns ``realization``; ``separable``; ``limit``, the generalization accuracy at
        t → ∞: 1, or Φ(1/(σM)) for a separable set of margin M; ``norm``, ‖S_∞‖ for the
        exponential loss, inf for a separable set; ``margin``, M on the points as they are.
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


def tabulate_limit_lines(
    builder: TableBuilder, dynamics: RunResult, limits: pd.DataFrame, parameters: Mapping[str, Any]
) -> None:
    """Add the limits at t → ∞ of a run's accuracy and, where it is finite, of its ‖S‖.

    Series ``limit`` holds the median over the sets in ``limits`` (of `limit_accuracies`)
    with quartiles, at the first and last recorded time.
    """
    for panel, column in (("accuracy", "limit"), ("weight_norm", "norm")):
        row = summarize_values(panel, limits[column]).iloc[0]
        if np.isfinite(row["median"]):
            builder.add_summary(panel, "limit", time_span(dynamics), row, parameters)


def tabulate_by_verdict(builder: TableBuilder, data: FigureData, *roles: str) -> None:
    """Add runs by λ and solver, their separable draws and the others apart.

    The column ``separable`` tells which they are, ``n`` how many, and panel ``draws`` lists
    them (x: the realization, y: 1 if separable).  Limits are those of `limit_accuracies`, but
    for Adam on separable sets, which does not tend to the hard margin as gradient descent does.

    Raises
    ------
    ValueError
        If separability is not known of all realizations of a run.
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
        share = summarize_proportion(series, count, n).iloc[0]
        panel = "grokking_time_unreached"
        builder.add_summary(panel, series, x, share, parameters, statistic="proportion")


def draw_columns(table: pd.DataFrame, spare: int = 0) -> tuple[Figure, np.ndarray]:
    """Draw a column of loss, accuracy, and ‖S‖ with b, for each λ.

    Returns the figure and the axes (3, columns); so many ``spare`` columns on the right are
    left to the caller.
    """
    colours = style.colours_of(table["lambda"])
    figure, axes = style.new_panels(3, len(colours) + spare, downwards=True, squeeze=False)
    for column, (lambda_, colour) in zip(axes.T, colours.items(), strict=False):
        curves = rows(table, lambda_=lambda_)
        draw_dynamics(column[:2], curves, "lambda", colours)
        _draw_norms(column[2], curves)
        column[0].set_title(style.label("lambda", lambda_), color=colour)
    return figure, axes


def _draw_norms(axes: Axes, table: pd.DataFrame) -> None:
    """Draw ‖S‖ and b against the step, medians with quartiles."""
    looks = {"weight_norm": (style.GREEN, r"$\|S\|$"), "bias": (style.PURPLE, r"$b$")}
    for panel, (colour, label) in looks.items():
        draw_band(axes, rows(table, panel, panel), panel, colour, label)
    limit = rows(table, "weight_norm", "limit")
    axes.plot(limit["x"], limit["y"], color=style.GREEN, **style.LIMIT_LINE)
    step_axis(axes)
    axes.set_ylabel(r"$\|S\|$, $b$")
    legends.add(axes)


def draw_norm_sizes(axes: Axes, table: pd.DataFrame, by: str, colours: Mapping[Any, str]) -> None:
    """Draw ‖S‖ (solid) and -b (dashed) against the step in logarithms, coloured by ``by``."""
    handles = []
    for panel, sign, line, label in (
        ("weight_norm", 1.0, "-", r"$\|S\|$"),
        ("bias", -1.0, "-.", "$-b$"),
    ):
        handles.append(legends.line(label, color=style.PAPER, linestyle=line))
        curves = rows(table, panel, panel)
        for value, curve in curves[curves["x"] > 0].groupby(by, sort=False):
            size = sign * curve["y"]
            axes.plot(curve["x"], size.where(size > 0), color=colours[value], linestyle=line)
    step_axis(axes)
    axes.set(yscale="log", ylabel=r"$\|S\|$, $-b$")
    legends.add(axes, handles, loc="upper left")
