"""Stored results of runs, as figures and claims read them."""

import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from linear_grokking.results import scalars as of_each
from linear_grokking.results.blocks import read_columns
from linear_grokking.results.identity import FOLDERS
from linear_grokking.results.statistics import frame
from linear_grokking.results.storage import read_table
from linear_grokking.results.summaries import summary_of


@dataclass(frozen=True)
class RunResult:
    """The stored results of one run, as a figure sees them.

    Attributes
    ----------
    parameters
        The grid point by configuration key, with λ as the user wrote it.
    seed
        Seed of its draws; None where nothing is drawn.
    realizations
        How many realizations the configuration asks for.
    made_of
        Digest of what its summary and its scalars must be made of.
    chosen
        The realizations to look at; None for all.
    """

    root: Path
    run_id: str
    parameters: Mapping[str, Any]
    seed: int | None
    realizations: int
    made_of: str
    chosen: tuple[int, ...] | None = None

    def only(self, chosen: Collection[int]) -> "RunResult":
        """Return the run restricted to some realizations, whose summary comes from its history."""
        kept = tuple(int(k) for k in chosen)
        return self if kept == tuple(self.drawn) else replace(self, chosen=kept)

    @cached_property
    def scalars(self) -> pd.DataFrame:
        """One row per realization: times, finals, verdicts (`results.scalars`)."""
        return self._kept(read_table(self._file("scalars"), made_of=self.made_of).to_pandas())

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The run's summary: quantity, step, n, mean, median, quartiles, … (docs/data.md)."""
        if self.chosen is None:
            return read_summary(self._file("summaries"), made_of=self.made_of)
        return frame(summary_of(self.history, self.scalars, "dynamics"))

    @property
    def drawn(self) -> Sequence[int]:
        """The realizations that are looked at."""
        return range(self.realizations) if self.chosen is None else self.chosen

    @property
    def history(self) -> pd.DataFrame:
        """The rows of all realizations of a dynamics run."""
        return self._rows("dynamics")

    @property
    def outputs(self) -> pd.DataFrame:
        """The rows of all realizations of an outputs run."""
        return self._rows("outputs")

    def curve(self, quantity: str) -> pd.DataFrame:
        """Return the rows of a quantity that depends on the step, in order of steps."""
        rows = self.summary[self.summary["quantity"] == quantity]
        return rows.dropna(subset="step").sort_values("step", ignore_index=True)

    def number(self, quantity: str) -> pd.Series:
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

    def curves(self, *quantities: str) -> tuple[np.ndarray, ...]:
        """Return the recorded steps (T,) and each quantity (R, T) of single realizations."""
        _, *found = of_each.curves(self.history, *quantities)
        return tuple(found)

    def _file(self, folder: str) -> Path:
        return self.root / "results" / folder / f"{self.run_id}.parquet"

    def _rows(self, measure: str) -> pd.DataFrame:
        folder = self.root / "results" / FOLDERS[measure] / self.run_id
        return self._kept(read_blocks(folder, max(self.drawn) + 1))

    def _kept(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows if self.chosen is None else rows[rows["realization"].isin(self.chosen)]


def by_value(runs: Iterable[RunResult], key: str) -> dict[Any, list[RunResult]]:
    """Group runs by their values of a parameter, both in order of appearance."""
    groups: dict[Any, list[RunResult]] = {}
    for run in runs:
        groups.setdefault(run.parameters[key], []).append(run)
    return groups


def read_blocks(folder: Path, realizations: int) -> pd.DataFrame:
    """Return `blocks.read_columns` as a data frame."""
    return pd.DataFrame(read_columns(folder, realizations))


def read_summary(path: Path | zipfile.Path, *, made_of: str | None = None) -> pd.DataFrame:
    """Read a run's summary; arguments and errors as those of `storage.read_table`."""
    return frame(read_table(path, made_of=made_of).to_pandas())
