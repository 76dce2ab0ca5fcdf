"""Outputs after training, and S against conformal time (Paper B, Fig. 2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from pydantic import Field

from linear_grokking.config.fields import Count
from linear_grokking.config.figures import (
    FigureOptions,
    LogisticRuns,
    OutputRuns,
    SeparabilityRuns,
)
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters
from linear_grokking.figures.logistic_panels import pair_runs
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.theory import large_size
from linear_grokking.theory.margin import mean_margin

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
            _tabulate_path(builder, run, role)
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
    rows = run.rows("outputs")
    realizations = rows["realization"].unique()
    density, edges = np.histogram(rows["output"], bins=bins, density=True)
    centres = 0.5 * (edges[1:] + edges[:-1])
    shown = {"lambda": lambda_}
    builder.add(
        _DENSITY, "outputs", "experiment", centres, density, n=len(realizations), parameters=shown
    )
    history = dynamics.rows()
    last = history[history["step"] == history["step"].max()].set_index("realization")
    last = last.loc[realizations]
    positive = (rows["output"] > rows["realization"].map(last["bias"])).mean()
    bias, norm = float(last["bias"].median()), float(last["weight_norm"].median())
    builder.add(
        _DENSITY, "positive", "experiment", bias, positive, n=len(realizations), parameters=shown
    )
    if lambda_ < CRITICAL:
        f = np.linspace(edges[0], edges[-1], 400)
        theory = large_size.output_density(f - bias, lambda_)
    else:
        # The points are as far as a Gaussian has them, or else at the margin.
        scale = run.parameters["sigma"] * norm
        f = np.linspace(edges[0], bias - scale * float(mean_margin(lambda_)), 400)
        theory = np.exp(-0.5 * ((bias - f) / scale) ** 2) / (np.sqrt(2.0 * np.pi) * scale)
    builder.add(_DENSITY, "large_size", "theory", f, theory, parameters=shown)


def _tabulate_path(builder: TableBuilder, run: RunResult, series: str) -> None:
    """Add ‖S‖ against conformal time of the first realization."""
    history = _first_realization(run)
    builder.add(
        _PATH,
        series,
        "experiment",
        history["conformal_time"],
        history["weight_norm"],
        n=1,
        parameters={"lambda": run.parameters["lambda"]},
    )


def _tabulate_ratio(builder: TableBuilder, run: RunResult, separability: RunResult) -> None:
    """Add ‖S‖/|b| of the first realization against the step, and its limit if separable."""
    history = _first_realization(run)
    history = history[history["step"] > 0]
    shown = {"lambda": run.parameters["lambda"]}
    ratio = history["weight_norm"] / history["bias"].abs()
    builder.add(_RATIO, "ratio", "experiment", history["step"], ratio, n=1, parameters=shown)
    sets = separability.rows("separability")
    first = sets[sets["realization"] == 0].iloc[0]
    if first["separable"]:
        ends = [history["step"].min(), history["step"].max()]
        margin = np.full(2, first["margin"])
        builder.add(_RATIO, "margin", "experiment", ends, margin, n=1, parameters=shown)


def _first_realization(run: RunResult) -> pd.DataFrame:
    history = run.rows()
    return history[history["realization"] == 0].sort_values("step")


def draw(table: pd.DataFrame) -> Figure:
    """Draw a histogram for each λ, and the paths with their inset."""
    lambdas = sorted(table["lambda"].unique())
    colours = style.colours(lambdas)
    figure = style.new_figure(len(lambdas) + 1.35, 1.15)
    axes = figure.subplots(1, len(lambdas) + 1, width_ratios=[1.0] * len(lambdas) + [1.35])
    for each, lambda_ in zip(axes, lambdas, strict=False):
        rows = table[(table["lambda"] == lambda_) & (table["panel"] == _DENSITY)]
        _draw_outputs(each, rows, lambda_, colours[lambda_])
        each.set_title(style.label("lambda", lambda_), color=colours[lambda_])
    axes[0].set_ylabel("density over the training set")
    _draw_paths(axes[-1], table, colours)
    panel_letters(axes)
    return figure


def _draw_outputs(axes: Axes, rows: pd.DataFrame, lambda_: float, colour: str) -> None:
    outputs = rows[rows["series"] == "outputs"]
    width = outputs["x"].diff().median()
    axes.bar(outputs["x"], outputs["y"], width=width, color=colour, alpha=0.55, linewidth=0)
    theory = rows[rows["series"] == "large_size"]
    label = r"$N\to\infty$" if lambda_ < CRITICAL else r"$N\to\infty$, beyond the margin"
    axes.plot(theory["x"], theory["y"], color=style.THEORY, linewidth=0.9, label=label)
    positive = rows[rows["series"] == "positive"].iloc[0]
    label = rf"$f=b$: $S\cdot x_i=0$, {positive['y']:.0%} beyond"
    axes.axvline(positive["x"], color=style.PAPER, linestyle="--", linewidth=0.9, label=label)
    axes.set_xlabel(r"output $f(x_i)$")
    axes.set_ylim(0, 1.3 * outputs["y"].max())
    axes.legend(loc="upper left").set_in_layout(False)


def _draw_paths(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    paths = table[(table["panel"] == _PATH) & (table["x"] > 0)]
    for (lambda_, series), path in paths.groupby(["lambda", "series"]):
        if series == "with_bias":
            axes.plot(path["x"], path["y"], color=colours[lambda_], linewidth=3.0, alpha=0.6)
        else:
            axes.plot(path["x"], path["y"], color="black", linestyle="--", linewidth=0.9, zorder=4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1.0, paths["x"].max() * 1.2)
    axes.set_xlabel(r"conformal time $\tau$ (steps)")
    axes.set_ylabel(r"$\|S\|$")
    handles = [
        Line2D([], [], color=colours[lambda_], linewidth=3.0, alpha=0.6, label=label)
        for lambda_, label in _path_labels(sorted(colours))
    ]
    handles.append(Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="no bias"))
    axes.legend(handles=handles, loc="lower right").set_in_layout(False)
    _draw_inset(axes.inset_axes([0.15, 0.6, 0.36, 0.36]), table, colours)


def _path_labels(lambdas: Sequence[float]) -> list[tuple[float, str]]:
    return [(lambda_, f"{style.label('lambda', lambda_)}, with bias") for lambda_ in lambdas]


def _draw_inset(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    rows = table[table["panel"] == _RATIO]
    for lambda_, curves in rows.groupby("lambda"):
        ratio = curves[curves["series"] == "ratio"]
        axes.plot(ratio["x"], ratio["y"], color=colours[lambda_])
        margin = curves[curves["series"] == "margin"]
        axes.plot(margin["x"], margin["y"], color="black", linestyle=style.LIMIT_LINE)
        for m in margin["y"].iloc[:1]:
            axes.annotate(
                f"$M={m:.3f}$",
                (0.98, m),
                xycoords=("axes fraction", "data"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=7,
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1.0, max(rows["x"].max(), 10.0))
    axes.xaxis.set_major_locator(LogLocator(numticks=3))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0.4 * rows["y"].min())
    axes.set_xlabel("step $t$", fontsize=8, labelpad=1)
    axes.set_ylabel(r"$\|S\|/|b|$", fontsize=8, labelpad=1)
    axes.tick_params(labelsize=7)
