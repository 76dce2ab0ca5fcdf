"""Fig. B17."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.logistic_panels import check_all_known, pair_runs, tabulate_unreached
from linear_grokking.figures.points import draw_lines, draw_points, tabulate_scalar
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import wendel

TITLE = "Finite size: how sharp the transition at λ = ½ is (ours)"
_SCALED = "separable_fraction_scaled"
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
    statistics, dynamics = data.runs("small", "large"), data.runs("dynamics")
    panels.tabulate_separable_fraction(builder, statistics)
    _tabulate_collapse(builder, statistics)
    keys = ["n_train"]
    tabulate_scalar(builder, statistics, "s_inf_norm", "s_inf_norm", "median", "lambda", keys)
    tabulate_scalar(builder, dynamics, "t_gen", "grokking_time", "t95", "lambda", keys)
    for pair in pair_runs(dynamics, statistics):
        _tabulate_reasons(builder, *pair)
    eta = dynamics[0].parameters["eta"]
    panels.tabulate_large_size(builder, options.lambda_.linear(), eta, data.threshold)
    return builder.frame()


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
    figure, axes = style.new_panels(2, 2, height=4.6)
    colours = style.colours_of(table["n_train"])
    panels.draw_fractions(axes[0, 0], table, "n_train", colours, markersize=3.5)
    _draw_collapse(axes[0, 1], table, colours)
    norms, times = axes[1]
    _draw_medians(norms, table, "s_inf_norm", "large_size", colours)
    panels.lambda_axis(norms, r"median $\|S_\infty\|$")
    _draw_medians(times, table, "grokking_time", "t95", colours)
    panels.lambda_axis(times, f"median time of {percent(table)} (steps)")
    point = {"marker": "o", "markersize": 4}
    handles = [
        legends.line(style.label("n_train", n), color=colour, **point)
        for n, colour in colours.items()
    ]
    handles.append(legends.line(r"Wendel; $N\to\infty$", **style.THEORY_LINE))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _draw_collapse(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    draw_lines(axes, table, _SCALED, "large_size", **style.THEORY_LINE)
    fractions = rows(table, _SCALED, source="experiment")
    fractions = fractions[fractions["x"].abs() <= _SCALED_RANGE]
    for n_train, points in fractions.groupby("n_train"):
        draw_points(axes, points, colours[n_train], markersize=3.5)
    axes.axvline(0.0, **style.GUIDE)
    axes.set(xlabel=r"$\sqrt{N}\,(2\lambda-1)$", ylabel="fraction separable")


def _draw_medians(
    axes: Axes, table: pd.DataFrame, panel: str, theory: str, colours: Mapping[Any, str]
) -> None:
    """Draw medians with quartiles below λ = ½, joined by size, and the large-size curve.

    Sizes are drawn side by side, so that their quartiles do not hide each other; the axis
    ends well above the medians, short of the divergence.
    """
    draw_lines(axes, table, panel, theory, **style.THEORY_LINE)
    medians = rows(table, panel, source="experiment")
    medians = medians[medians["x"] < panels.CRITICAL].sort_values("x")
    finite = medians[np.isfinite(medians["y"])]
    axes.set_xlim(medians["x"].min() - 0.01, panels.CRITICAL + 0.004)
    axes.locator_params(axis="x", nbins=6)
    axes.set_yscale("log")
    axes.set_ylim(finite["y_low"].min() / 1.5, 1.5 * finite["y"].max() ** 1.3)
    sizes = medians.groupby("n_train")
    for position, (n_train, points) in enumerate(sizes):
        points = points.assign(x=points["x"] + _ASIDE * (position - (len(sizes) - 1) / 2))
        joined = points[np.isfinite(points["y"])]
        axes.plot(joined["x"], joined["y"], color=colours[n_train], linewidth=0.8, alpha=0.6)
        draw_points(axes, points, colours[n_train], markersize=3.5)
