"""Panels of dynamics: tabulating and drawing losses and accuracies against the step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from linear_grokking.figures import style
from linear_grokking.figures.tables import RunResult, TableBuilder

QUANTITIES: Mapping[str, Mapping[str, str]] = {
    "loss": {"train": "train_loss", "generalization": "gen_loss"},
    "accuracy": {"train": "train_accuracy", "generalization": "gen_accuracy"},
    "weight_norm": {"weight_norm": "weight_norm"},
    "bias": {"bias": "bias"},
}
"""Panel → series → quantity of the summary, by the data contract."""

_TIMES = {"train": "t_train", "generalization": "t_gen"}
_AXIS_LABELS = {"weight_norm": r"$\|S\|$", "bias": "$b$"}


def tabulate_dynamics(
    builder: TableBuilder,
    run: RunResult,
    parameters: Mapping[str, Any],
    panels: Sequence[str] = ("loss", "accuracy"),
) -> None:
    """Add a run's curves: medians over the realizations, quartiles as `y_low`, `y_high`.

    Where a median time at which the accuracy reaches its threshold exists, series
    ``train_reached`` and ``generalization_reached`` hold the point of the median curve there.
    """
    for panel in panels:
        for series, quantity in QUANTITIES[panel].items():
            curve = run.curve(quantity)
            builder.add(
                panel,
                series,
                "experiment",
                curve["step"],
                curve["median"],
                y_low=curve["q25"],
                y_high=curve["q75"],
                n=curve["n"],
                parameters=parameters,
            )
            if series not in _TIMES:
                continue
            time = run.scalar(_TIMES[series])
            if np.isfinite(time["median"]):
                builder.add(
                    panel,
                    f"{series}_reached",
                    "experiment",
                    time["median"],
                    np.interp(time["median"], curve["step"], curve["median"]),
                    n=time["n"],
                    parameters=parameters,
                )


def draw_dynamics(
    axes: Axes, table: pd.DataFrame, panel: str, by: str, colours: Mapping[Any, str]
) -> None:
    """Draw one panel of curves against the step, coloured by the parameter ``by``.

    Experiments are coloured bands and lines, theory is black; training is dashed, and
    limits at t → ∞ (series that end in ``limit``) are dotted.
    """
    rows = table[table["panel"] == panel]
    for (value, series, source), curve in rows.groupby([by, "series", "source"], sort=False):
        if series.endswith("limit"):
            axes.plot(
                curve["x"],
                curve["y"],
                color=colours[value],
                linestyle=style.LIMIT_LINE,
                linewidth=1.0,
                zorder=1,
            )
            continue
        if series.endswith("_reached"):
            marker = (
                style.TRAIN_MARKER if series.startswith("train") else (style.GENERALIZATION_MARKER)
            )
            axes.plot(
                curve["x"],
                curve["y"],
                marker,
                color=colours[value],
                markersize=style.MARKER_SIZES[marker],
                markeredgecolor="black",
                markeredgewidth=0.8,
                zorder=5,
            )
            continue
        curve = curve[curve["x"] > 0]
        line = style.TRAIN_LINE if series.startswith("train") else "-"
        if source == "experiment":
            axes.plot(curve["x"], curve["y"], color=colours[value], linestyle=line, zorder=3)
            axes.fill_between(
                curve["x"],
                curve["y_low"],
                curve["y_high"],
                color=colours[value],
                alpha=style.BAND_ALPHA,
                linewidth=0,
                zorder=2,
            )
        elif not series.endswith("_discrete"):
            axes.plot(
                curve["x"], curve["y"], color=style.THEORY, linestyle=line, linewidth=0.9, zorder=4
            )
    axes.set_xscale("log")
    axes.set_xlabel("step $t$")
    axes.margins(x=0.02)
    if panel == "loss":
        losses = rows.loc[rows["y"] > 0, "y"]
        top = min(3 * losses.max(), style.LOSS_CEILING)
        axes.set_ylim(max(losses.min() / 2, style.LOSS_FLOOR), top)
        axes.set_yscale("log")
    elif panel == "accuracy":
        axes.set_ylim(-0.03, 1.05)
    axes.set_ylabel(_AXIS_LABELS.get(panel, panel.replace("_", " ")))


def value_legend(
    axes: Axes, key: str, colours: Mapping[Any, str], *, also: Sequence[Line2D] = (), **options: Any
) -> None:
    """Add a legend that names the value behind each colour, and what ``also`` holds."""
    handles = [
        Line2D([], [], color=colour, label=style.label(key, value))
        for value, colour in colours.items()
    ]
    handles += also
    legend = axes.legend(handles=handles, **options)
    legend.set_in_layout(False)
    axes.add_artist(legend)


def line_styles_legend(
    figure: Any,
    *,
    theory: bool,
    threshold: float | None = 0.95,
    limit: bool = False,
    also: Sequence[Line2D] = (),
    columns: int | None = None,
) -> None:
    """Add below the figure what line styles and markers mean, and what ``also`` holds.

    The entries stand in one row, or in so many ``columns``.
    """
    grey = "#555555"
    handles = [
        Line2D([], [], color=grey, linestyle=style.TRAIN_LINE, label="training (experiment)"),
        Line2D([], [], color=grey, label="generalization (experiment)"),
    ]
    if theory:
        handles.append(Line2D([], [], color=style.THEORY, linewidth=0.9, label="theory"))
    if limit:
        line = {"color": grey, "linestyle": style.LIMIT_LINE, "linewidth": 1.0}
        handles.append(Line2D([], [], **line, label=r"limit $t\to\infty$"))
    if threshold is not None:
        handles += [
            Line2D(
                [],
                [],
                linestyle="",
                marker=marker,
                color=grey,
                markeredgecolor="black",
                markeredgewidth=0.8,
                markersize=style.MARKER_SIZES[marker],
                label=f"{which} accuracy reaches {threshold:.0%}",
            )
            for which, marker in (
                ("training", style.TRAIN_MARKER),
                ("generalization", style.GENERALIZATION_MARKER),
            )
        ]
    handles += also
    columns = columns or min(len(handles), int(figure.get_figwidth() / style.LEGEND_ENTRY_WIDTH))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.2)


def panel_letters(axes: Sequence[Axes]) -> None:
    """Write (a), (b), … above the panels' upper left corners."""
    for letter, each in zip("abcdefghijklmnop", axes, strict=False):
        each.set_title(f"({letter})", loc="left")
