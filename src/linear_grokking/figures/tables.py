"""Figure tables: how they are built, and the results they are built from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from linear_grokking.config import experiments, text
from linear_grokking.results import storage
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import of_values

PARAMETERS = (*experiments.PARAMETERS, "separable", "realization")
"""Columns that tell series apart: configuration keys, and what tells draws apart."""

_KEYS = ("panel", "series", "source")
_VALUES = ("x", "y", "y_low", "y_high", "z")
_SPREADS = {"median": ("median", "q25", "q75"), "proportion": ("mean", "low", "high")}


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
        parameters: Mapping[str, Any] | None = None,
        *,
        y_low: Any = None,
        y_high: Any = None,
        n: Any = None,
        z: Any = None,
    ) -> None:
        """Add one curve (or one point, or the cells of a map).

        Parameters
        ----------
        panel, series
            Plain names, as in the data contract (docs/data.md).
        source
            ``"experiment"``, ``"theory"`` or ``"paper"``.
        x, y, y_low, y_high, n, z
            Arrays of one length, or scalars, which hold for all rows; None leaves the column
            null.  NaN stands for what does not exist and is stored as null.
        parameters
            Parameters that tell this series from others; keys are among `PARAMETERS`.
        """
        values = {"x": x, "y": y, "y_low": y_low, "y_high": y_high, "n": n, "z": z}
        given = {k: _column(v) for k, v in values.items() if v is not None}
        length = max(len(v) for v in given.values())
        names = {"panel": panel, "series": series, "source": source}
        columns = {k: np.broadcast_to(v, length) for k, v in given.items()}
        self._parts.append(pd.DataFrame({**names, **columns, **(parameters or {})}))

    def add_summary(
        self,
        panel: str,
        series: str,
        x: Any,
        summary: Any,
        parameters: Mapping[str, Any] | None = None,
        statistic: str = "median",
    ) -> None:
        """Add what was summarized over realizations: one row of a summary, or a curve's rows.

        Parameters
        ----------
        statistic
            ``"median"`` with quartiles, ``"mean"`` with standard errors (over the realizations
            where the quantity is finite), or ``"proportion"`` with its 95 % interval.
        """
        n = summary["n"]
        if statistic == "mean":
            y, error = summary["mean"], summary["standard_error"]
            low, high = y - error, y + error
            n = n - summary["n_infinite"] - summary["n_censored"]
        else:
            y, low, high = (summary[name] for name in _SPREADS[statistic])
        self.add(panel, series, "experiment", x, y, parameters, y_low=low, y_high=high, n=n)

    def add_values(
        self,
        panel: str,
        series: str,
        x: Any,
        values: Any,
        parameters: Mapping[str, Any] | None = None,
        statistic: str = "median",
    ) -> None:
        """Add a statistic of `add_summary` over one number per realization.

        Parameters
        ----------
        values : (R,)
            May be inf; NaN or null marks realizations where the quantity is undefined.
        """
        self.add_summary(panel, series, x, of_values(series, values), parameters, statistic)

    def frame(self) -> pd.DataFrame:
        """Return the table, columns in the order of the data contract."""
        table = pd.concat(self._parts, ignore_index=True)
        values = [name for name in _VALUES if name != "z" or name in table]
        first = [*_KEYS, *values, "n"]
        table = table.reindex(columns=[*first, *table.columns.difference(first, sort=False)])
        return table.astype({**dict.fromkeys(values, "float64"), "n": "Int64"})


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its parameters in the order of the configuration.

    Raises
    ------
    ValueError
        For a column that is neither a parameter nor part of the data contract.
    """
    first = [name for name in (*_KEYS, *_VALUES, "n") if name in table]
    unknown = sorted(set(table.columns) - {*first, *PARAMETERS})
    if unknown:
        raise ValueError(f"parameters {unknown}: a table knows {', '.join(PARAMETERS)}")
    return table[[*first, *(name for name in PARAMETERS if name in table)]]


def rows(
    table: pd.DataFrame,
    panel: str | None = None,
    series: str | None = None,
    source: str | None = None,
    **parameters: Any,
) -> pd.DataFrame:
    """Return the rows of a panel, a series and a source, or of all where one is None.

    ``parameters`` have the names of their columns; λ is ``lambda_``.
    """
    for key, value in {"panel": panel, "series": series, "source": source, **parameters}.items():
        if value is not None:
            table = table[table[key.removesuffix("_")] == value]
    return table


def percent(table: pd.DataFrame) -> str:
    """Write the accuracy that counts as reached in a figure's table: 95 %."""
    return text.percent(table.attrs["threshold"])


def time_label(table: pd.DataFrame) -> str:
    """Name an axis of times to the accuracy of a figure's table."""
    return f"time to {percent(table)} accuracy (steps)"


def multiple(summary: pd.Series, factor: float) -> pd.Series:
    """Return the summary of a multiple of a quantity."""
    names = [*_SPREADS["median"], "mean", "standard_error"]
    return pd.concat([summary.drop(names), factor * summary[names]])


def transformed(summary: pd.DataFrame, function: Callable[[np.ndarray], Any]) -> pd.DataFrame:
    """Return the summary of an increasing function of a quantity: its median and quartiles."""
    quantiles = {name: function(summary[name].to_numpy(float)) for name in _SPREADS["median"]}
    return summary.assign(**quantiles)


def _column(values: Any) -> np.ndarray:
    """Return numbers as floats, with missing ones (`pandas.NA` of a summary) as NaN."""
    return pd.Series(np.atleast_1d(values)).astype("Float64").to_numpy(float, na_value=np.nan)


def read_table(
    root: Path, figure: str, made_of: str
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Return the request that a figure's table was made from, its provenance, and the table.

    Parameters
    ----------
    made_of
        Digest of what the table must be made of.

    Raises
    ------
    StorageError
        If it cannot be read, or is made of something else.
    """
    table = storage.read_table(root / f"figures/tables/{figure}.parquet", made_of=made_of)
    return *storage.metadata(table.schema), table.to_pandas()


class FigureData:
    """The results that a figure's table is made from, by role.

    Attributes
    ----------
    figure
        The figure's ID.
    threshold, loss_threshold
        Accuracy and loss that count as reached.
    """

    def __init__(self, root: Path, request: Mapping[str, Any]):
        self.figure: str = request["figure"]
        self.threshold: float = request["threshold"]
        self.loss_threshold: float = request["loss_threshold"]
        self._runs = {
            role: [RunResult(root, **run) for run in runs] for role, runs in request["runs"].items()
        }

    def runs(self, *roles: str) -> list[RunResult]:
        """Return the runs of one or more roles, in the order of the configuration's grid."""
        return [run for role in roles for run in self._runs[role]]
