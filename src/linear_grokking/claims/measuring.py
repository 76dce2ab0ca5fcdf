"""Numbers with intervals, as claims need them."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, stdtrit

from linear_grokking.claims.verdict import Measurement
from linear_grokking.figures.tables import RunResult
from linear_grokking.statistics import CONFIDENCE, median_interval, quantile, wilson_interval


def mean_of(values: ArrayLike) -> Measurement:
    """Return the mean with Student's interval; without an interval for fewer than two."""
    values = np.asarray(values, float)
    n = len(values)
    if n < 2:
        return Measurement(float(values.mean()) if n else np.nan, -np.inf, np.inf, n)
    spread = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * values.std(ddof=1) / np.sqrt(n)
    mean = float(values.mean())
    return Measurement(mean, mean - spread, mean + spread, n)


def geometric_mean_of(values: ArrayLike) -> Measurement:
    """Return the geometric mean with Student's interval of the logarithms."""
    return transformed(mean_of(np.log(np.asarray(values, float))), np.exp)


def median_of(values: ArrayLike) -> Measurement:
    """Return the median with its interval by order statistics; inf is a value.

    Fewer than six values have no such interval.
    """
    values = np.asarray(values, float)
    low, high = (float(edge) for edge in median_interval(values))
    return Measurement(float(quantile(values, 0.5)), low, high, len(values))


def proportion_of(hits: ArrayLike) -> Measurement:
    """Return the fraction that is true with Wilson's interval."""
    hits = np.asarray(hits, bool)
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return Measurement(float(hits.mean()) if len(hits) else np.nan, low, high, len(hits))


def slope_of(x: ArrayLike, y: ArrayLike, n: int = 0) -> Measurement:
    """Return the slope of a straight line with Student's interval of its residuals."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 3:
        return Measurement(np.nan, -np.inf, np.inf, n)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    residuals = y - y.mean() - slope * centred
    error = np.sqrt(residuals @ residuals / (len(x) - 2) / (centred @ centred))
    spread = float(stdtrit(len(x) - 2, (1 + CONFIDENCE) / 2) * error)
    return Measurement(slope, slope - spread, slope + spread, n)


def transformed(measured: Measurement, function) -> Measurement:
    """Return a measurement under an increasing function."""
    edges = (function(getattr(measured, name)) for name in ("value", "low", "high"))
    return Measurement(*(float(edge) for edge in edges), measured.n)


def joint_binomial_p(successes: ArrayLike, n: ArrayLike, probability: ArrayLike) -> Measurement:
    """Return the p-value of one joint test that independent counts have given probabilities.

    Pearson's χ² over points with five expected successes and failures; the others are pooled
    into one point, which is left out if it stays below five.  Fewer than three such points
    decide nothing: the interval is then that of all p-values.
    """
    successes, n, probability = np.broadcast_arrays(
        *(np.asarray(each, float) for each in (successes, n, probability))
    )
    expected, variance = n * probability, n * probability * (1 - probability)
    large = np.minimum(expected, n - expected) >= 5
    groups = [
        (successes[k] - expected[k], variance[k], expected[k], n[k] - expected[k])
        for k in np.flatnonzero(large)
    ]
    pooled = (successes - expected, variance, expected, n - expected)
    groups.append(tuple(float(each[~large].sum()) for each in pooled))
    kept = [(d, v) for d, v, hits, misses in groups if min(hits, misses) >= 5]
    total = int(n.sum())
    if len(kept) < 3:
        return Measurement(np.nan, 0.0, 1.0, total)
    p = float(chdtrc(len(kept), sum(d**2 / v for d, v in kept)))
    return Measurement(p, p, p, total)


def curves(run: RunResult, *quantities: str) -> tuple[np.ndarray, ...]:
    """Return the recorded steps (T,) and each quantity (R, T) of a run's realizations."""
    rows = run.rows()
    wide = [rows.pivot(index="realization", columns="step", values=name) for name in quantities]
    return wide[0].columns.to_numpy(float), *(each.to_numpy(float) for each in wide)


def log_time_average(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values (R, T) averaged over log(1 + step): every decade counts as much."""
    clock = np.log1p(steps)
    return np.trapezoid(values, clock, axis=-1) / (clock[-1] - clock[0])
