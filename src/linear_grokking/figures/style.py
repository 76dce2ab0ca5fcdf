"""Colours, sizes and files of all figures; the style sheet lies beside this module.

The palette is Okabe and Ito's, which people with any common colour vision tell apart.
Experiments are coloured and theory is black; training is dashed, generalization solid.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style as mpl_style
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from linear_grokking.runtime.files import whole_file

SHEET = Path(__file__).with_name("linear_grokking.mplstyle")

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
PURPLE, SKY, VERMILION = "#CC79A7", "#56B4E9", "#D55E00"
PALETTE = (VERMILION, BLUE, PURPLE, GREEN, ORANGE, SKY)
THEORY = "#000000"
PAPER = "#777777"
UNREACHED = "#E4E4E4"

TRAIN_LINE = (0, (4, 1.5))
THEORY_LINE: Mapping[str, Any] = {"color": THEORY, "linewidth": 0.9}
LARGE_SIZE: Mapping[str, Any] = {**THEORY_LINE, "label": r"$N\to\infty$"}
LIMIT_LINE: Mapping[str, Any] = {"linestyle": (0, (1, 1.2)), "linewidth": 1.0}
GUIDE: Mapping[str, Any] = {"color": PAPER, "linewidth": 0.8, "linestyle": ":"}
"""A line that marks a place on an axis."""
REFERENCE: Mapping[str, Any] = {"color": PAPER, "linewidth": 0.9, "linestyle": "--"}
"""A line of what to compare with."""
EDGE = {"markeredgecolor": "black", "markeredgewidth": 0.8}
REACHED: Mapping[str, Mapping[str, Any]] = {
    "train": {"marker": "D", "markersize": 6, "linestyle": "", **EDGE},
    "generalization": {"marker": "*", "markersize": 11, "linestyle": "", **EDGE},
}
"""Markers of the times at which an accuracy reaches its threshold."""
BAND_ALPHA = 0.22

NAMES = {"train": "training", "generalization": "generalization"}
"""How a series is written in a legend."""

LOSS_FLOOR = 1e-8
"""Losses below this are not shown: only a decay that goes on for ever lies there."""
LOSS_CEILING = 1e8
"""Losses above this are not shown: only a divergence lies there."""

PANEL_WIDTH, PANEL_HEIGHT = 3.4, 2.9
"""Size of one panel, in inches."""
LEGEND_ENTRY_WIDTH = 2.0
"""Room for one entry of the legend below a figure, in inches."""

DIVERGING = "RdYlBu"
SEQUENTIAL = "viridis"

SYMBOLS = {
    "lambda": r"$\lambda$",
    "d_in": r"$d_\mathrm{in}$",
    "d_out": r"$d_\mathrm{out}$",
    "d_h": r"$d_h$",
    "gamma": r"$\gamma$",
    "epsilon": r"$\epsilon$",
    "alpha": r"$\alpha$",
    "noise": r"noise $s^2$",
    "n_train": r"$N$",
    "d": r"$d$",
    "sigma": r"$\sigma$",
    "sigma_a": r"$\sigma_A$",
    "s0_norm": r"$\|S_0\|$",
    "b0": r"$b_0$",
    "label_fraction": r"$r$",
}
"""How a configuration key is written on an axis or in a legend."""


def colours(values: Sequence[Any]) -> dict[Any, str]:
    """Give each value a colour: the palette's, or steps of a colour map where it ends."""
    if len(values) <= len(PALETTE):
        return dict(zip(values, PALETTE, strict=False))
    steps = colormaps[SEQUENTIAL].resampled(len(values) + 1)
    return {value: to_hex(steps(k)) for k, value in enumerate(values)}


def colours_of(column: pd.Series, *, reverse: bool = False) -> dict[Any, str]:
    """Give each value in a table's column a colour, the values in ascending order."""
    return colours(sorted(column.dropna().unique(), reverse=reverse))


def line_of(series: str) -> Any:
    """Return the line style of a series: training is dashed."""
    return TRAIN_LINE if series.startswith("train") else "-"


def number(value: float) -> str:
    """Write a parameter's value for a legend: 0.48, 26, 10⁻³."""
    if value != 0 and (abs(value) < 1e-2 or abs(value) >= 1e4):
        mantissa, exponent = f"{value:.2e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        power = rf"10^{{{int(exponent)}}}"
        return rf"${power}$" if mantissa == "1" else rf"${mantissa}\times {power}$"
    return f"{value:g}"


def label(key: str, value: Any) -> str:
    """Write ``key = value`` for a legend."""
    text = number(value) if isinstance(value, int | float) else str(value).replace("_", " ")
    return f"{SYMBOLS.get(key, key)} = {text}"


def size_label(table: pd.DataFrame) -> str:
    """Write the one size N of a table's sets for a legend."""
    return label("n_train", int(table["n_train"].dropna().iloc[0]))


def new_figure(columns: float, rows: float) -> Figure:
    """Return an empty figure, sized for so many panels across and down.

    It uses the style sheet; draw inside ``mpl.rc_context`` of `sheet`.
    """
    return Figure(figsize=(columns * PANEL_WIDTH, rows * PANEL_HEIGHT))


def new_panels(
    rows: int,
    columns: int,
    *,
    width: float | None = None,
    height: float | None = None,
    downwards: bool = False,
    **options: Any,
) -> tuple[Figure, np.ndarray]:
    """Return a figure of lettered panels, and their axes.

    Parameters
    ----------
    width, height
        Size of the figure in panels; None for as many as there are.
    downwards
        Letter the panels column by column.
    options
        Go to `Figure.subplots`, which gives the axes their shape.
    """
    figure = new_figure(width or columns, height or rows)
    axes = figure.subplots(rows, columns, **options)
    letter(axes.T.flat if downwards else axes.flat)
    return figure, axes


def letter(axes: Iterable[Axes]) -> None:
    """Write (a), (b), … above the panels' upper left corners."""
    for name, each in zip("abcdefghijklmnop", axes, strict=False):
        each.set_title(f"({name})", loc="left")


def sheet() -> Any:
    """Return the context in which figures are made and saved."""
    return mpl_style.context(["default", SHEET])


def save(figure: Figure, path: Path, *, spec: str, provenance: dict[str, Any]) -> None:
    """Save a figure as PDF or PNG, whole or not at all, with its spec and provenance inside.

    Raises
    ------
    ValueError
        If the file's name ends neither in .pdf nor in .png.
    """
    record = json.dumps(provenance, sort_keys=True)
    if path.suffix == ".pdf":
        metadata = {"Subject": spec, "Keywords": record, "Title": path.stem}
    elif path.suffix == ".png":
        metadata = {"spec": spec, "provenance": record, "Title": path.stem}
    else:
        raise ValueError(f"{path}: figures are saved as .pdf or .png")
    with whole_file(path) as temporary:
        figure.savefig(temporary, metadata=metadata, format=path.suffix[1:])
