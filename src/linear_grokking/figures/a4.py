"""Fig. A4."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from pydantic import Field
from scipy.ndimage import binary_dilation

from linear_grokking.config.fields import NonNegative, Positive, Section, Span
from linear_grokking.config.figure_options import FigureOptions
from linear_grokking.figures import style
from linear_grokking.figures.linear_panels import TIME_LABEL, problem_of
from linear_grokking.figures.maps import draw_map, tabulate_map
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory.linear_grokking_time import grokking_time

TITLE = "Phase diagrams of the grokking time in one-layer linear regression (Paper A, Fig. 4)"
PANELS = {
    "gamma_d_out": ("gamma", "d_out"),
    "gamma_lambda": ("gamma", "lambda"),
    "d_out_lambda": ("d_out", "lambda"),
}
"""Panel → the parameters along x and y; the third one is fixed."""

SCALES = {"gamma": "log", "d_out": "log", "lambda": "linear"}
NARROW = 2.5
"""A diagram that spans fewer decades of time than this has contours between the decades too."""
LABEL_SIZE = 0.06
"""How far a contour's label reaches from its place, as a share of the panel."""


class Fixed(Section):
    """The value of each parameter in the diagram that does not vary it."""

    lambda_: Positive = Field(alias="lambda", description="λ of the (γ, d_out) diagram.")
    d_out: Positive = Field(description="d_out of the (γ, λ) diagram.")
    gamma: NonNegative = Field(description="γ of the (d_out, λ) diagram.")


class Options(FigureOptions):
    """What Fig. A4 is drawn from: formulas alone."""

    eta: Positive = Field(0.01, description="Learning rate η₀.")
    epsilon: Positive = Field(1.0e-3, description="Accuracy threshold ε.")
    gamma: Span = Field(description="Range of γ, log-spaced.")
    d_out: Span = Field(description="Range of d_out, log-spaced, not rounded.")
    lambda_: Span = Field(alias="lambda", description="Range of λ.")
    fixed: Fixed = Field(description="Values of the parameters that a diagram does not vary.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: the grokking time on three grids, null where it never comes."""
    ranges = {
        "gamma": options.gamma.log(),
        "d_out": options.d_out.log(),
        "lambda": options.lambda_.linear(),
    }
    builder = TableBuilder()
    for panel, (x, y) in PANELS.items():
        still = {
            k: v for k, v in options.fixed.model_dump(by_alias=True).items() if k not in (x, y)
        }
        grid = {x: ranges[x][np.newaxis, :], y: ranges[y][:, np.newaxis]}
        problem = problem_of({**still, **grid}, eta=options.eta)
        times = grokking_time(problem, options.epsilon, accuracy=data.threshold)
        tabulate_map(builder, panel, ranges[x], ranges[y], times, still)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw the three diagrams on one colour scale: red is short, blue long, hatched never."""
    figure, axes = style.new_panels(1, 3, height=2.5)
    low, high = table.loc[table["z"] > 0, "z"].quantile([0.005, 0.995])
    norm = LogNorm(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high)))
    for each, (panel, (x, y)) in zip(axes, PANELS.items(), strict=True):
        cells = rows(table, panel)
        each.set(xscale=SCALES[x], xlabel=style.SYMBOLS[x])
        each.set(yscale=SCALES[y], ylabel=style.SYMBOLS[y])
        never: dict[str, Any] = {
            "facecolor": style.UNREACHED,
            "edgecolor": style.PAPER,
            "hatch": "////",
        }
        each.axvspan(cells["x"].min(), cells["x"].max(), zorder=0, linewidth=0, **never)
        mesh = draw_map(each, cells, cmap=style.DIVERGING, norm=norm)
        _draw_contours(each, cells)
        (still,) = SCALES.keys() - {x, y}
        each.set_title(style.label(still, cells[still].iloc[0]), loc="right", fontsize="medium")
    bar = figure.colorbar(mesh, ax=axes, extend="both", pad=0.01, aspect=25)
    bar.set_label(TIME_LABEL)
    key = Patch(label="never reached", **never)
    figure.legend(handles=[key], loc="outside lower center")
    return figure


def _draw_contours(axes: Axes, cells: pd.DataFrame) -> None:
    """Draw labelled contours at whole decades, and at 2 and 5 times them where there are few."""
    grid = cells.pivot(index="y", columns="x", values="z")
    z = np.ma.masked_invalid(grid.to_numpy())
    low, high = (np.log10(cells.loc[cells["z"] > 0, "z"].quantile(q)) for q in (0.01, 0.995))
    steps = [1.0, 2.0, 5.0] if high - low < NARROW else [1.0]
    powers = np.arange(np.floor(low), np.ceil(high) + 1)
    levels = np.sort(np.outer(10.0**powers, steps).ravel())
    levels = levels[(levels > 10**low) & (levels < 10**high)]
    if len(levels):
        x, y = grid.columns.to_numpy(), grid.index.to_numpy()
        # Times rise by decades next to cells without a time: no contours there.
        z.mask = binary_dilation(np.ma.getmaskarray(z), iterations=2)
        lines = axes.contour(x, y, z, levels, colors="black", linewidths=0.6)
        wide = binary_dilation(z.mask, iterations=round(LABEL_SIZE * min(z.shape)))
        places = _places(axes, lines.allsegs, grid.mask(wide))
        axes.clabel(lines, fmt=_power, fontsize=6.5, inline_spacing=2, manual=places)


def _places(
    axes: Axes, contours: Sequence[Sequence[np.ndarray]], grid: pd.DataFrame
) -> list[tuple[float, float]]:
    """Return a place for each contour's label, away from cells that have no value.

    Contours near the panel's edges get none.
    """
    found = []
    for number, segments in enumerate(contours):
        points = np.concatenate([np.empty((0, 2)), *segments])
        inside = axes.transAxes.inverted().transform(axes.transData.transform(points))
        far = ((inside > (0.14, 0.02)) & (inside < (0.86, 0.97))).all(axis=1)
        row = grid.index.get_indexer(points[:, 1], method="nearest")
        column = grid.columns.get_indexer(points[:, 0], method="nearest")
        far &= grid.notna().to_numpy()[row, column]
        if far.any():
            wanted = 0.3 + 0.25 * (number % 2)
            nearest = np.argmin(np.where(far, np.abs(inside[:, 0] - wanted), np.inf))
            found.append((points[nearest, 0], points[nearest, 1]))
    return found


def _power(value: float) -> str:
    """Write a contour's time: 10³, 2·10³."""
    exponent = int(np.floor(np.log10(value) + 1e-9))
    mantissa = round(value / 10.0**exponent)
    power = rf"10^{{{exponent}}}"
    return f"${power}$" if mantissa == 1 else rf"${mantissa}{{\cdot}}{power}$"
