"""Fig. B17."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.logistic_panels import (
    check_all_known,
    check_partners,
    pair_runs,
    tabulate_unreached,
)
from linear_grokking.figures.points import draw_lines, draw_points, draw_points_by
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import large_size, wendel

TITLE = "Finite size: sharpness of the transition at λ = ½ (beyond Paper B)"
_SCALED = "separable_fraction_scaled"
_ASIDE = 1.06
"""Factor in N between the points of neighbouring λ, which have the same N."""

_SCALED_RANGE = 4.5
"""Largest |√N (2λ-1)| that is shown."""


class Options(FigureOptions):
    """What Fig. B17 is drawn from."""

    small: SeparabilityRuns = Field(description="Separability runs of small sets.")
    large: SeparabilityRuns = Field(description="Separability runs of large sets.")
    dynamics: LogisticRuns = Field(
        description="Dynamics below λ = ½, at sizes and λ of the separability runs."
    )


def check(data: FigureData) -> None:
    """See `registry`."""
    check_partners(data, ["dynamics"], "small", "large", all_known=True)


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: separable fractions against λ, and medians against N.

    Panels ``s_inf_norm_ratio`` and ``grokking_time_ratio`` hold the ratios of the medians to
    their large-size values, for each λ below ½.  Panel ``separable_fraction_scaled`` has
    √N (2λ-1) as x; its series ``large_size`` is Wendel's probability for N → ∞.  Panel
    ``grokking_time_unreached`` holds the fractions of sets that did not reach the threshold
    before the run's end: ``separable`` ones, few of which ever will, and ``censored`` ones,
    which will.
    """
    builder = TableBuilder()
    statistics, dynamics = data.runs("small", "large"), data.runs("dynamics")
    panels.tabulate_separable_fraction(builder, statistics)
    _tabulate_collapse(builder, statistics)
    lambdas = {run.parameters["lambda"] for run in dynamics}
    for run in statistics:
        lambda_ = run.parameters["lambda"]
        if lambda_ in lambdas and lambda_ <= panels.LARGEST_BELOW:
            curve = large_size.limit_norm(lambda_) / run.parameters["sigma"]
            _tabulate_ratio(builder, run, "s_inf_norm", "s_inf_norm", "median", curve)
    for run, sets in pair_runs(dynamics, statistics):
        lambda_, eta = run.parameters["lambda"], run.parameters["eta"]
        time = np.exp(large_size.log_time_to_accuracy(lambda_, eta, data.threshold))
        _tabulate_ratio(builder, run, "t_gen", "grokking_time", "t95", time)
        _tabulate_reasons(builder, run, sets)
    return builder.frame()


def _tabulate_ratio(
    builder: TableBuilder, run: RunResult, quantity: str, name: str, series: str, curve: float
) -> None:
    """Add a median with quartiles, in units of its large-size value, against N."""
    row = run.number(quantity)
    scaled = {key: row[key] / curve for key in ("median", "q25", "q75")}
    shown = {"lambda": run.parameters["lambda"]}
    x = run.parameters["n_train"]
    builder.add_summary(f"{name}_ratio", series, x, {**scaled, "n": row["n"]}, shown)


def _tabulate_collapse(builder: TableBuilder, runs: Sequence[RunResult]) -> None:
    for run in runs:
        shown = {key: run.parameters[key] for key in ("n_train", "lambda")}
        scaled = np.sqrt(shown["n_train"]) * (2.0 * shown["lambda"] - 1.0)
        share = run.number("separable")
        builder.add_summary(_SCALED, "fraction", scaled, share, shown, "proportion")
    scaled = np.linspace(-_SCALED_RANGE, _SCALED_RANGE, 181)
    n_train = max(run.parameters["n_train"] for run in runs)
    limit = wendel.separable_probability_gaussian(n_train, 0.5 + 0.5 * scaled / np.sqrt(n_train))
    builder.add(_SCALED, "large_size", "theory", scaled, limit)


def _tabulate_reasons(builder: TableBuilder, dynamics: RunResult, separability: RunResult) -> None:
    """Add the fractions of sets that did not reach the threshold, by their verdict."""
    check_all_known(dynamics, separability)
    n_train, lambda_ = (dynamics.parameters[key] for key in ("n_train", "lambda"))
    times = dynamics.scalars.set_index("realization")["t_gen"]
    verdicts = separability.scalars.set_index("realization")["separable"]
    separable = verdicts.loc[times.index[np.isinf(times)]].to_numpy(bool)
    counts = {"separable": int(separable.sum()), "censored": int((~separable).sum())}
    tabulate_unreached(builder, lambda_, counts, len(times), n_train=n_train)


def draw(table: pd.DataFrame) -> Figure:
    """Draw the separable fraction and its collapse above, ‖S_∞‖ and t₉₅ below."""
    figure, axes = style.new_panels(2, 2, height=4.4)
    colours = style.colours_of(rows(table, "separable_fraction")["n_train"])
    panels.draw_fractions(axes[0, 0], table, "n_train", colours)
    _draw_collapse(axes[0, 1], table, colours)
    handles = legends.marks("n_train", colours)
    handles.append(legends.line(**panels.WENDEL_LINE))
    legends.add(axes[0, 0], handles, loc="upper left")
    lambdas = style.colours_of(rows(table, "s_inf_norm_ratio")["lambda"])
    percent_time = rf"median time to {percent(table)} accuracy"
    for each, name, series, label in (
        (axes[1, 0], "s_inf_norm", "median", r"median $\|S_\infty\|$"),
        (axes[1, 1], "grokking_time", "t95", percent_time),
    ):
        _draw_ratios(each, rows(table, f"{name}_ratio", series), lambdas)
        each.set(xlabel=style.SYMBOLS["n_train"], ylabel=f"{label}\n/ value at $N\\to\\infty$")
    legends.add(axes[1, 0], legends.marks("lambda", lambdas), loc="lower right", ncols=2)
    return figure


def _draw_collapse(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    draw_lines(axes, table, _SCALED, "large_size", **style.THEORY_LINE)
    fractions = rows(table, _SCALED, source="experiment")
    fractions = fractions[fractions["x"].abs() <= _SCALED_RANGE]
    draw_points_by(axes, fractions, "n_train", colours)
    axes.axvline(0.0, **style.GUIDE)
    axes.set(xlabel=r"$\sqrt{N}\,(2\lambda-1)$", ylabel="separable fraction")


def _draw_ratios(axes: Axes, points: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    """Draw medians with quartiles against N, λ side by side, and the line of large sets."""
    axes.axhline(1.0, **style.THEORY_LINE)
    axes.set(xscale="log", yscale="log")
    spread = points[["y", "y_low", "y_high"]].replace(np.inf, np.nan)
    low, top = spread.min().min(), spread.max().max()
    margin = (top / low) ** 0.05
    axes.set_ylim(*finite_ends(low / margin, margin * top))
    for position, (lambda_, theirs) in enumerate(points.groupby("lambda")):
        aside = _ASIDE ** (position - (len(colours) - 1) / 2)
        draw_points(axes, theirs.assign(x=theirs["x"] * aside), colours[lambda_])
    sizes = sorted(points["x"].unique())
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    if top / low < 100:
        style.tick_plainly(axes.yaxis)
