"""Two Gaussians without bias: dynamics, and how the classes are separated (ICML Fig. 4)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.fields import Count
from linear_grokking.config.figures import FigureOptions, LogisticRuns, OutputRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import (
    draw_dynamics,
    line_styles_legend,
    panel_letters,
    tabulate_dynamics,
    value_legend,
)
from linear_grokking.figures.logistic_panels import time_span
from linear_grokking.figures.tables import FigureData, RunResult, TableBuilder
from linear_grokking.theory import two_gaussians

_DEVIATIONS = 2.0
"""Size of the ellipses of the inputs' law, in standard deviations."""

_CLASSES = {"plus": (1.0, style.VERMILION), "minus": (-1.0, style.BLUE)}


class Options(FigureOptions):
    """What Fig. B14 is drawn from."""

    dynamics: LogisticRuns = Field(
        description="Runs with law: two_gaussians and bias: false, one per sigma_a."
    )
    outputs: OutputRuns = Field(description="Outputs of the same sets at the end of training.")
    points: Count = Field(400, description="Training points in each picture of the separation.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by σ_A with their limits, and the plane of the separation.

    In panel ``separation`` x is x·e₁, the axis that the class means lie on, and y is x·u, u
    the direction of S across it: training points (``plus``, ``minus``: a point and its
    label's sign may be flipped together, and those of odd number are), the line S·x = 0
    (``boundary``), and ellipses of the law that fresh data comes from (``law_plus``,
    ``law_minus``).
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        shown = {"sigma_a": run.parameters["sigma_a"]}
        tabulate_dynamics(builder, run, shown, ("loss", "accuracy"))
        limit = np.full(2, _limit(run))
        builder.add("accuracy", "limit", "theory", time_span(run), limit, parameters=shown)
    for run in data.runs("outputs"):
        _tabulate_separation(builder, run, options.points)
    return builder.frame()


def _limit(run: RunResult) -> float:
    sizes = {"lambda_": run.parameters["lambda"]}
    lengths = {key: run.parameters[key] for key in ("mu", "sigma", "sigma_a")}
    return two_gaussians.limit_gen_accuracy(**sizes, **lengths)


def _tabulate_separation(builder: TableBuilder, run: RunResult, points: int) -> None:
    shown = {"sigma_a": run.parameters["sigma_a"]}
    rows = run.rows("outputs")
    rows = rows[rows["realization"] == 0].sort_values("sample")
    plane = rows[["along", "across"]].to_numpy(float)
    # S·x depends on these two coordinates alone, so the fit is exact.
    weights, *_ = np.linalg.lstsq(plane, rows["output"].to_numpy(float))
    plane, samples = plane[:points], rows["sample"].to_numpy()[:points]
    for parity, (series, (label, _)) in enumerate(_CLASSES.items()):
        # On the stored inputs x̂ = -yx every label is -1.
        chosen = -label * plane[samples % 2 == parity]
        builder.add("separation", series, "experiment", *chosen.T, parameters=shown)

    reach = _DEVIATIONS * 2.0 * run.parameters["sigma"]
    line = np.array([-reach, reach])
    crossing = -line * weights[1] / weights[0]
    builder.add("separation", "boundary", "experiment", crossing, line, parameters=shown)
    angle = np.linspace(0.0, 2.0 * np.pi, 101)
    for series, (label, _) in _CLASSES.items():
        x = label * run.parameters["mu"]
        x = x + _DEVIATIONS * run.parameters["sigma_a"] * np.cos(angle)
        y = _DEVIATIONS * run.parameters["sigma"] * np.sin(angle)
        builder.add("separation", f"law_{series}", "theory", x, y, parameters=shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw loss and accuracy above, and the plane of the separation for each σ_A below."""
    values = sorted(table["sigma_a"].unique())
    colours = style.colours(values)
    figure = style.new_figure(max(len(values), 2), 2.1)
    wide, narrow = figure.add_gridspec(2, 1)
    wide, narrow = wide.subgridspec(1, 2), narrow.subgridspec(1, len(values))
    upper = [figure.add_subplot(wide[0, k]) for k in range(2)]
    for axes, panel in zip(upper, ("loss", "accuracy"), strict=True):
        draw_dynamics(axes, table, panel, "sigma_a", colours)
    upper[1].set_ylim(0.45, 1.02)
    value_legend(upper[0], "sigma_a", colours, loc="lower left")
    lower = [figure.add_subplot(narrow[0, k]) for k in range(len(values))]
    for axes, value in zip(lower, values, strict=True):
        rows = table[(table["panel"] == "separation") & (table["sigma_a"] == value)]
        _draw_separation(axes, rows)
        axes.set_title(style.label("sigma_a", value), color=colours[value])
    lower[0].set_ylabel(r"$x\cdot u$, $u \parallel S - S_1 e_1$")
    _separation_legend(upper[1])
    panel_letters([*upper, *lower])
    line_styles_legend(figure, theory=False, limit=True)
    return figure


def _draw_separation(axes: Axes, rows: pd.DataFrame) -> None:
    for series, (_, colour) in _CLASSES.items():
        points = rows[rows["series"] == series]
        axes.plot(points["x"], points["y"], ".", color=colour, markersize=2.5, alpha=0.7)
        law = rows[rows["series"] == f"law_{series}"]
        axes.plot(law["x"], law["y"], color=style.THEORY, linewidth=0.9)
    boundary = rows[rows["series"] == "boundary"]
    axes.plot(boundary["x"], boundary["y"], color=style.GREEN)
    law = rows[rows["source"] == "theory"]
    axes.set_xlim(-0.5, 0.5)
    axes.set_ylim(1.9 * law["y"].min(), 1.9 * law["y"].max())
    axes.set_xlabel(r"$x\cdot e_1$")


def _separation_legend(axes: Axes) -> None:
    """Say in a panel that has room what the pictures of the separation show."""
    handles = [
        Line2D([], [], color=colour, marker=".", linestyle="", label=f"training, $y={label:+.0f}$")
        for label, colour in _CLASSES.values()
    ]
    law = f"law, {_DEVIATIONS:g} standard deviations"
    handles += [
        Line2D([], [], color=style.THEORY, linewidth=0.9, label=law),
        Line2D([], [], color=style.GREEN, label=r"$S\cdot x = 0$"),
    ]
    legend = axes.legend(handles=handles, loc="lower right", title="panels below")
    legend.set_in_layout(False)
