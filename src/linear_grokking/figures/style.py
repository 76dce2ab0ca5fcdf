"""Colours, sizes and files of all figures; the style sheet lies beside this module.

The palette is Okabe and Ito's, which people with any common colour vision tell apart.
Experiments are coloured and theory is black; training is dashed, generalization solid.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.figure import Figure

from linear_grokking.storage import whole_file

SHEET = Path(__file__).with_name("linear_grokking.mplstyle")

BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
)
PALETTE = (VERMILION, BLUE, PURPLE, GREEN, ORANGE, SKY)
THEORY = "#000000"
PAPER = "#777777"
UNREACHED = "#E4E4E4"

TRAIN_LINE = (0, (4, 1.5))
LIMIT_LINE = (0, (1, 1.2))
BIAS_LINE = "-."
TRAIN_MARKER = "D"
GENERALIZATION_MARKER = "*"
MARKER_SIZES = {TRAIN_MARKER: 6, GENERALIZATION_MARKER: 11}
BAND_ALPHA = 0.22

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
    steps = mpl.colormaps[SEQUENTIAL].resampled(len(values) + 1)
    return {value: mpl.colors.to_hex(steps(k)) for k, value in enumerate(values)}


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


def new_figure(columns: float, rows: float) -> Figure:
    """Return an empty figure, sized for so many panels across and down.

    It uses the style sheet; draw inside ``mpl.rc_context`` of `sheet`.
    """
    return Figure(figsize=(columns * PANEL_WIDTH, rows * PANEL_HEIGHT))


def sheet() -> Any:
    """Return the context in which figures are made and saved."""
    return mpl.style.context(["default", SHEET])


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
