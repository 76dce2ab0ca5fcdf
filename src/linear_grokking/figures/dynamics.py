"""Panels of dynamics: tabulating and drawing losses and accuracies against the step."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from linear_grokking.figures import style
from linear_grokking.figures.tables import TableBuilder, rows
from linear_grokking.results.reading import RunResult

QUANTITIES: Mapping[str, Mapping[str, str]] = {
    "loss": {"train": "train_loss", "generalization": "gen_loss"},
    "accuracy": {"train": "train_accuracy", "generalization": "gen_accuracy"},
    "weight_norm": {"weight_norm": "weight_norm"},
    "bias": {"bias": "bias"},
}
"""Panel → series → quantity of the summary, by the data contract."""

LOSS_AND_ACCURACY = ("loss", "accuracy")

TIMES = {"train": "t_train", "generalization": "t_gen"}
"""Series → quantity of the summary that says when its accuracy reaches the threshold."""
_AXIS_LABELS = {"weight_norm": r"$\|S\|$", "bias": "$b$"}


def tabulate_dynamics(
    builder: TableBuilder,
    run: RunResult,
    parameters: Mapping[str, Any],
    panels: Sequence[str] = LOSS_AND_ACCURACY,
) -> None:
    """Add a run's curves: medians over the realizations, quartiles as `y_low`, `y_high`.

    Where the median time at which an accuracy reaches its threshold is finite, series
    ``train_reached`` or ``generalization_reached`` holds the point of the median curve there.
    """
    for panel in panels:
        for series, quantity in QUANTITIES[panel].items():
            curve = run.curve(quantity)
            builder.add_summary(panel, series, curve["step"], curve, parameters)
            if series not in TIMES:
                continue
            time = run.number(TIMES[series])
            x, n = time["median"], time["n"]
            if np.isfinite(x):
                y = np.interp(x, curve["step"], curve["median"])
                builder.add(panel, f"{series}_reached", "experiment", x, y, parameters, n=n)


def time_span(run: RunResult) -> np.ndarray:
    """Return the first recorded step after 0, and the last."""
    steps = run.curve("gen_accuracy")["step"].to_numpy(float)
    return np.array([steps[steps > 0].min(), steps.max()])


def draw_dynamics(
    axes: Iterable[Axes],
    table: pd.DataFrame,
    by: str,
    colours: Mapping[Any, str],
    panels: Sequence[str] = LOSS_AND_ACCURACY,
) -> None:
    """Draw panels of curves against the step, coloured by the parameter ``by``.

    Experiments are coloured lines on bands, theory is black; training is dashed.  Limits at
    t → ∞ are dotted for the drawn sets (series that end in ``limit``), and black for large sets
    (``large_size_limit``).
    """
    for each, panel in zip(axes, panels, strict=True):
        curves = rows(table, panel)
        # Measured curves are wide where theory lies on them, so that they show on both sides.
        theory = curves["series"].isin(list(style.NAMES)) & (curves["source"] == "theory")
        width = 2.4 if theory.any() else 1.2
        reached = curves["series"].str.endswith("_reached")
        if panel == "accuracy":
            # At the median time the median curve need not be at the threshold, where marks belong.
            curves = curves.assign(y=curves["y"].mask(reached, table.attrs["threshold"]))
        for (value, series, source), curve in curves.groupby([by, "series", "source"], sort=False):
            _draw_curve(each, curve, series, source, colours[value], width)
        step_axis(each)
        each.set_ylabel(_AXIS_LABELS.get(panel, panel.replace("_", " ")))
        if panel == "loss":
            losses = curves.loc[curves["y"] > 0, "y"]
            top = min(3 * losses.max(), style.LOSS_CEILING)
            each.set(ylim=(max(losses.min() / 2, style.LOSS_FLOOR), top), yscale="log")
        elif panel == "accuracy":
            lowest = curves[["y", "y_low"]].min().min()
            each.set_ylim(lowest - 0.05 * (1.0 - lowest) - 0.01, 1.03)


def _draw_curve(
    axes: Axes, curve: pd.DataFrame, series: str, source: str, colour: str, width: float
) -> None:
    if series == "large_size_limit":
        axes.plot(curve["x"], curve["y"], zorder=4, **style.LARGE_SIZE_LIMIT)
    elif series.endswith("limit"):
        axes.plot(curve["x"], curve["y"], color=colour, zorder=1, **style.LIMIT_LINE)
    elif series.endswith("_reached"):
        look = style.REACHED[series.removesuffix("_reached")]
        axes.plot(curve["x"], curve["y"], color=colour, zorder=5, **look)
    elif source == "experiment":
        draw_band(axes, curve, style.line_of(series), colour, linewidth=width)
    elif not series.endswith("_discrete"):
        curve = curve[curve["x"] > 0]
        # Dashes scale with the line width: rescaled, these lie within the experiment's.
        scale = width / style.THEORY_LINE["linewidth"]
        dashes = (0, tuple(scale * each for each in style.TRAIN_LINE[1]))
        line = dashes if series.startswith("train") else "-"
        axes.plot(curve["x"], curve["y"], linestyle=line, zorder=4, **style.THEORY_LINE)


def draw_band(
    axes: Axes,
    curve: pd.DataFrame,
    line: Any,
    colour: str,
    label: str | None = None,
    linewidth: float = 1.2,
) -> None:
    """Draw medians after step 0 as a line of some style, on a band between the quartiles."""
    curve = curve[curve["x"] > 0]
    look = {"color": colour, "linestyle": line, "linewidth": linewidth}
    axes.plot(curve["x"], curve["y"], zorder=3, label=label, **look)
    band = {"color": colour, "alpha": style.BAND_ALPHA, "linewidth": 0, "zorder": 2}
    axes.fill_between(curve["x"], curve["y_low"], curve["y_high"], **band)


def step_axis(axes: Axes) -> None:
    """Make the x axis one of steps, logarithmic."""
    axes.set(xscale="log", xlabel="step $t$")
    axes.margins(x=0.02)
