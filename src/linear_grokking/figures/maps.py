"""Maps: values on a grid of two parameters, drawn cell by cell, without interpolation."""

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
    parameters: dict[str, Any],
) -> None:
    """Add a map: z (y's length, x's length) at the cells' centres, infinite values as null."""
    columns, rows = np.meshgrid(x, y)
    value = np.where(np.isfinite(z), z, np.nan).ravel()
    builder.add(
        panel, "time", "theory", columns.ravel(), rows.ravel(), z=value, parameters=parameters
    )


def draw_map(axes: Axes, rows: pd.DataFrame, **options: Any) -> QuadMesh:
    """Draw a panel's rows as coloured cells, null left white; set the axes' scales first.

    ``options`` go to ``pcolormesh``: cmap, norm.
    """
    grid = rows.pivot(index="y", columns="x", values="z")
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
