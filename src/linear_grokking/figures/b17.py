"""Finite size: how sharp the transition at λ = ½ is (ours)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters
from linear_grokking.figures.logistic_panels import pair_runs
from linear_grokking.figures.points import draw_lines, draw_points, tabulate_scalar
from linear_grokking.figures.separability_panels import (
    CRITICAL,
    LARGEST_BELOW,
    WENDEL_LINE,
    draw_fractions,
    tabulate_separable_fraction,
)
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.grokking_time import first_crossing
from linear_grokking.statistics import summarize_proportion
from linear_grokking.theory import large_size, wendel

_LARGE_SIZE = {"color": style.THEORY, "linewidth": 0.9, "label": r"$N\to\infty$"}
_ASIDE = 0.0016
"""Distance in λ at which neighbouring sizes are drawn."""

_SCALED_RANGE = 4.5
"""Largest |√N (2λ-1)| that is shown."""


class Options(FigureOptions):
    """What Fig. B17 is drawn from."""

    small: SeparabilityRuns = Field(description="Separability runs of small sets.")
    large: SeparabilityRuns = Field(description="Separability runs of large sets.")
    dynamics: LogisticRuns = Field(
        description="Dynamics below λ = ½, at sizes and λ of the separability runs."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the large-size curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: separable fraction, ‖S_∞‖ and t₉₅ against λ for each N.

    Panel ``separable_fraction_scaled`` has √N (2λ-1) as x; its series ``large_size`` is
    Wendel's probability for N → ∞.  Panel ``grokking_time_unreached`` holds the fractions
    of sets that did not reach the threshold before the run's end: ``separable`` ones, few
    of which ever will, and ``censored`` ones, which will.
    """
    builder = TableBuilder()
    statistics = data.runs("small") + data.runs("large")
    tabulate_separable_fraction(builder, statistics)
    _tabulate_collapse(builder, statistics)
    keys = ["n_train"]
    tabulate_scalar(builder, statistics, "s_inf_norm", "s_inf_norm", "median", "lambda", keys)
    dynamics = data.runs("dynamics")
    tabulate_scalar(builder, dynamics, "t_gen", "grokking_time", "t95", "lambda", keys)
    for pair in pair_runs(dynamics, statistics):
        _tabulate_unreached(builder, *pair, data.threshold)

    span = options.lambda_
    values = np.linspace(span.start, span.stop, span.points)
    below = values[values <= LARGEST_BELOW]
    builder.add("s_inf_norm", "large_size", "theory", below, large_size.limit_norm(below))
    eta = dynamics[0].parameters["eta"]
    log_time = large_size.log_time_to_accuracy(below, eta, data.threshold)
    builder.add("grokking_time", "t95", "theory", below, np.exp(np.minimum(log_time, 700.0)))
    return builder.frame()


def _tabulate_collapse(builder: TableBuilder, runs: Sequence[RunResult]) -> None:
    for run in runs:
        n_train, lambda_ = run.parameters["n_train"], run.parameters["lambda"]
        row = run.scalar("separable")
        builder.add(
            "separable_fraction_scaled",
            "fraction",
            "experiment",
            np.sqrt(n_train) * (2.0 * lambda_ - 1.0),
            row["mean"],
            y_low=row["low"],
            y_high=row["high"],
            n=row["n"],
            parameters={"n_train": n_train, "lambda": lambda_},
        )
    scaled = np.linspace(-_SCALED_RANGE, _SCALED_RANGE, 181)
    n_train = max(run.parameters["n_train"] for run in runs)
    limit = wendel.separable_probability_gaussian(n_train, 0.5 + 0.5 * scaled / np.sqrt(n_train))
    builder.add("separable_fraction_scaled", "large_size", "theory", scaled, limit)


def _tabulate_unreached(
    builder: TableBuilder, dynamics: RunResult, separability: RunResult, threshold: float
) -> None:
    accuracy = dynamics.rows().pivot(index="realization", columns="step", values="gen_accuracy")
    times = first_crossing(accuracy.columns.to_numpy(), accuracy.to_numpy(), threshold)
    verdicts = separability.rows("separability").set_index("realization")["separable"]
    if len(verdicts) < len(accuracy):
        raise ValueError(
            f"lambda = {dynamics.parameters['lambda']:g}: the dynamics has {len(accuracy)} "
            f"realizations and separability {len(verdicts)}; it needs at least as many"
        )
    separable = verdicts.loc[accuracy.index].to_numpy(bool)
    unreached = np.isinf(times)
    for series, kind in (("separable", separable), ("censored", ~separable)):
        share = summarize_proportion(series, int((unreached & kind).sum()), len(times)).iloc[0]
        builder.add(
            "grokking_time_unreached",
            series,
            "experiment",
            dynamics.parameters["lambda"],
            share["mean"],
            y_low=share["low"],
            y_high=share["high"],
            n=share["n"],
            parameters={"n_train": dynamics.parameters["n_train"]},
        )


def draw(table: pd.DataFrame) -> Figure:
    """Draw the separable fraction and its collapse above, ‖S_∞‖ and t₉₅ below."""
    figure = style.new_figure(2.3, 2.2)
    axes = figure.subplots(2, 2)
    colours = style.colours(sorted(int(n) for n in table["n_train"].dropna().unique()))
    draw_fractions(axes[0, 0], table, "n_train", colours, markersize=3.5)
    _draw_collapse(axes[0, 1], table, colours)
    _draw_medians(axes[1, 0], table, "s_inf_norm", "large_size", colours)
    axes[1, 0].set_ylabel(r"median $\|S_\infty\|$")
    _draw_medians(axes[1, 1], table, "grokking_time", "t95", colours)
    axes[1, 1].set_ylabel("median time of 95 % (steps)")
    handles = [
        Line2D([], [], color=colour, marker="o", markersize=4, label=style.label("n_train", n))
        for n, colour in colours.items()
    ]
    handles.append(Line2D([], [], **{**WENDEL_LINE, "label": r"Wendel; $N\to\infty$"}))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    panel_letters(axes.ravel())
    return figure


def _draw_collapse(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    panel = "separable_fraction_scaled"
    draw_lines(axes, table, panel, "large_size", _LARGE_SIZE)
    rows = table[(table["panel"] == panel) & (table["source"] == "experiment")]
    rows = rows[rows["x"].abs() <= _SCALED_RANGE]
    for n_train, points in rows.groupby("n_train"):
        draw_points(axes, points, colours[n_train], markersize=3.5)
    axes.axvline(0.0, color=style.PAPER, linewidth=0.8, linestyle=":")
    axes.set_xlabel(r"$\sqrt{N}\,(2\lambda-1)$")
    axes.set_ylabel("fraction separable")


def _draw_medians(
    axes: Axes, table: pd.DataFrame, panel: str, theory: str, colours: Mapping[Any, str]
) -> None:
    """Draw medians with quartiles below λ = ½, joined by size, and the large-size curve.

    Sizes are drawn side by side, so that their quartiles do not hide each other; the axis
    ends well above the medians, short of the divergence.
    """
    draw_lines(axes, table, panel, theory, _LARGE_SIZE)
    rows = table[(table["panel"] == panel) & (table["source"] == "experiment")]
    rows = rows[rows["x"] < CRITICAL].sort_values("x")
    finite = rows[np.isfinite(rows["y"])]
    axes.set_xlim(rows["x"].min() - 0.01, CRITICAL + 0.004)
    axes.locator_params(axis="x", nbins=6)
    axes.set_yscale("log")
    axes.set_ylim(finite["y_low"].min() / 1.5, 1.5 * finite["y"].max() ** 1.3)
    sizes = sorted(rows["n_train"].unique())
    for position, n_train in enumerate(sizes):
        aside = _ASIDE * (position - (len(sizes) - 1) / 2)
        points = rows[rows["n_train"] == n_train].assign(
            x=lambda part, aside=aside: part["x"] + aside
        )
        joined = points[np.isfinite(points["y"])]
        axes.plot(joined["x"], joined["y"], color=colours[n_train], linewidth=0.8, alpha=0.6)
        draw_points(axes, points, colours[n_train], markersize=3.5)
    axes.axvline(CRITICAL, color=style.PAPER, linewidth=0.8, linestyle=":")
    axes.set_xlabel(style.SYMBOLS["lambda"])
