"""Phase diagrams of the grokking time in one-layer linear regression (Paper A, Fig. 4)."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import NonNegative, Positive, Section, Span
from linear_grokking.config.figures import FigureOptions
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters
from linear_grokking.figures.maps import draw_map, tabulate_map
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory.linear_grokking_time import grokking_time

PANELS = {
    "gamma_d_out": ("gamma", "d_out"),
    "gamma_lambda": ("gamma", "lambda"),
    "d_out_lambda": ("d_out", "lambda"),
}
"""Panel → the parameters along x and y; the third one is fixed."""

LOG_AXES = ("gamma", "d_out")


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
        "gamma": _spaced(options.gamma, np.geomspace),
        "d_out": _spaced(options.d_out, np.geomspace),
        "lambda": _spaced(options.lambda_, np.linspace),
    }
    fixed = options.fixed.model_dump(by_alias=True)
    builder = TableBuilder()
    for panel, (x, y) in PANELS.items():
        still = {key: value for key, value in fixed.items() if key not in (x, y)}
        arguments = {**still, x: ranges[x][np.newaxis, :], y: ranges[y][:, np.newaxis]}
        times = grokking_time(
            arguments.pop("lambda"),
            options.eta,
            options.epsilon,
            accuracy=data.threshold,
            **arguments,
        )
        tabulate_map(builder, panel, ranges[x], ranges[y], times, still)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw the three diagrams on one colour scale: red is short, blue long, white never."""
    figure = style.new_figure(3, 1.15)
    axes = figure.subplots(1, 3)
    low, high = table["z"].quantile([0.005, 0.995])
    norm = LogNorm(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high)))
    colour_map = colormaps[style.DIVERGING]
    for each, (panel, (x, y)) in zip(axes, PANELS.items(), strict=True):
        rows = table[table["panel"] == panel]
        if x in LOG_AXES:
            each.set_xscale("log")
        if y in LOG_AXES:
            each.set_yscale("log")
        mesh = draw_map(each, rows, cmap=colour_map, norm=norm)
        each.set_xlabel(style.SYMBOLS[x])
        each.set_ylabel(style.SYMBOLS[y])
        (still,) = {"gamma", "d_out", "lambda"} - {x, y}
        each.set_title(style.label(still, rows[still].iloc[0]), loc="right", fontsize="medium")
    panel_letters(axes)
    bar = figure.colorbar(mesh, ax=axes, extend="both", pad=0.01, aspect=30)
    bar.set_label(r"grokking time $\Delta t$ (steps); white: never")
    return figure


def _spaced(span: Span, spacing: type[np.geomspace] | type[np.linspace]) -> np.ndarray:
    return spacing(span.start, span.stop, span.points)
