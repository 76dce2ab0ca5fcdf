"""Figure tables: how they are built, and the results they are built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from linear_grokking.runs import KINDS, blocks, blocks_in
from linear_grokking.storage import read_table

PARAMETERS = (
    "model",
    "lambda",
    "d_out",
    "d_h",
    "gamma",
    "epsilon",
    "alpha",
    "noise",
    "activation",
    "n_train",
    "d",
    "sigma",
    "sigma_a",
    "s0_norm",
    "b0",
    "label_fraction",
    "law",
    "loss",
    "solver",
    "t_max",
    "separable",
    "realization",
)
"""Columns that tell series apart, under their configuration keys, in the tables' order."""

_VALUES = ("x", "y", "y_low", "y_high", "z")


class TableBuilder:
    """Collects the curves of a figure into its tidy table."""

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []

    def add(
        self,
        panel: str,
        series: str,
        source: str,
        x: Any,
        y: Any,
        *,
        y_low: Any = None,
        y_high: Any = None,
        n: Any = None,
        z: Any = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one curve (or one point, or the cells of a map).

        Parameters
        ----------
        panel, series
            Plain names by the data contract (docs/data.md).
        source
            ``"experiment"``, ``"theory"`` or ``"paper"``.
        x, y, y_low, y_high, n, z
            Scalars or arrays of one length; None leaves the column null.  NaN stands for
            what does not exist and is stored as null.
        parameters
            What tells this series from others, under configuration keys; keys that are not
            in `PARAMETERS` are left out.
        """
        values = {"x": x, "y": y, "y_low": y_low, "y_high": y_high, "n": n, "z": z}
        given = {k: _column(v) for k, v in values.items() if v is not None}
        length = max(len(v) for v in given.values())
        part = pd.DataFrame({k: np.broadcast_to(v, length) for k, v in given.items()})
        part.insert(0, "panel", panel)
        part.insert(1, "series", series)
        part.insert(2, "source", source)
        for key, value in (parameters or {}).items():
            if key in PARAMETERS:
                part[key] = value
        self._parts.append(part)

    def frame(self) -> pd.DataFrame:
        """Return the table, columns in the order of the data contract."""
        table = pd.concat(self._parts, ignore_index=True)
        present = set(table.columns)
        values = [name for name in _VALUES if name != "z" or "z" in present]
        for name in (*values, "n"):
            if name not in table:
                table[name] = np.nan
        table[values] = table[values].astype("float64")
        table["n"] = table["n"].astype("Int64")
        order = ["panel", "series", "source", *values, "n"]
        return table[[*order, *(name for name in PARAMETERS if name in present)]]


def _column(values: Any) -> np.ndarray:
    """Return numbers as floats, what is missing (`pandas.NA` of a summary) as NaN."""
    return pd.Series(np.atleast_1d(values)).astype("Float64").to_numpy(float, na_value=np.nan)


@dataclass(frozen=True)
class RunResult:
    """The stored results of one run, as a figure sees them.

    Attributes
    ----------
    parameters
        The grid point under its configuration keys, λ as the user wrote it.
    realizations
        How many realizations the configuration asks for.
    """

    root: Path
    run_id: str
    parameters: Mapping[str, Any]
    realizations: int

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The run's summary: quantity, step, n, mean, median, quartiles, … (docs/data.md)."""
        return read_table(self.root / f"results/summaries/{self.run_id}.parquet").to_pandas()

    def curve(self, quantity: str) -> pd.DataFrame:
        """Return the rows of a quantity that depends on the step, in order of steps."""
        rows = self.summary[self.summary["quantity"] == quantity]
        return rows.dropna(subset="step").sort_values("step", ignore_index=True)

    def scalar(self, quantity: str) -> pd.Series:
        """Return the one row of a quantity that does not depend on the step.

        Raises
        ------
        KeyError
            If the summary has no such quantity.
        """
        rows = self.summary[(self.summary["quantity"] == quantity) & self.summary["step"].isna()]
        if rows.empty:
            raise KeyError(f"the summary of run {self.run_id} has no quantity {quantity!r}")
        return rows.iloc[0]

    def rows(self, measure: str = "dynamics") -> pd.DataFrame:
        """Return the rows of all realizations, each realization once."""
        folder = self.root / "results" / KINDS[measure] / self.run_id
        return read_blocks(folder, self.realizations)


def read_blocks(folder: Path, realizations: int) -> pd.DataFrame:
    """Read the first so many realizations from the blocks in a folder, each once.

    Raises
    ------
    StorageError
        If a block is missing or damaged.
    """
    parts = []
    start = 0
    for block in blocks(realizations, realizations, blocks_in(folder)):
        rows = read_table(folder / f"{block}.parquet").to_pandas()
        last = min(block.last, realizations - 1)
        parts.append(rows[rows["realization"].between(start, last)])
        start = last + 1
    return pd.concat(parts, ignore_index=True)


class FigureData:
    """The results that a figure's table is made from, by role."""

    def __init__(self, root: Path, request: Mapping[str, Any]):
        self.threshold: float = request["threshold"]
        self._runs: Mapping[str, Sequence[Mapping[str, Any]]] = request["runs"]
        self._root = root

    def runs(self, role: str) -> list[RunResult]:
        """Return the runs of a role, in the order of the configuration's grid."""
        return [RunResult(self._root, **run) for run in self._runs[role]]
