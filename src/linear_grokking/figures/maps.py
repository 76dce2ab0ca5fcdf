"""Maps: values on a grid of two parameters, drawn cell by cell, without interpolation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from linear_grokking.figures.tables import TableBuilder


def tabulate_map(
    builder: TableBuilder,
    panel: str,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    parameters: Mapping[str, Any] | None = None,
    series: str = "time",
) -> None:
    """Add a map: z of shape (len(y), len(x)) at the cells' centres, null where it is inf."""
    columns, lines = np.meshgrid(x, y)
    value = np.where(np.isposinf(z), np.nan, z).ravel()
    builder.add(panel, series, "theory", columns.ravel(), lines.ravel(), parameters, z=value)


def draw_map(axes: Axes, cells: pd.DataFrame, **options: Any) -> QuadMesh:
    """Draw a panel's cells coloured by z, null left white; set the axes' scales first.

    ``options`` go to ``pcolormesh``: cmap, norm.
    """
    grid = cells.pivot(index="y", columns="x", values="z")
    x = cell_edges(grid.columns.to_numpy(), log=axes.get_xscale() == "log")
    y = cell_edges(grid.index.to_numpy(), log=axes.get_yscale() == "log")
    mesh = axes.pcolormesh(x, y, grid.to_numpy(), shading="flat", rasterized=True, **options)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    return mesh


def cell_edges(centres: np.ndarray, *, log: bool) -> np.ndarray:
    """Return the edges (n + 1) of cells around increasing centres (n ≥ 2).

    Edges lie midway between centres, on a logarithmic axis in the logarithm.
    """
    centres = np.log(centres) if log else np.asarray(centres, float)
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    edges = np.concatenate([[first], middle, [last]])
    return np.exp(edges) if log else edges
