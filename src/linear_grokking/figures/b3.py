"""Fig. B3."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullLocator
from numpy.typing import ArrayLike
from pydantic import Field
from scipy.special import ndtri

from linear_grokking.config.fields import Axis, NonNegative, Positive, Probability, Span
from linear_grokking.figures import legends, style
from linear_grokking.figures.maps import tabulate_map
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows, time_label
from linear_grokking.figures.two_point_panels import TwoPointOptions, distance_label, lambda_at
from linear_grokking.theory.margin import log_law_slopes
from linear_grokking.theory.two_point_times import log_time_to_gen_accuracy

TITLE = "The two-point model: geometry, and time to 95 % accuracy over (σ, 1−2λ) (Paper B, Fig. 3)"
_SIGMA_LIMIT = 1e6
"""A σ beyond which S is at S_∞ from the start, as far as double precision can tell."""

_TEN = np.log(10.0)
_PLANE = 1.9
"""Edge of the (S, b) plane that is shown."""
_CONTOUR_STEP = 2.0
"""Decades of time between contours."""
_HIGHEST = 0.3
"""Largest 1-2λ at which a contour is labelled: above, the label would leave the panel."""
_INNER = 15
"""Number of distances from -min |1-2λ| to +min |1-2λ|, where the axis is linear; one is 0."""
_DASHED = {"linewidth": 1.2, "linestyle": "--"}
_EDGES = ((1, style.BLUE), (2, style.VERMILION))
"""Constraints and their colours."""
_STAR = {"marker": "*", "color": style.THEORY, "markersize": 7, "linestyle": ""}
_RING = {"marker": "o", "color": style.THEORY, "markersize": 8, "markerfacecolor": "none"}
_RING |= {"linestyle": ""}
_SHADE: Mapping[str, Any] = {"alpha": 0.18, "linewidth": 0}
_DECADE = FuncFormatter(lambda power, _: rf"$10^{{{power:g}}}$")


class Options(TwoPointOptions):
    """What Fig. B3 is drawn from."""

    geometry: tuple[Probability, ...] = Field(
        min_length=3, max_length=3, description="λ of the panels of the (S, b) plane, at σ = 1."
    )
    sigma: Span = Field(description="Range of σ of the map and its cut, log-spaced.")
    distance: Span = Field(
        description="Range of |1-2λ| of the map and its cut, log-spaced on either side of 0."
    )
    sigma_cut: Axis[NonNegative] = Field(
        description="Values of 1-2λ whose time is drawn against σ."
    )
    distance_cut: Axis[Positive] = Field(
        description="Values of σ whose time is drawn against 1-2λ."
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
    sigma, above_zero = options.sigma.log(), options.distance.log()
    inner = np.linspace(-1.0, 1.0, _INNER)[1:-1] * above_zero[0]
    distance = np.concatenate([-above_zero[::-1], inner, above_zero])

    def log_time(distance: ArrayLike, sigma: ArrayLike, **others: float) -> np.ndarray:
        problem = replace(options.problem(distance, sigma), **others)
        return log_time_to_gen_accuracy(data.threshold, problem)

    times = log_time(distance[:, np.newaxis], sigma)
    tabulate_map(builder, "sigma_distance", sigma, distance, times, series="t95")
    # The limiting accuracy Φ(1/(σM)), M = σ(2λ-1), equals the threshold.
    edge = -1.0 / (ndtri(data.threshold) * sigma**2)
    inside = edge >= -options.distance.stop
    builder.add("sigma_distance_edge", "edge", "theory", sigma[inside], edge[inside])

    for value in options.sigma_cut:
        shown = {"lambda": lambda_at(value)}
        builder.add("sigma_cut", "t95", "theory", sigma, log_time(value, sigma), shown)
    for value in options.distance_cut:
        times, shown = log_time(above_zero, value), {"sigma": value}
        builder.add("distance_cut", "t95", "theory", above_zero, times, shown)
    settled = log_time(above_zero, _SIGMA_LIMIT, s0=0.0)
    builder.add("distance_cut", "settled", "theory", above_zero, settled)
    return builder.frame()


def _tabulate_geometry(builder: TableBuilder, lambda_: float) -> None:
    """Add the problem min S²+b² subject to S x_i + b ≤ -1: constraints' edges and optimum."""
    shown = {"lambda": lambda_}
    plane = np.array([-_PLANE, _PLANE])
    for number, x in enumerate((-1.0, 1.0 - 2.0 * lambda_), start=1):
        edge = -1.0 - plane * x
        builder.add("geometry", f"constraint_{number}", "theory", plane, edge, shown)
    weight, bias = log_law_slopes(max(2.0 * lambda_ - 1.0, 0.0))
    builder.add("geometry", "optimum", "theory", weight, bias, shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw the geometry above, the map and its cuts below."""
    figure, (planes, panels) = style.new_panels(2, 3, height=5.0)
    problems = rows(table, "geometry").groupby("lambda")
    for each, (lambda_, problem) in zip(planes, problems, strict=True):
        _draw_geometry(each, problem, lambda_)
    handles = []
    for number, colour in _EDGES:
        handles.append(legends.line(rf"$S x_{number} + b = -1$", color=colour))
        handles.append(Patch(label=rf"$S x_{number} + b \leq -1$", color=colour, **_SHADE))
    handles.append(legends.line("minimum-norm solution", **_STAR))
    handles.append(legends.line("same norm", **style.GUIDE))
    handles.append(legends.line("generalizing direction (0, −1)", **_RING))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    _draw_map(figure, panels[0], table)
    _draw_cuts(panels[1], panels[2], table)
    return figure


def _draw_geometry(axes: Axes, table: pd.DataFrame, lambda_: float) -> None:
    """Draw a hard-margin problem: its constraints, then its solutions."""
    for number, colour in _EDGES:
        (edge,) = draw_lines(axes, table, "geometry", f"constraint_{number}", color=colour)
        # What a constraint allows lies below its edge; both are met where the shades overlap.
        s, b = edge.get_data()
        axes.fill_between(s, b, -_PLANE, color=colour, **_SHADE)
    weight, bias = rows(table, series="optimum")[["x", "y"]].to_numpy()[0]
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    radius = np.hypot(weight, bias)
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), **style.GUIDE)
    axes.plot(weight, bias, **_STAR)
    axes.plot(0.0, -1.0, **_RING)
    arrow = {"arrowstyle": "->", "color": style.THEORY, "linewidth": 0.8}
    axes.annotate("", (weight, bias), (0, 0), arrowprops=arrow)
    axis = {"color": style.PAPER, "linewidth": 0.5, "zorder": 0}
    axes.axhline(0.0, **axis)
    axes.axvline(0.0, **axis)
    axes.set(xlim=(-_PLANE, _PLANE), ylim=(-_PLANE, _PLANE), aspect="equal")
    axes.set(xlabel="$S$", ylabel="$b$", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    sign = "=" if lambda_ == 0.5 else (">" if lambda_ < 0.5 else "<")
    what = "not separable" if lambda_ <= 0.5 else "separable"
    axes.set_title(rf"$x_2 {sign} 0$: {what}", loc="right")


def _draw_map(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    """Draw the times as colours, with contours."""
    cells = rows(table, "sigma_distance").pivot(index="y", columns="x", values="z")
    sigma, distance = cells.columns.to_numpy(), cells.index.to_numpy()
    z = np.ma.masked_invalid(cells.to_numpy()) / _TEN
    top = np.ceil(z[distance >= 0].max() / _CONTOUR_STEP) * _CONTOUR_STEP
    axes.set(xscale="log", xlabel=style.SYMBOLS["sigma"], ylabel=r"$1-2\lambda$")
    # Linear up to the distance from which on the spacing of the cells grows.
    linear = rows(table, "distance_cut")["x"].min()
    axes.set_yscale("symlog", linthresh=linear, linscale=0.5)
    powers = 10.0 ** np.arange(0, np.log10(linear) - 0.1, -2)
    axes.set_yticks([*-powers, 0, *powers])
    axes.set_facecolor(style.UNREACHED)
    colours = {"cmap": style.SEQUENTIAL, "vmin": 0.0, "vmax": top, "rasterized": True}
    mesh = axes.pcolormesh(sigma, distance, z, shading="nearest", **colours)
    levels = np.arange(_CONTOUR_STEP, top, _CONTOUR_STEP)
    lines = axes.contour(sigma, distance, z, levels, colors="white", linewidths=0.8)
    places = _places(z, cells, levels)
    axes.clabel(lines, fmt=_DECADE, fontsize=6.5, inline_spacing=2, manual=places)
    threshold = table.attrs["threshold"]
    look = {**_DASHED, "color": style.VERMILION, "label": rf"$A_\mathrm{{gen}}\to {threshold:g}$"}
    edge = draw_lines(axes, table, "sigma_distance_edge", "edge", **look)
    axes.axhline(0.0, **{**style.GUIDE, "color": "white"})
    axes.text(0.8, 0.22, "never", transform=axes.transAxes, ha="center", va="center")
    legends.add(axes, edge, loc="lower right")
    figure.colorbar(mesh, ax=axes, extend="max", format=_DECADE, fraction=0.06, pad=0.02)
    axes.set_title(f"time to {percent(table)} (steps)", loc="right")


def _places(z: np.ndarray, cells: pd.DataFrame, levels: np.ndarray) -> list[tuple[float, float]]:
    """Return where contours are labelled: on one column, or where they come close to λ = ½."""
    sigma, distance = cells.columns.to_numpy(), cells.index.to_numpy()
    column, critical = len(sigma) * 4 // 5, int(np.argmin(np.abs(distance)))
    found = []
    for level in levels:
        above = np.flatnonzero((distance >= 0) & (z[:, column] >= level))
        if len(above) and distance[above[-1]] < _HIGHEST:
            found.append((sigma[column], distance[above[-1]]))
        else:
            found.append((sigma[np.argmax(z[critical] >= level)], distance[critical]))
    return found


def _draw_cuts(at_distance: Axes, at_sigma: Axes, table: pd.DataFrame) -> None:
    """Draw the times against σ at some distances, and against the distance at some σ."""
    cuts = rows(table, "sigma_cut")
    colours = style.colours_of(cuts.loc[cuts["lambda"] < CRITICAL, "lambda"])
    for lambda_, cut in cuts.groupby("lambda"):
        colour = colours.get(lambda_, style.THEORY)
        label = distance_label(lambda_)
        at_distance.plot(cut["x"], cut["y"] / _TEN, color=colour, label=label)
    at_distance.set_title(r"fixed $1-2\lambda$")
    at_distance.set_xlabel(style.SYMBOLS["sigma"])

    cuts = rows(table, "distance_cut", "t95")
    colours = style.colours_of(cuts["sigma"])
    for sigma, cut in cuts.groupby("sigma"):
        label = style.label("sigma", sigma)
        at_sigma.plot(cut["x"], cut["y"] / _TEN, color=colours[sigma], label=label)
    settled = rows(table, "distance_cut", "settled")
    limit = {**_DASHED, "color": style.THEORY, "label": r"$\sigma\to\infty$"}
    at_sigma.plot(settled["x"], settled["y"] / _TEN, **limit)
    at_sigma.set_title(r"fixed $\sigma$")
    at_sigma.set_xlabel(r"$1-2\lambda$")
    for axes, place in ((at_distance, "upper left"), (at_sigma, "upper right")):
        axes.set(xscale="log", ylabel=time_label(table), ylim=(0.0, None))
        axes.yaxis.set_major_locator(MultipleLocator(2.0))
        axes.yaxis.set_major_formatter(_DECADE)
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        legends.add(axes, loc=place)
