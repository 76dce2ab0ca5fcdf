"""Fig. B14."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Count
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, OutputRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, time_span
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.theory.two_gaussians import limit_gen_accuracy

TITLE = "Two Gaussians without bias: dynamics, and how the classes are separated (ICML Fig. 4)"
_DEVIATIONS = 2.0
"""Size of the ellipses of the inputs' law, in standard deviations."""

_CLASSES: Mapping[str, tuple[float, Mapping[str, Any]]] = {
    "plus": (1.0, {"marker": "o", "markersize": 2.0, "color": "#8A8A8A", "markeredgewidth": 0}),
    "minus": (-1.0, {"marker": "x", "markersize": 2.2, "color": "#555555", "markeredgewidth": 0.5}),
}
"""Label and marker of each class, in grey; colours stand for σ_A."""


class Options(FigureOptions):
    """What Fig. B14 is drawn from."""

    dynamics: LogisticRuns = Field(
        description="Runs with law: two_gaussians and bias: false, one per sigma_a."
    )
    outputs: OutputRuns = Field(description="Outputs of the same sets at the end of training.")
    points: Count = Field(400, description="Training points in each picture of the separation.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by σ_A with their limits, and the plane of the separation.

    In panel ``separation`` x is x·e₁, along the axis of the class means, and y is x·u, where u is
    the direction of S across that axis.  Series ``plus`` and ``minus`` are training points: a
    point and its label may change sign together, and every second point is shown with label +1.
    Series ``boundary`` is the line S·x = 0; ``law_plus`` and ``law_minus`` are ellipses of the law
    that fresh data comes from.
    """
    builder = TableBuilder()
    for run in data.runs("dynamics"):
        shown = {"sigma_a": run.parameters["sigma_a"]}
        tabulate_dynamics(builder, run, shown)
        ends, limit = time_span(run), limit_of(run)
        builder.add("accuracy", "large_size_limit", "theory", ends, limit, shown)
    for run in data.runs("outputs"):
        _tabulate_separation(builder, run, options.points)
    return builder.frame()


def limit_of(run: RunResult) -> float:
    """Return the large-size limit of the accuracy of a run."""
    lengths = {key: run.parameters[key] for key in ("mu", "sigma", "sigma_a")}
    return limit_gen_accuracy(lambda_=run.parameters["lambda"], **lengths)


def _tabulate_separation(builder: TableBuilder, run: RunResult, points: int) -> None:
    sigma, sigma_a, mu = (run.parameters[key] for key in ("sigma", "sigma_a", "mu"))
    shown = {"sigma_a": sigma_a}
    outputs = run.only([0]).outputs.sort_values("sample")
    plane = outputs[["along", "across"]].to_numpy(float)
    # S·x depends on these two coordinates alone, so the fit is exact.
    weights, *_ = np.linalg.lstsq(plane, outputs["output"].to_numpy(float))
    reach = 2.0 * _DEVIATIONS * sigma
    line = np.array([-reach, reach])
    crossing = -line * weights[1] / weights[0]
    builder.add("separation", "boundary", "experiment", crossing, line, shown)

    plane, samples = plane[:points], outputs["sample"].to_numpy()[:points]
    angle = np.linspace(0.0, 2.0 * np.pi, 101)
    x, y = _DEVIATIONS * sigma_a * np.cos(angle), _DEVIATIONS * sigma * np.sin(angle)
    for parity, (series, (label, _)) in enumerate(_CLASSES.items()):
        # On the stored inputs x̂ = -yx every label is -1.
        chosen = -label * plane[samples % 2 == parity]
        along, across = chosen.T
        builder.add("separation", series, "experiment", along, across, shown)
        builder.add("separation", f"law_{series}", "theory", label * mu + x, y, shown)


def draw(table: pd.DataFrame) -> Figure:
    """Draw loss and accuracy above, and the plane of the separation for each σ_A below."""
    colours = style.colours_of(table["sigma_a"])
    figure = style.new_figure(4.9)
    above, below = figure.add_gridspec(2, 1, height_ratios=[1, 1])
    upper = above.subgridspec(1, 2).subplots(squeeze=False)[0]
    lower = below.subgridspec(1, len(colours)).subplots(squeeze=False)[0]
    style.letter([*upper, *lower])
    draw_dynamics(upper, table, "sigma_a", colours)
    legends.of_values(upper[0], "sigma_a", colours, loc="lower left")
    for axes, (value, colour) in zip(lower, colours.items(), strict=True):
        _draw_separation(axes, rows(table, "separation", sigma_a=value), colour)
        axes.set_title(style.label("sigma_a", value), color=colour)
        axes.label_outer()
    lower[0].set_ylabel(r"$x\cdot u$ ($u$: $S$ perpendicular to $e_1$)")
    law = f"law, {_DEVIATIONS:g} standard deviations"
    also = [
        *(
            legends.mark(f"training point, $y={y:+.0f}$", **_marker(look))
            for y, look in _CLASSES.values()
        ),
        legends.line(law, **style.THEORY_LINE),
        legends.line(r"$S\cdot x = 0$", color=legends.GREY),
    ]
    legends.of_dynamics(figure, table, large_size=True, also=also, columns=4)
    return figure


def _marker(look: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a class looks in a legend, where its marker may be larger."""
    rest = {key: value for key, value in look.items() if key != "color"}
    return {"colour": look["color"], **rest, "markersize": 4.0}


def _draw_separation(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    for series, (_, look) in _CLASSES.items():
        points = rows(table, series=series)
        axes.plot(points["x"], points["y"], linestyle="", **look)
        law = rows(table, series=f"law_{series}")
        axes.plot(law["x"], law["y"], **style.THEORY_LINE)
    boundary = rows(table, series="boundary")
    axes.plot(boundary["x"], boundary["y"], color=colour)
    reach = 1.9 * rows(table, source="theory")["y"].max()
    axes.set(xlim=(-0.5, 0.5), ylim=finite_ends(-reach, reach), xlabel=r"$x\cdot e_1$")
