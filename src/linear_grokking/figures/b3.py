"""The two-point model: geometry, and the time of 95 % over (σ, 1-2λ) (Paper B, Fig. 3)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field
from scipy.special import ndtri

from linear_grokking.config.fields import NonNegative, Positive, Probability, Span
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.figures.two_point_panels import (
    TwoPointOptions,
    distance_label,
    lambda_at,
)
from linear_grokking.models.two_point import points
from linear_grokking.theory.margin import log_law_slopes
from linear_grokking.theory.two_point_times import log_time_map, log_time_to_gen_accuracy

_SIGMA_LIMIT = 1e6
"""A σ beyond which S is at S_∞ from the start, as far as double precision can tell."""

_PLANE, _BOTTOM, _TOP = 1.9, -1.9, 1.9
"""Edges of the (S, b) plane that is shown."""
_CONTOUR_STEP = 5.0


class Options(TwoPointOptions):
    """What Fig. B3 is drawn from."""

    geometry: tuple[Probability, ...] = Field(
        min_length=3, max_length=3, description="λ of the panels of the (S, b) plane, at σ = 1."
    )
    sigma: Span = Field(description="Range of σ of the map and its cut, log-spaced.")
    distance: Span = Field(
        description="Range of |1-2λ| of the map and its cut, log-spaced on either side of 0."
    )
    sigma_cut: tuple[NonNegative, ...] = Field(
        min_length=1, description="Values of 1-2λ whose time is drawn against σ."
    )
    distance_cut: tuple[Positive, ...] = Field(
        min_length=1, description="Values of σ whose time is drawn against 1-2λ."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: hard-margin problems, the map, and its cuts.

    Panel ``geometry`` has x = S, y = b.  Times are natural logarithms of steps: z of the
    map, null where the accuracy never reaches its threshold, and y of the panels
    ``sigma_cut`` and ``distance_cut``.
    """
    builder = TableBuilder()
    for lambda_ in options.geometry:
        _tabulate_geometry(builder, lambda_)
    sigma = np.geomspace(options.sigma.start, options.sigma.stop, options.sigma.points)
    span = options.distance
    above_zero = np.geomspace(span.start, span.stop, span.points)
    distance = np.concatenate([-above_zero[::-1], [0.0], above_zero])
    log_time = log_time_map(sigma, distance, accuracy=data.threshold, **options.flow())
    x, y = np.meshgrid(sigma, distance, indexing="ij")
    reached = np.where(np.isposinf(log_time), np.nan, log_time)
    builder.add("sigma_distance", "t95", "theory", x.ravel(), y.ravel(), z=reached.ravel())
    # The limiting accuracy Φ(1/(σM)), M = σ(2λ-1), equals the threshold.
    edge = -1.0 / (ndtri(data.threshold) * sigma**2)
    inside = edge >= -span.stop
    builder.add("sigma_distance_edge", "edge", "theory", sigma[inside], edge[inside])

    def add_cut(panel: str, series: str, x: np.ndarray, sigma, distance, key: str) -> None:
        start = {**options.flow(), "s0": 0.0} if series == "settled" else options.flow()
        lambda_ = lambda_at(distance)
        log_time = log_time_to_gen_accuracy(data.threshold, lambda_, sigma, **start)
        given = {"lambda": lambda_, "sigma": sigma}
        shown = {key: given[key]} if key in given else {}
        builder.add(panel, series, "theory", x, log_time, parameters=shown)

    for value in options.sigma_cut:
        add_cut("sigma_cut", "t95", sigma, sigma, value, "lambda")
    for value in options.distance_cut:
        add_cut("distance_cut", "t95", above_zero, value, above_zero, "sigma")
    add_cut("distance_cut", "settled", above_zero, _SIGMA_LIMIT, above_zero, "")
    return builder.frame()


def _tabulate_geometry(builder: TableBuilder, lambda_: float) -> None:
    """Add min S²+b² subject to S x_i + b ≤ -1: both constraints' edges, and the optimum."""
    shown = {"lambda": lambda_}
    plane = np.array([-_PLANE, _PLANE])
    for number, x in enumerate(points(lambda_, 1.0), start=1):
        builder.add(
            "geometry", f"constraint_{number}", "theory", plane, -1.0 - plane * x, parameters=shown
        )
    weight, bias = log_law_slopes(max(2.0 * lambda_ - 1.0, 0.0))
    builder.add("geometry", "optimum", "theory", weight, bias, parameters=shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw the geometry above, the map and its cuts below."""
    figure = style.new_figure(3, 2.1)
    axes = figure.subplots(2, 3)
    geometry = table[table["panel"] == "geometry"]
    for each, (lambda_, rows) in zip(axes[0], geometry.groupby("lambda"), strict=True):
        constraints, solutions = _draw_geometry(each, rows, lambda_)
    for each, handles in zip(axes[0], (constraints, solutions), strict=False):
        each.legend(handles=handles, loc="upper center", markerscale=0.7).set_in_layout(False)
    _draw_map(figure, axes[1, 0], table)
    _draw_sigma_cut(axes[1, 1], table)
    _draw_distance_cut(axes[1, 2], table)
    panel_letters(axes.ravel())
    return figure


def _draw_geometry(
    axes: Axes, rows: pd.DataFrame, lambda_: float
) -> tuple[list[Line2D], list[Line2D]]:
    """Draw a hard-margin problem; return the lines of its constraints and of its solutions."""
    constraints = []
    for series, colour in (("constraint_1", style.BLUE), ("constraint_2", style.ORANGE)):
        edge = rows[rows["series"] == series]
        label = rf"$S x_{series[-1]} + b = -1$"
        constraints += axes.plot(edge["x"], edge["y"], color=colour, label=label)
    s = np.linspace(-_PLANE, _PLANE, 3)
    allowed = np.min([np.interp(s, *line.get_data()) for line in constraints], axis=0)
    axes.fill_between(s, allowed, _BOTTOM, color=style.GREEN, alpha=0.15, linewidth=0)
    weight, bias = rows.loc[rows["series"] == "optimum", ["x", "y"]].to_numpy()[0]
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    radius = np.hypot(weight, bias)
    circle = {"color": style.PAPER, "linewidth": 0.8, "linestyle": ":"}
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), **circle)
    star = {"marker": "*", "color": style.VERMILION, "markersize": 12, "markeredgecolor": "black"}
    ring = {"marker": "o", "color": "black", "markersize": 11, "markerfacecolor": "none"}
    optimum = axes.plot(weight, bias, linestyle="", label="smallest norm", **star)
    generalizing = axes.plot(0.0, -1.0, linestyle="", label="generalizing, (0, −1)", **ring)
    axes.annotate(
        "", (weight, bias), (0, 0), arrowprops={"arrowstyle": "->", "color": style.VERMILION}
    )
    axes.axhline(0.0, color=style.PAPER, linewidth=0.5, zorder=0)
    axes.axvline(0.0, color=style.PAPER, linewidth=0.5, zorder=0)
    axes.set(xlim=(-_PLANE, _PLANE), ylim=(_BOTTOM, _TOP), aspect="equal")
    axes.set(xlabel="$S$", ylabel="$b$")
    sign = "=" if lambda_ == 0.5 else (">" if lambda_ < 0.5 else "<")
    what = "not separable" if lambda_ <= 0.5 else "separable"
    axes.set_title(rf"$x_2 {sign} 0$: {what}")
    return constraints, [*optimum, *generalizing]


def _draw_map(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    cells = table[table["panel"] == "sigma_distance"].pivot(index="y", columns="x", values="z")
    sigma, distance = cells.columns.to_numpy(), cells.index.to_numpy()
    z = np.ma.masked_invalid(cells.to_numpy())
    top = np.ceil(z[distance >= 0].max() / _CONTOUR_STEP) * _CONTOUR_STEP
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=distance[distance > 0].min(), linscale=0.5)
    axes.set_facecolor(style.UNREACHED)
    colours = {"cmap": style.SEQUENTIAL, "vmin": 0.0, "vmax": top, "rasterized": True}
    mesh = axes.pcolormesh(sigma, distance, z, shading="nearest", **colours)
    levels = np.arange(_CONTOUR_STEP, top, _CONTOUR_STEP)
    lines = axes.contour(sigma, distance, z, levels, colors="white", linewidths=0.8)
    # The last one is squeezed against the edge beyond which the time is infinite.
    axes.clabel(lines, levels[:-1], fmt="%g", fontsize=7)
    edge = {"color": style.VERMILION, "linewidth": 1.2, "linestyle": "--"}
    edge["label"] = r"$A_\mathrm{gen}\to 0.95$"
    handles = draw_lines(axes, table, "sigma_distance_edge", "edge", edge)
    axes.axhline(0.0, color="white", linewidth=0.8, linestyle=":")
    axes.text(0.8, 0.22, "never", transform=axes.transAxes, ha="center", va="center")
    axes.set(xlabel=style.SYMBOLS["sigma"], ylabel=r"$1-2\lambda$")
    axes.legend(handles=handles, loc="lower right").set_in_layout(False)
    label = r"$\ln t$ at which $A_\mathrm{gen}=0.95$"
    figure.colorbar(mesh, ax=axes, extend="both", label=label)


def _draw_sigma_cut(axes: Axes, table: pd.DataFrame) -> None:
    rows = table[table["panel"] == "sigma_cut"]
    values = sorted(rows["lambda"].unique())
    colours = style.colours([value for value in values if value < 0.5])
    for value, curve in rows.groupby("lambda"):
        colour = colours.get(value, style.THEORY)
        axes.plot(curve["x"], curve["y"], color=colour, label=distance_label(value))
    axes.set_xscale("log")
    axes.set_title(r"fixed $1-2\lambda$")
    axes.set(xlabel=style.SYMBOLS["sigma"], ylabel=r"$\ln t$ of 95 %")
    axes.set_ylim(0.0, None)
    axes.legend(loc="upper left").set_in_layout(False)


def _draw_distance_cut(axes: Axes, table: pd.DataFrame) -> None:
    rows = table[(table["panel"] == "distance_cut") & (table["series"] == "t95")]
    colours = style.colours(sorted(rows["sigma"].unique()))
    for value, curve in rows.groupby("sigma"):
        axes.plot(
            curve["x"], curve["y"], color=colours[value], label=style.label("sigma", int(value))
        )
    limit = {"color": style.THEORY, "linewidth": 1.2, "linestyle": "--"}
    limit["label"] = r"$\sigma\to\infty$"
    draw_lines(axes, table, "distance_cut", "settled", limit)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_title(r"fixed $\sigma$")
    axes.set(xlabel=r"$1-2\lambda$", ylabel=r"$\ln t$ of 95 %")
    axes.set_ylim(0.0, None)
    axes.legend(loc="upper left").set_in_layout(False)
