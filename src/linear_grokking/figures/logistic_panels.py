"""Panels of the logistic model: dynamics by λ, final accuracies and grokking times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linear_grokking.figures import style
from linear_grokking.figures.dynamics import (
    draw_dynamics,
    line_styles_legend,
    panel_letters,
    tabulate_dynamics,
    value_legend,
)
from linear_grokking.figures.tables import RunResult, TableBuilder
from linear_grokking.statistics import summarize_dynamics, summarize_proportion, summarize_values
from linear_grokking.theory.margin import separable_gen_accuracy

DYNAMICS_PANELS = ("loss", "accuracy", "weight_norm", "bias")


def tabulate_runs(
    builder: TableBuilder,
    runs: Sequence[RunResult],
    key: str,
    panels: Sequence[str] = DYNAMICS_PANELS,
) -> None:
    """Add the dynamics of runs that one parameter tells apart."""
    for run in runs:
        tabulate_dynamics(builder, run, {key: run.parameters[key]}, panels)


def tabulate_with_limits(
    builder: TableBuilder,
    runs: Sequence[RunResult],
    separability: Sequence[RunResult],
    key: str,
    threshold: float,
) -> None:
    """Add the dynamics of runs that one parameter tells apart, and where they lead."""
    for run, partner in pair_runs(paired_draws(runs, threshold), separability):
        parameters = {key: run.parameters[key]}
        tabulate_dynamics(builder, run, parameters, DYNAMICS_PANELS)
        tabulate_limit_lines(builder, run, limit_accuracies(run, partner), parameters)


def paired_draws(runs: Sequence[RunResult], threshold: float) -> list[RunResult]:
    """Reduce runs to the realizations that all of them have, so that they compare the same.

    A run that another figure shares may have more.
    """
    common = min(run.realizations for run in runs)
    return [
        run
        if run.realizations == common
        else SomeRealizations(
            run.root, run.run_id, run.parameters, common, tuple(range(common)), threshold
        )
        for run in runs
    ]


def limit_accuracies(dynamics: RunResult, separability: RunResult) -> pd.DataFrame:
    """Return what becomes of each realization (Paper B, Secs. 3.2 and 3.3).

    Both runs must draw the same sets, up to σ for Gaussian inputs: see `pair_runs`.  The
    rows are of the realizations that both have.

    Returns
    -------
    DataFrame
        Columns ``realization``; ``separable``; ``limit``, the generalization accuracy at
        t → ∞: 1, or Φ(1/(σM)) for a separable set of margin M; ``norm``, ‖S_∞‖ for the
        exponential loss, inf for a separable set.
    """
    sets = separability.rows("separability").sort_values("realization", ignore_index=True)
    sets = sets[sets["realization"] < dynamics.realizations]
    sigma = float(dynamics.parameters["sigma"])
    scale = sigma / float(separability.parameters["sigma"])
    separable = sets["separable"].to_numpy(bool)
    margin = scale * sets["margin"].to_numpy(float)
    limit = np.ones(len(sets))
    limit[separable] = separable_gen_accuracy(margin[separable], sigma)
    norm = np.where(separable, np.inf, sets["s_inf_norm"].to_numpy(float) / scale)
    return pd.DataFrame(
        {
            "realization": sets["realization"],
            "separable": separable,
            "limit": limit,
            "norm": norm,
        }
    )


def tabulate_limit_lines(
    builder: TableBuilder,
    dynamics: RunResult,
    limits: pd.DataFrame,
    parameters: Mapping[str, Any],
) -> None:
    """Add the limits at t → ∞ of a run's accuracy and, where it is finite, of its ‖S‖.

    Series ``limit`` holds the median over the sets in ``limits`` (of `limit_accuracies`)
    with quartiles, at the first and last recorded time.
    """
    for panel, column in (("accuracy", "limit"), ("weight_norm", "norm")):
        row = summarize_values(panel, limits[column]).iloc[0]
        if not np.isfinite(row["median"]):
            continue
        builder.add(
            panel,
            "limit",
            "experiment",
            time_span(dynamics),
            np.full(2, row["median"]),
            y_low=row["q25"],
            y_high=row["q75"],
            n=row["n"],
            parameters=parameters,
        )


def time_span(run: RunResult) -> np.ndarray:
    """Return the first recorded step after 0, and the last."""
    steps = run.curve("gen_accuracy")["step"].to_numpy(float)
    return np.array([steps[steps > 0].min(), steps.max()])


@dataclass(frozen=True)
class SomeRealizations(RunResult):
    """A run of which only some realizations are looked at, summarized anew.

    Attributes
    ----------
    chosen
        Their numbers.
    threshold
        Accuracy that counts as reached.
    """

    chosen: tuple[int, ...]
    threshold: float

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The summary of the chosen realizations."""
        rows = self.rows()
        return summarize_dynamics(
            rows[rows["realization"].isin(self.chosen)], threshold=self.threshold
        )


def tabulate_by_verdict(
    builder: TableBuilder,
    run: RunResult,
    limits: pd.DataFrame,
    keys: Sequence[str],
    threshold: float,
) -> None:
    """Add a run's dynamics for its separable draws and for the others, apart.

    The column ``separable`` tells which they are, ``n`` how many, and panel ``draws`` lists
    them (x: the realization, y: 1 if separable).  ``limits`` is that of `limit_accuracies`
    on the same sets; the lines of limits come from it, but for Adam on separable sets, which
    does not tend to the hard margin as gradient descent does.

    Raises
    ------
    ValueError
        If ``limits`` does not hold all realizations of the run.
    """
    verdicts = limits.set_index("realization")["separable"]
    if len(verdicts) < run.realizations:
        raise ValueError(
            f"separability is known of {len(verdicts)} realizations, and the dynamics has "
            f"{run.realizations}: both experiments need as many"
        )
    verdicts = verdicts.loc[: run.realizations - 1]
    for verdict in (False, True):
        chosen = tuple(int(k) for k in verdicts.index[verdicts == verdict])
        if not chosen:
            continue
        part = SomeRealizations(
            run.root, run.run_id, run.parameters, run.realizations, chosen, threshold
        )
        parameters = {**{key: run.parameters[key] for key in keys}, "separable": verdict}
        tabulate_dynamics(builder, part, parameters, DYNAMICS_PANELS)
        if not (verdict and run.parameters["solver"] == "adam"):
            theirs = limits[limits["realization"].isin(chosen)]
            tabulate_limit_lines(builder, part, theirs, parameters)
        builder.add(
            "draws", "realization", "experiment", chosen, float(verdict), parameters=parameters
        )


def tabulate_limits(builder: TableBuilder, pairs: Sequence[tuple[RunResult, RunResult]]) -> None:
    """Add the accuracy at t → ∞, and the accuracy when the run ended, against λ."""
    for dynamics, separability in pairs:
        x = dynamics.parameters["lambda"]
        limits = limit_accuracies(dynamics, separability)["limit"]
        row = summarize_values("limit", limits).iloc[0]
        builder.add(
            "final_accuracy",
            "median",
            "experiment",
            x,
            row["median"],
            y_low=row["q25"],
            y_high=row["q75"],
            n=row["n"],
        )
        error = row["standard_error"]
        builder.add(
            "final_accuracy",
            "mean",
            "experiment",
            x,
            row["mean"],
            y_low=row["mean"] - error,
            y_high=row["mean"] + error,
            n=row["n"],
        )
        reached = dynamics.scalar("final_gen_accuracy")
        builder.add(
            "final_accuracy",
            "at_t_max",
            "experiment",
            x,
            reached["median"],
            y_low=reached["q25"],
            y_high=reached["q75"],
            n=reached["n"],
        )


def tabulate_t95(
    builder: TableBuilder, pairs: Sequence[tuple[RunResult, RunResult]], threshold: float
) -> None:
    """Add the time of the accuracy's threshold against λ, and what never comes.

    Series ``t95`` is the median with quartiles, inf where half of the sets or more do not
    reach the threshold; ``never`` is the fraction of sets whose limit lies below it,
    ``censored`` the fraction of those that would reach it after the run's end.
    """
    for dynamics, separability in pairs:
        x = dynamics.parameters["lambda"]
        row = dynamics.scalar("t_gen")
        builder.add(
            "grokking_time",
            "t95",
            "experiment",
            x,
            row["median"],
            y_low=row["q25"],
            y_high=row["q75"],
            n=row["n"],
        )
        limits = limit_accuracies(dynamics, separability)["limit"]
        never = int((limits < threshold).sum())
        unreached = int(row["n_infinite"] + row["n_censored"])
        for series, count in (("never", never), ("censored", unreached - never)):
            share = summarize_proportion(series, max(count, 0), len(limits)).iloc[0]
            builder.add(
                "grokking_time_unreached",
                series,
                "experiment",
                x,
                share["mean"],
                y_low=share["low"],
                y_high=share["high"],
                n=share["n"],
            )


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


def draw_norms(axes: Axes, table: pd.DataFrame) -> None:
    """Draw ‖S‖ and b against the step, medians with quartiles."""
    for panel, colour, label in (
        ("weight_norm", style.GREEN, r"$\|S\|$"),
        ("bias", style.PURPLE, r"$b$"),
    ):
        shown = (table["panel"] == panel) & (table["series"] == panel) & (table["x"] > 0)
        curve = table[shown]
        axes.plot(curve["x"], curve["y"], color=colour, label=label)
        axes.fill_between(
            curve["x"],
            curve["y_low"],
            curve["y_high"],
            color=colour,
            alpha=style.BAND_ALPHA,
            linewidth=0,
        )
    limit = table[(table["panel"] == "weight_norm") & (table["series"] == "limit")]
    axes.plot(limit["x"], limit["y"], color=style.GREEN, linestyle=style.LIMIT_LINE, linewidth=1.0)
    axes.set_xscale("log")
    axes.margins(x=0.02)
    axes.set_xlabel("step $t$")


def draw_four_panels(table: pd.DataFrame, key: str) -> Figure:
    """Draw loss, accuracy, ‖S‖ and b against the step, coloured by one parameter."""
    figure = style.new_figure(2, 2.1)
    axes = figure.subplots(2, 2)
    colours = style.colours(sorted(table[key].dropna().unique()))
    for each, panel in zip(axes.ravel(), DYNAMICS_PANELS, strict=True):
        draw_dynamics(each, table, panel, key, colours)
    value_legend(axes[0, 0], key, colours, loc="lower left")
    panel_letters(axes.ravel())
    line_styles_legend(figure, theory=False, limit=True)
    return figure


def draw_columns(
    table: pd.DataFrame, key: str = "lambda", *, spare: int = 0
) -> tuple[Figure, np.ndarray]:
    """Draw a column of loss, accuracy, and ‖S‖ with b, for each value of one parameter.

    ``spare`` columns on the right stay empty, for the caller.

    Returns
    -------
    figure
    axes : (3, columns)
    """
    values = sorted(table[key].dropna().unique())
    figure = style.new_figure(len(values) + spare, 3)
    axes = figure.subplots(3, len(values) + spare, squeeze=False)
    colours = style.colours(values)
    for column, value in enumerate(values):
        rows = table[table[key] == value]
        for row, panel in enumerate(("loss", "accuracy")):
            draw_dynamics(axes[row, column], rows, panel, key, colours)
        draw_norms(axes[2, column], rows)
        axes[2, column].set_ylabel(r"$\|S\|$, $b$")
        axes[2, column].legend(loc="best").set_in_layout(False)
        axes[0, column].set_title(style.label(key, value), color=colours[value])
    panel_letters(axes.T.ravel())
    return figure, axes


def draw_norm_sizes(axes: Axes, table: pd.DataFrame, by: str, colours: Mapping[Any, str]) -> None:
    """Draw ‖S‖ (solid) and -b (dashed) against the step in logarithms, coloured by ``by``."""
    for panel, sign, line in (("weight_norm", 1.0, "-"), ("bias", -1.0, style.BIAS_LINE)):
        rows = table[(table["panel"] == panel) & (table["series"] == panel) & (table["x"] > 0)]
        for value, curve in rows.groupby(by, sort=False):
            size = (sign * curve["y"]).where(sign * curve["y"] > 0)
            axes.plot(curve["x"], size, color=colours[value], linestyle=line)
    for label, line in ((r"$\|S\|$", "-"), ("$-b$", style.BIAS_LINE)):
        axes.plot([], [], color=style.PAPER, linestyle=line, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(x=0.02)
    axes.set_xlabel("step $t$")
    axes.set_ylabel(r"$\|S\|$, $-b$")
    axes.legend(loc="upper left").set_in_layout(False)


def verdict_legend(axes: Axes, table: pd.DataFrame, colours: Mapping[bool, str]) -> None:
    """Say which colour shows separable draws and which the others, and which draws they are."""
    for verdict, rows in table[table["panel"] == "draws"].groupby("separable"):
        numbers = ", ".join(f"{x:g}" for x in sorted(rows["x"]))
        draws = "draw" if len(rows) == 1 else "draws"
        label = f"{'separable' if verdict else 'not separable'}: {draws} {numbers}"
        axes.plot([], [], color=colours[verdict], label=label)
    axes.legend(loc="lower left").set_in_layout(False)
