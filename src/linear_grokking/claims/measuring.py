"""Numbers with intervals, as claims need them.

Each function takes the values and the runs that they come from.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import chdtrc, gammaincinv, stdtrit

from linear_grokking.claims.verdict import Measurement, Undecidable
from linear_grokking.results import statistics
from linear_grokking.results.reading import RunResult

SIGNIFICANCE = 0.01
"""A test whose p-value is at least this agrees with its prediction."""


def mean_of(values: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the mean with Student's interval.

    There is no interval for fewer than two values, or if one is inf or NaN.
    """
    values = np.asarray(values, float)
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        return Measurement.unknown(n, *runs, value=values.mean() if n else np.nan)
    spread = stdtrit(n - 1, (1 + statistics.CONFIDENCE) / 2) * values.std(ddof=1) / np.sqrt(n)
    mean = float(values.mean())
    return Measurement(mean, mean - spread, mean + spread, n, runs)


def geometric_mean_of(values: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the geometric mean with Student's interval of the logarithms.

    There is no mean and no interval unless all values are positive and finite; a time that was
    not reached is infinite.
    """
    values = np.asarray(values, float)
    if not (np.isfinite(values) & (values > 0)).all():
        return Measurement.unknown(len(values), *runs)
    mean = mean_of(np.log(values))
    value, low, high = (float(np.exp(each)) for each in (mean.value, mean.low, mean.high))
    return Measurement(value, low, high, mean.n, runs)


def median_of(values: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the median with its interval by order statistics; values may be inf.

    Fewer than six values have no such interval, and there is no median if one is NaN.
    """
    values = np.asarray(values, float)
    if not len(values) or np.isnan(values).any():
        return Measurement.unknown(len(values), *runs)
    low, high = (float(edge) for edge in statistics.median_interval(values))
    return Measurement(float(statistics.quantile(values, 0.5)), low, high, len(values), runs)


def deviation_of(values: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the standard deviation with its interval.

    Neither exists for fewer than two values, or if one is inf or NaN.
    """
    values = np.asarray(values, float)
    if len(values) < 2 or not np.isfinite(values).all():
        return Measurement.unknown(len(values), *runs)
    return Measurement(*statistics.deviation_interval(values), len(values), runs)


def hill_exponent_of(values: ArrayLike, share: float, *runs: RunResult) -> Measurement:
    """Return the exponent a of P(x > X) ~ X^-a from a share of the largest values (Hill 1975).

    The mean logarithm of their ratios to the next smaller value is 1/a times a gamma variable,
    which gives the interval.  Fewer than ten values have none.
    """
    values = np.sort(np.asarray(values, float))[::-1]
    count = int(share * len(values))
    if count < 10 or not np.isfinite(values).all():
        return Measurement.unknown(len(values), *runs)
    exponent = float(1.0 / np.mean(np.log(values[:count] / values[count])))
    tail = (1 - statistics.CONFIDENCE) / 2
    low, high = (exponent * float(gammaincinv(count, p)) / count for p in (tail, 1 - tail))
    return Measurement(exponent, low, high, len(values), runs)


def extremes_of(values: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the mean, with the smallest and largest value as ends, for what is said of each."""
    values = np.asarray(values, float)
    if not len(values):
        return Measurement.unknown(0, *runs)
    mean, low, high = (float(f(values)) for f in (np.mean, np.min, np.max))
    ends = Measurement.exact(low), Measurement.exact(high)
    return Measurement(mean, low, high, len(values), runs, ends)


def proportion_of(hits: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the fraction of hits with Wilson's interval."""
    hits = np.asarray(hits, bool)
    edges = statistics.wilson_interval(int(hits.sum()), len(hits))
    return Measurement(float(hits.mean()) if len(hits) else np.nan, *edges, len(hits), runs)


def slope_of(x: ArrayLike, y: ArrayLike, *runs: RunResult) -> Measurement:
    """Return the slope of a fitted straight line with Student's interval from its residuals."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    n = sum(run.realizations for run in runs)
    if len(x) < 3:
        return Measurement.unknown(n, *runs)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    residuals = y - y.mean() - slope * centred
    error = np.sqrt(residuals @ residuals / (len(x) - 2) / (centred @ centred))
    spread = float(stdtrit(len(x) - 2, (1 + statistics.CONFIDENCE) / 2) * error)
    return Measurement(slope, slope - spread, slope + spread, n, runs)


def joint_binomial_p(
    successes: ArrayLike, n: ArrayLike, probability: ArrayLike, *runs: RunResult
) -> Measurement:
    """Return the p-value of one joint test of independent counts against given probabilities.

    Pearson's χ² over the points with at least five expected successes and five expected
    failures.  The other points are pooled into one, which is left out if it stays below five.
    Fewer than three points decide nothing: the interval then holds all p-values.
    """
    successes, n, p = np.broadcast_arrays(successes, n, np.asarray(probability, float))
    hits, misses = n * p, n * (1 - p)
    large = np.minimum(hits, misses) >= 5
    deviation, variance, hits, misses = (
        np.append(each[large], each[~large].sum())
        for each in (successes - hits, hits * (1 - p), hits, misses)
    )
    kept = np.minimum(hits, misses) >= 5
    if kept.sum() < 3:
        return Measurement(np.nan, 0.0, 1.0, int(n.sum()), runs)
    value = float(chdtrc(kept.sum(), np.sum(deviation[kept] ** 2 / variance[kept])))
    return Measurement(value, value, value, int(n.sum()), runs)


def furthest(
    measured: Iterable[Measurement],
    distance: Callable[[float], float] = lambda ratio: abs(np.log(ratio)),
) -> Measurement:
    """Return the ratio that is the largest factor away from 1, or furthest by ``distance``.

    What is said of it is said of each measurement, and each is judged.  An unknown one may be
    the furthest, so it goes before all others.
    """
    measured = list(measured)
    runs = tuple(run for one in measured for run in one.runs)
    parts = tuple(part for one in measured for part in one.each or (one,))

    def rank(one: Measurement) -> float:
        return math.inf if math.isnan(one.value) else distance(one.value)

    lows, highs = zip(*(part.interval for part in parts), strict=True)
    worst = max(measured, key=rank)
    return replace(worst, low=min(lows), high=max(highs), runs=runs, each=parts)


def of_shared_draws(runs: Sequence[RunResult], scalar: str) -> np.ndarray:
    """Return a scalar (runs, R) of the realizations that all runs share.

    Raises
    ------
    Undecidable
        If the runs have different seeds: their realizations are not the same draws.
    """
    seeds = {run.seed for run in runs}
    if len(seeds) > 1:
        raise Undecidable(f"the runs have different seeds, {', '.join(sorted(map(str, seeds)))}")
    by_run = [run.scalars.set_index("realization")[scalar] for run in runs]
    return pd.concat(by_run, axis=1, join="inner").to_numpy(float).T


def at_times(run: RunResult, quantity: str, times: ArrayLike) -> np.ndarray:
    """Return a quantity of each realization at a time of its own, (R,), interpolated in log t."""
    steps, values = run.curves(quantity)
    pairs = zip(np.log1p(times), values, strict=True)
    return np.array([np.interp(at, np.log1p(steps), each) for at, each in pairs])


def log_time_average(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Average values (R, T) over log(1 + step), so that every decade counts the same.

    Raises
    ------
    Undecidable
        If there are fewer than two steps.
    """
    if len(steps) < 2:
        raise Undecidable(f"an average over log t needs two records or more, not {len(steps)}")
    clock = np.log1p(steps)
    return np.trapezoid(values, clock, axis=-1) / (clock[-1] - clock[0])


def interpolated(curve: pd.DataFrame, at: float, *, logarithmic: bool = False) -> float:
    """Interpolate y of a table's rows at some x, linearly in both or in both logarithms.

    Raises
    ------
    Undecidable
        If the rows do not reach that x.
    """
    x, y = curve.sort_values("x")[["x", "y"]].to_numpy(float).T
    if not x[0] <= at <= x[-1]:
        raise Undecidable(f"the curve runs from {x[0]:.3g} to {x[-1]:.3g}, without {at:.3g}")
    if logarithmic:
        return float(np.exp(np.interp(np.log(at), np.log(x), np.log(y))))
    return float(np.interp(at, x, y))
