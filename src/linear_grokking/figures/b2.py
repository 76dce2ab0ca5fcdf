"""Fig. B2."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from pydantic import Field

from linear_grokking.config.fields import Count
from linear_grokking.config.figure_options import (
    FigureOptions,
    LogisticRuns,
    OutputRuns,
    SeparabilityRuns,
)
from linear_grokking.figures import legends, style
from linear_grokking.figures.logistic_panels import pair_runs
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import large_size
from linear_grokking.theory.margin import mean_margin, normal_density

TITLE = "Outputs after training, and S against conformal time (Paper B, Fig. 2)"
_DENSITY = "output_density"
_PATH = "conformal_path"
_RATIO = "norm_ratio"


class Options(FigureOptions):
    """What Fig. B2 is drawn from."""

    outputs: OutputRuns = Field(description="Training outputs at the end, one run per λ.")
    dynamics: LogisticRuns = Field(
        description="Dynamics that end in these outputs: brings the bias."
    )
    with_bias: LogisticRuns = Field(
        description="Exponential loss with bias, pure gradient flow, one run per λ."
    )
    without_bias: LogisticRuns = Field(description="The same without bias.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `with_bias`."
    )
    bins: Count = Field(60, description="Bins of each histogram.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: densities of f, ‖S‖ against conformal time, and ‖S‖/|b|.

    Panel ``output_density``: x is f, from all realizations; series ``large_size`` is that of
    the limit at the same bias: of S_∞, or, above λ = ½, of the points beyond the hard margin
    at the same ‖S‖; series ``positive`` has b as x, where S·x = 0, and the fraction of points
    with S·x > 0 as y.  Panel ``conformal_path``: ‖S‖ against τ, series ``with_bias`` and
    ``without_bias``.  Panel ``norm_ratio``: ‖S‖/|b| against the step, and its limit, the
    margin M.
    """
    builder = TableBuilder()
    for run, partner in pair_runs(data.runs("outputs"), data.runs("dynamics")):
        _tabulate_outputs(builder, run, partner, options.bins)
    for role in ("with_bias", "without_bias"):
        for run in data.runs(role):
            path, shown = _first_realization(run), {"lambda": run.parameters["lambda"]}
            tau, norm = path["conformal_time"], path["weight_norm"]
            builder.add(_PATH, role, "experiment", tau, norm, shown, n=1)
    for run, partner in pair_runs(data.runs("with_bias"), data.runs("separability")):
        if run.parameters["lambda"] > CRITICAL:
            _tabulate_ratio(builder, run, partner)
    return builder.frame()


def _tabulate_outputs(
    builder: TableBuilder, run: RunResult, dynamics: RunResult, bins: int
) -> None:
    """Add the histogram over all training points, the bias, and the large-size density."""
    if run.parameters["t_max"] != dynamics.parameters["t_max"]:
        raise ValueError(
            f"outputs are taken at t_max={run.parameters['t_max']:g} and the dynamics ends at "
            f"t_max={dynamics.parameters['t_max']:g}: both experiments need the same"
        )
    lambda_ = run.parameters["lambda"]
    shown = {"lambda": lambda_}
    outputs = run.outputs
    realizations = outputs["realization"].unique()
    n = len(realizations)
    density, edges = np.histogram(outputs["output"], bins=bins, density=True)
    centres = 0.5 * (edges[1:] + edges[:-1])
    builder.add(_DENSITY, "outputs", "experiment", centres, density, shown, n=n)
    last = dynamics.scalars.set_index("realization").loc[realizations]
    positive = (outputs["output"] > outputs["realization"].map(last["final_bias"])).mean()
    bias, norm = float(last["final_bias"].median()), float(last["final_weight_norm"].median())
    builder.add(_DENSITY, "positive", "experiment", bias, positive, shown, n=n)
    if lambda_ < CRITICAL:
        f = np.linspace(edges[0], edges[-1], 400)
        theory = large_size.output_density(f - bias, lambda_)
    else:
        # The points are as far as a Gaussian has them, or else at the margin.
        scale = run.parameters["sigma"] * norm
        f = np.linspace(edges[0], bias - scale * float(mean_margin(lambda_)), 400)
        theory = normal_density((bias - f) / scale) / scale
    builder.add(_DENSITY, "large_size", "theory", f, theory, shown)


def _tabulate_ratio(builder: TableBuilder, run: RunResult, separability: RunResult) -> None:
    """Add ‖S‖/|b| of the first realization against the step, and its limit if separable."""
    history = _first_realization(run)
    history = history[history["step"] > 0]
    shown = {"lambda": run.parameters["lambda"]}
    ratio = history["weight_norm"] / history["bias"].abs()
    builder.add(_RATIO, "ratio", "experiment", history["step"], ratio, shown, n=1)
    first = separability.only([0]).scalars.iloc[0]
    if first["separable"]:
        ends = [history["step"].min(), history["step"].max()]
        builder.add(_RATIO, "margin", "experiment", ends, first["margin"], shown, n=1)


def _first_realization(run: RunResult) -> pd.DataFrame:
    return run.only([0]).history.sort_values("step")


def draw(table: pd.DataFrame) -> Figure:
    """Draw a histogram for each λ, and the paths with their inset."""
    colours = style.colours_of(table["lambda"])
    n = len(colours)
    layout = {"height": 2.2, "width_ratios": [1.0] * n + [1.35]}
    figure, axes = style.new_panels(1, n + 1, **layout)
    for each, (lambda_, colour) in zip(axes, colours.items(), strict=False):
        _draw_outputs(each, rows(table, _DENSITY, lambda_=lambda_), lambda_, colour)
    axes[0].set_ylabel("density over the training set")
    _draw_paths(axes[-1], table, colours)
    _draw_inset(axes[-1].inset_axes([0.15, 0.6, 0.36, 0.36]), rows(table, _RATIO), colours)
    return figure


def _draw_outputs(axes: Axes, table: pd.DataFrame, lambda_: float, colour: str) -> None:
    outputs = rows(table, series="outputs")
    width = outputs["x"].diff().median()
    axes.bar(outputs["x"], outputs["y"], width=width, color=colour, alpha=0.55, linewidth=0)
    label = r"$N\to\infty$" if lambda_ < CRITICAL else r"$N\to\infty$, beyond the margin"
    draw_lines(axes, table, _DENSITY, "large_size", label=label, **style.THEORY_LINE)
    positive = rows(table, series="positive").iloc[0]
    label = rf"$f=b$: $S\cdot x_i=0$, {positive['y']:.0%} beyond"
    axes.axvline(positive["x"], label=label, **style.REFERENCE)
    axes.set(xlabel=r"output $f(x_i)$", ylim=(0, 1.3 * outputs["y"].max()))
    axes.set_title(style.label("lambda", lambda_), color=colour)
    legends.add(axes, loc="upper left")


def _draw_paths(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    paths = rows(table, _PATH)
    paths = paths[paths["x"] > 0]
    for lambda_, path in rows(paths, series="with_bias").groupby("lambda"):
        look = {"color": colours[lambda_], "linewidth": 3.0, "alpha": 0.6}
        label = f"{style.label('lambda', lambda_)}, with bias"
        axes.plot(path["x"], path["y"], label=label, **look)
    for _, path in rows(paths, series="without_bias").groupby("lambda"):
        look = {"linestyle": "--", "zorder": 4, **style.THEORY_LINE}
        (last,) = axes.plot(path["x"], path["y"], **look)
    last.set_label("no bias")
    axes.set(xscale="log", xlabel=r"conformal time $\tau$ (steps)")
    axes.set(yscale="log", ylabel=r"$\|S\|$")
    axes.set_xlim(1.0, paths["x"].max() * 1.2)
    legends.add(axes, loc="lower right")


def _draw_inset(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    at_right = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "top", "fontsize": 7}
    below = {"xytext": (0, -3), "textcoords": "offset points"}
    for lambda_, curves in table.groupby("lambda"):
        ratio, margin = rows(curves, series="ratio"), rows(curves, series="margin")
        axes.plot(ratio["x"], ratio["y"], color=colours[lambda_])
        axes.plot(margin["x"], margin["y"], color="black", **style.LIMIT_LINE)
        for m in margin["y"].iloc[:1]:
            axes.annotate(f"$M={m:.3f}$", (0.98, m), **at_right, **below)
    axes.set(xscale="log", yscale="log", xlim=(1.0, max(table["x"].max(), 10.0)))
    axes.xaxis.set_major_locator(LogLocator(numticks=3))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0.4 * table["y"].min())
    axes.set_xlabel("step $t$", fontsize=8, labelpad=1)
    axes.set_ylabel(r"$\|S\|/|b|$", fontsize=8, labelpad=1)
    axes.tick_params(labelsize=7)
