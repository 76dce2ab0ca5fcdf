"""Legend entries, and the legends that recur."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.path import Path

from linear_grokking.figures import style
from linear_grokking.figures.tables import percent

GREY = "#555555"
"""Stands for all colours where a line or a marker has the same meaning in each."""
BAR = Path([(-1, -2), (1, -2), (0, -2), (0, 2), (-1, 2), (1, 2)], 3 * [Path.MOVETO, Path.LINETO])
"""Marker that looks like a bar with caps."""


def line(label: str, **look: Any) -> Line2D:
    """Return the legend entry of a line, or of whatever else ``look`` describes."""
    return Line2D([], [], label=label, **look)


def mark(label: str, colour: str, marker: str = "o", **look: Any) -> Line2D:
    """Return the legend entry of a marker."""
    return line(label, color=colour, marker=marker, linestyle="", **look)


def marks(
    key: str, colours: Mapping[Any, str], markers: Iterable[str] = repeat("o")
) -> list[Line2D]:
    """Return the entries of a parameter's values, each a marker in its colour."""
    found = zip(colours.items(), markers, strict=False)
    return [mark(style.label(key, value), colour, each) for (value, colour), each in found]


def add(axes: Axes, handles: Sequence[Line2D] | None = None, **options: Any) -> Legend:
    """Add a legend that may lie anywhere in the panel: the layout reserves no room for it.

    It lists what was drawn with a label, or the given ``handles``.
    """
    legend = axes.legend(handles=handles, **options)
    legend.set_in_layout(False)
    return legend


def of_values(
    axes: Axes, key: str, colours: Mapping[Any, str], *, also: Sequence[Line2D] = (), **options: Any
) -> None:
    """Add a legend that names the value behind each colour, and what ``also`` holds.

    It stays if the panel gets a second legend.
    """
    handles = [line(style.label(key, value), color=colour) for value, colour in colours.items()]
    axes.add_artist(add(axes, [*handles, *also], **options))


def reached(table: pd.DataFrame) -> list[Line2D]:
    """Return the entries of the marks where the two accuracies reach the table's threshold."""
    return [
        line(f"{name} reaches {percent(table)}", color=GREY, **style.REACHED[series])
        for series, name in style.NAMES.items()
    ]


def of_dynamics(
    figure: Figure,
    table: pd.DataFrame,
    *,
    theory: bool = False,
    limit: bool = False,
    large_size: bool = False,
    also: Sequence[Line2D] = (),
    columns: int | None = None,
) -> None:
    """Add a legend below the figure for line styles and markers, and for what ``also`` holds.

    A row has as many entries as fit, or as many as ``columns``.
    """
    handles = [
        line("training", color=GREY, linestyle=style.TRAIN_LINE),
        line("generalization", color=GREY),
    ]
    if theory:
        handles.append(line("theory", **style.THEORY_LINE))
    if limit:
        handles.append(line(r"$t\to\infty$, these sets", color=GREY, **style.LIMIT_LINE))
    if large_size:
        handles.append(line(r"$t\to\infty$, $N\to\infty$", **style.LARGE_SIZE_LIMIT))
    handles += [*reached(table), *also]
    columns = columns or min(len(handles), int(figure.get_figwidth() / style.LEGEND_ENTRY_WIDTH))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.2)
