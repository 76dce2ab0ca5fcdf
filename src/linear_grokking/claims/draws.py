"""Single realizations of logistic runs, with what becomes of each at t → ∞."""

import numpy as np
import pandas as pd

from linear_grokking.claims.registry import Evidence
from linear_grokking.claims.verdict import Undecidable
from linear_grokking.figures.logistic_panels import limit_accuracies, pair_runs
from linear_grokking.results.reading import RunResult


def draws_of(
    evidence: Evidence, dynamics: str, separability: str, query: str
) -> list[tuple[RunResult, pd.DataFrame]]:
    """Return runs with their realizations: scalars, and the columns of `limit_accuracies`.

    Parameters
    ----------
    dynamics, separability
        Roles of runs on the same sets.
    query
        Tells by their columns and ``lambda_`` which realizations to look at; runs without any
        are left out.

    Raises
    ------
    Undecidable
        If none is left.
    """
    found = []
    for run, sets in pair_runs(evidence.runs(dynamics), evidence.runs(separability)):
        draws = run.scalars.merge(limit_accuracies(run, sets), on="realization")
        draws = draws.assign(lambda_=run.parameters["lambda"]).query(query)
        found += [(run, draws)] if len(draws) else []
    if not found:
        raise Undecidable(f"no realization of {dynamics} is {query!r}")
    return found


def column(draws: list[tuple[RunResult, pd.DataFrame]], name: str) -> np.ndarray:
    """Return one column of all these realizations, one after another."""
    return np.concatenate([each[name].to_numpy(float) for _, each in draws])


def slopes_in_log_time(run: RunResult, draws: pd.DataFrame, *names: str) -> list[np.ndarray]:
    """Return the slopes d/d log t of observables over the second half of log t, each (R,)."""
    steps, *curves = run.only(draws["realization"]).curves(*names)
    half = np.searchsorted(steps, np.sqrt(steps[-1]))
    decades = np.log(steps[-1] / steps[half])
    return [(curve[:, -1] - curve[:, half]) / decades for curve in curves]
