"""Colours, sizes and files of all figures; the style sheet lies beside this module.

All figures follow the same conventions.  Experiments are coloured points, or lines on bands.
Theory is a thin black line, on a pale stripe of its parameter's colour where there are several.
A colour has one meaning in a panel, and where possible in a figure: blue is the standard run,
values of an ordered parameter go from light to dark orange, and values of λ and kinds take the
palette.  Training is dashed, generalization solid.  Figures are made for print, 7 inches wide.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.style as mpl_style
import numpy as np
import pandas as pd
from matplotlib import colormaps, rcParams
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from linear_grokking.runtime.files import whole_file

SHEET = Path(__file__).with_name("linear_grokking.mplstyle")

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
PURPLE, SKY, VERMILION = "#7A1F6B", "#56B4E9", "#D55E00"
PALETTE = (ORANGE, PURPLE, GREEN, SKY, VERMILION)
"""Colours of values other than the standard one, which is blue.  People with any common form of
colour vision can tell them apart, and the first ones also in grey; a test measures this."""
RAMP = ("#F9BE6B", "#DE7A22", "#8F3B04", "#401B00")
"""Colours of an ordered parameter's values other than the standard one, in ascending order."""
STANDARD: Mapping[str, tuple[float, ...]] = {
    "lambda": (0.9, 0.48),
    "d_in": (1000,),
    "d_out": (1,),
    "epsilon": (1e-3,),
    "alpha": (1,),
    "noise": (0,),
    "spectral_exponent": (0,),
    "sigma": (5,),
    "sigma_a": (0,),
    "s0_norm": (0.1,),
    "b0": (0,),
    "label_fraction": (1,),
    "train_fraction": (0.5,),
}
"""Values of the standard runs, with which a figure compares others, by configuration key."""
ORDERED = (*("d_in", "d_out", "d_h", "gamma", "epsilon", "alpha", "noise", "n_train"),)
ORDERED += ("spectral_exponent", "sigma", "sigma_a", "s0_norm", "b0", "train_fraction")
"""Parameters whose values are ordered from less to more."""
THEORY = "#000000"
PAPER = "#777777"
UNREACHED = "#E4E4E4"

TRAIN_LINE = (0, (4, 1.5))
THEORY_LINE: Mapping[str, Any] = {"color": THEORY, "linewidth": 0.8}
STRIPE: Mapping[str, Any] = {"linewidth": 3.0, "alpha": 0.4, "solid_capstyle": "butt"}
"""Stripe under a theory's line, in the colour of its parameter."""
LARGE_SIZE: Mapping[str, Any] = {**THEORY_LINE, "label": r"$N\to\infty$"}
LIMIT_LINE: Mapping[str, Any] = {"linestyle": (0, (1, 1.2)), "linewidth": 1.0}
"""Limits for t → ∞ of the sets that were drawn."""
LARGE_SIZE_LIMIT: Mapping[str, Any] = {**THEORY_LINE, "linestyle": (0, (5, 1.5, 1, 1.5))}
"""Limits for t → ∞ of large sets."""
BIAS_LINE = (0, (4, 1, 1, 1, 1, 1))
"""Line style of b where ‖S‖ is solid."""
GUIDE: Mapping[str, Any] = {"color": PAPER, "linewidth": 0.6, "linestyle": ":"}
"""A line that marks a place on an axis."""
REFERENCE: Mapping[str, Any] = {"color": PAPER, "linewidth": 0.8, "linestyle": "--"}
"""A line to compare with."""
EDGE = {"markeredgecolor": "black", "markeredgewidth": 0.6}
REACHED: Mapping[str, Mapping[str, Any]] = {
    "train": {"marker": "D", "markersize": 4.5, "linestyle": "", **EDGE},
    "generalization": {"marker": "*", "markersize": 8, "linestyle": "", **EDGE},
}
"""Markers of the times at which an accuracy reaches its threshold."""
BAND_ALPHA = 0.22

NAMES = {"train": "training", "generalization": "generalization"}
"""How a series is written in a legend."""

LOSS_FLOOR = 1e-8
"""Losses below this are not shown: only a decay that goes on forever lies there."""
LOSS_CEILING = 1e8
"""Losses above this are not shown: only a divergence lies there."""

WIDTH = 7.0
"""Width of a figure in inches: that of a page."""
ROW = 1.9
"""Height of a row of panels, in inches."""
LEGEND_ENTRY_WIDTH = 1.35
"""Room for one entry of the legend below a figure, in inches."""

DIVERGING = "RdYlBu"
SEQUENTIAL = "viridis"
RAMP_MAP = "YlOrBr"

SYMBOLS = {
    "lambda": r"$\lambda$",
    "d_in": r"$d_\mathrm{in}$",
    "d_out": r"$d_\mathrm{out}$",
    "d_h": r"$d_h$",
    "gamma": r"$\gamma$",
    "epsilon": r"$\epsilon$",
    "alpha": r"$\alpha$",
    "noise": r"noise $s^2$",
    "spectral_exponent": r"$p$",
    "n_train": r"$N$",
    "d": r"$d$",
    "eta": r"$\eta$",
    "sigma": r"$\sigma$",
    "sigma_a": r"$\sigma_A$",
    "s0_norm": r"$\|S_0\|$",
    "b0": r"$b_0$",
    "label_fraction": r"$r$",
    "train_fraction": "fraction",
    "radius_ratio": "ratio of radii",
}
"""How a configuration key is written on an axis or in a legend."""


def colours(key: str, values: Sequence[Any]) -> dict[Any, str]:
    """Give each value of a parameter a colour.

    Parameters
    ----------
    key
        Name of the parameter in `STANDARD` and `ORDERED`.
    values
        Its values; those other than the standard one take colours in this order.
    """
    standard = [value for value in values if value in STANDARD.get(key, ())][:1]
    others = [value for value in values if value not in standard]
    free: Sequence[str] = RAMP if key in ORDERED else PALETTE
    if len(others) > len(free):
        steps = colormaps[RAMP_MAP](np.linspace(0.3, 1.0, len(others)))
        free = [to_hex(step) for step in steps]
    elif key in ORDERED:
        # The ends of the ramp are told apart best.
        free = [free[k] for k in np.linspace(0, len(free) - 1, len(others)).round().astype(int)]
    found = {**dict.fromkeys(standard, BLUE), **dict(zip(others, free, strict=False))}
    return {value: found[value] for value in values}


def colours_of(column: pd.Series, *, reverse: bool = False) -> dict[Any, str]:
    """Give each value in a table's column of a parameter a colour, in ascending order."""
    return colours(str(column.name), sorted(column.dropna().unique(), reverse=reverse))


def shades(key: str, values: Sequence[Any], chosen: Sequence[str]) -> dict[Any, str]:
    """Give values a figure's own colours; those of `colours` where these are too few."""
    if len(values) > len(chosen):
        return colours(key, values)
    return dict(zip(values, chosen, strict=False))


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
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def label(key: str, value: Any) -> str:
    """Write ``key = value`` for a legend."""
    text = number(value) if isinstance(value, int | float) else str(value).replace("_", " ")
    return f"{SYMBOLS.get(key, key)} = {text}"


def size_label(table: pd.DataFrame) -> str:
    """Write the one size N of a table's sets for a legend."""
    return label("n_train", int(table["n_train"].dropna().iloc[0]))


def new_figure(height: float) -> Figure:
    """Return an empty figure of a height in inches, `WIDTH` wide.

    Create it and draw on it inside the context of `sheet`, which applies the style sheet.
    """
    return Figure(figsize=(WIDTH, height), layout="constrained")


def new_panels(
    rows: int, columns: int, *, height: float | None = None, downwards: bool = False, **options: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure of lettered panels, and their axes.

    Parameters
    ----------
    height
        Height of the figure in inches; by default `ROW` for each row of panels.
    downwards
        Letter the panels column by column.
    options
        Passed to `Figure.subplots`, which determines the shape of the axes.
    """
    figure = new_figure(rows * ROW if height is None else height)
    axes = figure.subplots(rows, columns, **options)
    letter(axes.T.flat if downwards else axes.flat)
    return figure, axes


def tick_plainly(axis: Axis) -> None:
    """Mark 1, 2 and 5 of each decade of a logarithmic axis, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_locator(NullLocator())


def letter(axes: Iterable[Axes]) -> None:
    """Write (a), (b), … above the panels' upper left corners."""
    for name, each in zip("abcdefghijklmnop", axes, strict=False):
        each.set_title(f"({name})", loc="left", fontweight="bold")


def sheet() -> Any:
    """Return the context in which figures are made and saved."""
    return mpl_style.context(["default", SHEET])


def save(figure: Figure, path: Path, *, spec: str, provenance: dict[str, Any]) -> None:
    """Save a figure as PDF, SVG or PNG, whole or not at all, with spec and provenance inside.

    All files of a figure have the layout that the first one was given.

    Raises
    ------
    ValueError
        If the file's name ends in another way.
    """
    # Matplotlib would lay the figure out, and draw it for that, anew for each file.  (If the style
    # sheet asked for a layout, the figure would have one again after it was saved.)
    if engine := figure.get_layout_engine():
        figure.set_dpi(rcParams["savefig.dpi"])
        engine.execute(figure)
        figure.set_layout_engine(None)
    record = json.dumps(provenance, sort_keys=True)
    if path.suffix == ".pdf":
        metadata = {"Subject": spec, "Keywords": record, "Title": path.stem}
    elif path.suffix == ".svg":
        metadata = {"Description": spec, "Keywords": [record], "Title": path.stem}
    elif path.suffix == ".png":
        metadata = {"spec": spec, "provenance": record, "Title": path.stem}
    else:
        raise ValueError(f"{path}: figures are saved as .pdf, .svg or .png")
    with whole_file(path) as temporary:
        figure.savefig(temporary, metadata=metadata, format=path.suffix[1:])
