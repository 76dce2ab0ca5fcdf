"""Fig. B2."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field
from scipy.special import ndtr

from linear_grokking.config.fields import Count
from linear_grokking.config.figure_options import (
    FigureOptions,
    LogisticRuns,
    OutputRuns,
    SeparabilityRuns,
)
from linear_grokking.figures import legends, style
from linear_grokking.figures.logistic_panels import check_partners, check_same_lambda, pair_runs
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.ranges import finite_ends
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


def check(data: FigureData) -> None:
    """See `registry`."""
    check_partners(data, ["outputs"], "dynamics")
    check_partners(data, ["with_bias"], "separability")
    check_same_lambda(data, "with_bias", "without_bias")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: densities of f, ‖S‖ against conformal time, and ‖S‖/|b|.

    Panel ``output_density`` holds the density of f (x) over all realizations.  Its series
    ``large_size`` is the large-size density at the same bias: below λ = ½ that of S_∞; above, that
    of the points beyond the hard margin at the same ‖S‖, while the remaining share,
    ``margin_share`` (y), lies at a single f (x).  Series ``positive`` has as x the bias b, where
    S·x = 0, and as y the fraction of points with S·x > 0.  Panel ``conformal_path`` holds ‖S‖
    against τ, as series ``with_bias`` and ``without_bias``.  Panel ``norm_ratio`` holds ‖S‖/|b|
    against the step, and its limits: the margin M of the set (``margin``) and that of large sets
    (``large_size_margin``).
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
        # Points beyond the margin keep their Gaussian density; all others lie at the margin.
        scale, margin = run.parameters["sigma"] * norm, float(mean_margin(lambda_))
        at_margin = bias - scale * margin
        f = np.linspace(edges[0], at_margin, 400)
        theory = normal_density((bias - f) / scale) / scale
        share = float(ndtr(margin))
        builder.add(_DENSITY, "margin_share", "theory", at_margin, share, shown)
    builder.add(_DENSITY, "large_size", "theory", f, theory, shown)


def _tabulate_ratio(builder: TableBuilder, run: RunResult, separability: RunResult) -> None:
    """Add ‖S‖/|b| of the first realization against the step, and its limit if separable."""
    history = _first_realization(run)
    history = history[history["step"] > 0]
    shown = {"lambda": run.parameters["lambda"]}
    ratio = history["weight_norm"] / history["bias"].abs()
    builder.add(_RATIO, "ratio", "experiment", history["step"], ratio, shown, n=1)
    ends = [history["step"].min(), history["step"].max()]
    large = run.parameters["sigma"] * float(mean_margin(run.parameters["lambda"]))
    builder.add(_RATIO, "large_size_margin", "theory", ends, large, shown)
    first = separability.only([0]).scalars.iloc[0]
    if first["separable"]:
        builder.add(_RATIO, "margin", "experiment", ends, first["margin"], shown, n=1)


def _first_realization(run: RunResult) -> pd.DataFrame:
    return run.only([0]).history.sort_values("step")


def draw(table: pd.DataFrame) -> Figure:
    """Draw a histogram for each λ, and below them the paths and the ratio."""
    colours = style.colours_of(table["lambda"])
    figure = style.new_figure(4.3)
    above, below = figure.add_gridspec(2, 1)
    upper = above.subgridspec(1, len(colours)).subplots(squeeze=False)[0]
    paths, ratio = below.subgridspec(1, 2).subplots(squeeze=False)[0]
    style.letter([*upper, paths, ratio])
    for each, (lambda_, colour) in zip(upper, colours.items(), strict=True):
        _draw_outputs(each, rows(table, _DENSITY, lambda_=lambda_), lambda_, colour)
    upper[0].set_ylabel("density")
    _draw_paths(paths, table, colours)
    _draw_ratio(ratio, rows(table, _RATIO), colours)
    handles = [
        legends.line(r"$N\to\infty$ (arrow: share at a single value)", **style.THEORY_LINE),
        legends.line(r"$f=b$, i.e., $S\cdot x_i=0$", **style.REFERENCE),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_outputs(axes: Axes, table: pd.DataFrame, lambda_: float, colour: str) -> None:
    outputs = rows(table, series="outputs")
    width = outputs["x"].diff().median()
    axes.bar(outputs["x"], outputs["y"], width=width, color=colour, alpha=0.55, linewidth=0)
    draw_lines(axes, table, _DENSITY, "large_size")
    positive = rows(table, series="positive").iloc[0]
    axes.axvline(positive["x"], **style.REFERENCE)
    top = 1.25 * max(outputs["y"].max(), rows(table, series="large_size")["y"].max())
    axes.set(xlabel=r"output $f(x_i)$", ylim=(0, top))
    axes.set_title(style.label("lambda", lambda_), color=colour)
    lines = [f"{100 * positive['y']:.0f} % have $S\\cdot x_i>0$"]
    for x, share in rows(table, series="margin_share")[["x", "y"]].to_numpy():
        arrow = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
        arrow |= {"linewidth": 0.8, "color": style.THEORY}
        axes.annotate("", (x, 0.88 * top), (x, 0), arrowprops=arrow)
        lines.append(f"$N\\to\\infty$: {100 * share:.0f} % at the margin")
    place = {"transform": axes.transAxes, "va": "top", "fontsize": 6.5}
    axes.text(0.03, 0.97, "\n".join(lines), **place)


def _draw_paths(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    paths = rows(table, _PATH)
    paths = paths[paths["x"] > 0]
    handles = []
    for lambda_, path in rows(paths, series="with_bias").groupby("lambda"):
        look = {**style.STRIPE, "color": colours[lambda_]}
        axes.plot(path["x"], path["y"], **look)
        handles.append(legends.line(style.label("lambda", lambda_), color=colours[lambda_]))
    thin = {"linestyle": style.TRAIN_LINE, "linewidth": 1.0}
    for lambda_, path in rows(paths, series="without_bias").groupby("lambda"):
        axes.plot(path["x"], path["y"], color=colours[lambda_], zorder=4, **thin)
    handles.append(legends.line("with bias", **{**style.STRIPE, "color": legends.GREY}))
    handles.append(legends.line("without bias", color=legends.GREY, **thin))
    axes.set(xscale="log", xlabel=r"conformal time $\tau$ (steps)")
    axes.set(yscale="log", ylabel=r"$\|S\|$")
    # Above ½ the path with bias goes on forever, beyond the end of the one without.
    axes.set_xlim(1.0, rows(paths, series="without_bias")["x"].max() * 1.2)
    inside = paths[paths["x"] <= axes.get_xlim()[1]]["y"]
    axes.set_ylim(inside.min() / 1.5, inside.max() * 2)
    legends.add(axes, handles, loc="upper left")


def _draw_ratio(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    for lambda_, curves in table.groupby("lambda"):
        ratio, margin = rows(curves, series="ratio"), rows(curves, series="margin")
        axes.plot(ratio["x"], ratio["y"], color=colours[lambda_])
        axes.plot(margin["x"], margin["y"], color=colours[lambda_], **style.LIMIT_LINE)
        large = rows(curves, series="large_size_margin")
        axes.plot(large["x"], large["y"], **style.LARGE_SIZE_LIMIT)
    handles = [
        *(
            legends.line(style.label("lambda", x), color=colours[x])
            for x in table["lambda"].unique()
        ),
        legends.line("margin $M$ of this set", color=legends.GREY, **style.LIMIT_LINE),
        legends.line(r"margin $M$, $N\to\infty$", **style.LARGE_SIZE_LIMIT),
    ]
    axes.set(xscale="log", yscale="log", xlim=finite_ends(1.0, max(table["x"].max(), 10.0)))
    axes.set(xlabel="step $t$", ylabel=r"$\|S\|/|b|$")
    style.tick_plainly(axes.yaxis)
    legends.add(axes, handles, loc="upper right")
