"""Single realizations of logistic runs, with what becomes of each at t → ∞."""

import numpy as np
import pandas as pd

from linear_grokking.claims.registry import Evidence
from linear_grokking.claims.verdict import Undecidable
from linear_grokking.figures.logistic_panels import pair_runs, with_limits
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.results.reading import RunResult, by_value


def draws_of(
    evidence: Evidence, dynamics: str, separability: str, query: str
) -> list[tuple[RunResult, pd.DataFrame]]:
    """Return each run with the table of its realizations (see `with_limits`).

    Parameters
    ----------
    dynamics, separability
        Roles of runs on the same sets.
    query
        Selects realizations by the table's columns and ``lambda_``; runs without any are left
        out.

    Raises
    ------
    Undecidable
        If no realization is left.
    """
    found = []
    for run, sets in pair_runs(evidence.runs(dynamics), evidence.runs(separability)):
        draws = with_limits(run, sets).assign(lambda_=run.parameters["lambda"]).query(query)
        found += [(run, draws)] if len(draws) else []
    if not found:
        raise Undecidable(f"no realization of {dynamics} satisfies {query!r}")
    return found


def by_sigma(evidence: Evidence) -> list[RunResult]:
    """Return the runs ``dynamics`` at the largest λ below ½ by ascending σ; at least two.

    Raises
    ------
    Undecidable
        If there are fewer.
    """
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL)
    _, nearest = max(by_value(runs, "lambda").items())
    if len(nearest) < 2:
        raise Undecidable("the largest λ below ½ has fewer than two values of σ")
    return sorted(nearest, key=lambda run: run.parameters["sigma"])


def column(draws: list[tuple[RunResult, pd.DataFrame]], name: str) -> np.ndarray:
    """Return one column of all these realizations, concatenated."""
    return np.concatenate([each[name].to_numpy(float) for _, each in draws])


def slopes_in_log_time(run: RunResult, draws: pd.DataFrame, *names: str) -> list[np.ndarray]:
    """Return the slopes d/d log t of observables over the second half of log t, each (R,)."""
    steps, *curves = run.only(draws["realization"]).curves(*names)
    half = np.searchsorted(steps, np.sqrt(steps[-1]))
    decades = np.log(steps[-1] / steps[half])
    return [(curve[:, -1] - curve[:, half]) / decades for curve in curves]
