"""Panels of the logistic model: dynamics by λ, final accuracies and grokking times."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from linear_grokking.figures import style
from linear_grokking.figures.dynamics import tabulate_dynamics
from linear_grokking.figures.tables import RunResult, TableBuilder
from linear_grokking.statistics import summarize_proportion, summarize_values
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


def limit_accuracies(dynamics: RunResult, separability: RunResult) -> pd.DataFrame:
    """Return what becomes of each realization (Paper B, Secs. 3.2 and 3.3).

    Both runs must draw the same sets: equal seed, law, sizes and σ.

    Returns
    -------
    DataFrame
        Columns ``separable``; ``limit``, the generalization accuracy at t → ∞: 1, or
        Φ(1/(σM)) for a separable set of margin M; ``t95``, the first time at the accuracy's
        threshold (inf where not before the run's end).
    """
    sets = separability.rows("separability").sort_values("realization", ignore_index=True)
    sigma = float(dynamics.parameters["sigma"])
    separable = sets["separable"].to_numpy(bool)
    margin = sets["margin"].to_numpy(float)
    limit = np.ones(len(sets))
    limit[separable] = separable_gen_accuracy(margin[separable], sigma)
    return pd.DataFrame({"separable": separable, "limit": limit})


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

    Raises
    ------
    ValueError
        If a run has no partner, naming its λ.
    """
    keys = ("n_train", "lambda", "sigma", "law")

    def key(run: RunResult) -> tuple[Any, ...]:
        return tuple(run.parameters[name] for name in keys)

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
        curve = table[(table["panel"] == panel) & (table["x"] > 0)]
        axes.plot(curve["x"], curve["y"], color=colour, label=label)
        axes.fill_between(
            curve["x"],
            curve["y_low"],
            curve["y_high"],
            color=colour,
            alpha=style.BAND_ALPHA,
            linewidth=0,
        )
    axes.set_xscale("log")
    axes.margins(x=0.02)
    axes.set_xlabel("step $t$")


def regimes(lambdas: Sequence[float]) -> Mapping[float, str]:
    """Return a title for each λ."""
    return {
        value: f"{style.label('lambda', value)}" + (" (separable above ½)" if value > 0.5 else "")
        for value in lambdas
    }
