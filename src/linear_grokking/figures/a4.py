"""Fig. A4."""

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from pydantic import Field

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
    """Draw the three diagrams on one colour scale: red is short, blue long, white never."""
    figure, axes = style.new_panels(1, 3, height=2.35)
    low, high = table.loc[table["z"] > 0, "z"].quantile([0.005, 0.995])
    norm = LogNorm(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high)))
    for each, (panel, (x, y)) in zip(axes, PANELS.items(), strict=True):
        cells = rows(table, panel)
        each.set(xscale=SCALES[x], xlabel=style.SYMBOLS[x])
        each.set(yscale=SCALES[y], ylabel=style.SYMBOLS[y])
        mesh = draw_map(each, cells, cmap=style.DIVERGING, norm=norm)
        (still,) = SCALES.keys() - {x, y}
        each.set_title(style.label(still, cells[still].iloc[0]), loc="right", fontsize="medium")
    bar = figure.colorbar(mesh, ax=axes, extend="both", pad=0.01, aspect=30)
    bar.set_label(f"{TIME_LABEL}; white: never")
    return figure
