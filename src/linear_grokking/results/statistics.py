"""Reduction of realizations' numbers and curves to medians, means and counts.

A summary is a long table, one row per quantity and step:

===================  =======================================================================
``quantity``         name
``step``             step of a curve, null for a scalar
``n``                realizations in the quantiles: all for which the quantity is defined
``n_infinite``       of these, known to be infinite
``n_censored``       of these, not reached before the run ended
``n_left_out``       realizations that the mean leaves out: infinite, censored or undefined
``mean``             over the finite values
``standard_error``   of that mean, from the sample standard deviation
``median``, ``q05``  quantiles; infinite and censored values count as +inf, the largest
``q25``, ``q75``,
``q95``
``low``, ``high``    95 % interval: of the median by order statistics, or of the proportion
                     (Wilson's); for a proportion ``mean`` is the proportion
===================  =======================================================================

Undefined numbers (a mean of nothing, a standard error of one value) are null, never NaN;
an infinite quantile is inf.
"""

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd

from linear_grokking.shapes import Columns

CONFIDENCE = 0.95
# Not from SciPy, whose import takes longer than most summaries.
_DEVIATIONS = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
COUNTS = ("n", "n_infinite", "n_censored", "n_left_out")
QUANTILES = {"median": 0.5, "q25": 0.25, "q75": 0.75, "q05": 0.05, "q95": 0.95}
COLUMNS = ("quantity", "step", *COUNTS, "mean", "standard_error", *QUANTILES, "low", "high")


def frame(columns: "Columns | pd.DataFrame") -> "pd.DataFrame":
    """Return a summary as a data frame, with null for undefined numbers."""
    import pandas as pd  # only for readers: jobs write columns, and need not wait for it

    numbers = dict.fromkeys((name for name in COLUMNS if name not in COUNTS), "Float64")
    return pd.DataFrame(columns).astype(numbers | {"quantity": "str"})


def of_values(quantity: str, values: ArrayLike, *, censored: ArrayLike | None = None) -> Columns:
    """Summarize one number per realization.

    Parameters
    ----------
    values : (R,)
        inf is a value; NaN or null marks realizations where the quantity is undefined.
    censored : (R,) bool, optional
        Where an infinite value means "not before the run ended".

    Returns
    -------
    Columns
        One row; see the module's docstring.
    """
    values = as_floats(values)
    defined = ~np.isnan(values)
    censored = np.zeros(values.shape, bool) if censored is None else np.asarray(censored, bool)
    if values.ndim != 1 or censored.shape != values.shape:
        raise ValueError(
            f"{quantity}: values and censored must be vectors of one length; "
            f"got shapes {values.shape} and {censored.shape}"
        )
    if np.isfinite(values[censored]).any():
        raise ValueError(f"{quantity}: a censored value must be infinite or undefined")
    return _table(
        quantity,
        [np.nan],
        values[defined, np.newaxis],
        n_censored=int(np.sum(censored & defined)),
        n_undefined=int(np.sum(~defined)),
    )


def of_curve(quantity: str, steps: ArrayLike, values: ArrayLike) -> Columns:
    """Summarize curves over shared steps.

    Parameters
    ----------
    steps : (T,)
    values : (R, T)
        Without NaN.

    Returns
    -------
    Columns
        T rows; see the module's docstring.
    """
    steps, values = np.asarray(steps, float), as_floats(values)
    if values.ndim != 2 or values.shape[1:] != steps.shape:
        raise ValueError(
            f"{quantity}: values must be (realizations, steps); "
            f"got shapes {values.shape} and {steps.shape}"
        )
    if np.isnan(values).any():
        raise ValueError(f"{quantity}: a curve must not hold NaN or null")
    return _table(quantity, steps, values)


def of_proportion(quantity: str, successes: int, n: int) -> Columns:
    """Summarize a count of successes among n realizations: one row, ``mean`` = successes/n."""
    low, high = wilson_interval(successes, n)
    proportion = successes / n if n else np.nan
    error = np.sqrt(proportion * (1 - proportion) / n) if n else np.nan
    numbers = {"mean": proportion, "standard_error": error, "low": low, "high": high}
    return _columns(quantity, [np.nan], n=n, **numbers)


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion; (0, 1) where n is 0."""
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n={n}; got {successes}")
    if n == 0:
        return 0.0, 1.0
    z2 = _DEVIATIONS**2
    centre = (successes + z2 / 2) / (n + z2)
    spread = np.sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    # Without a success, or without a failure, that end is exactly 0 or 1.
    low = float(centre - spread) if successes > 0 else 0.0
    return low, float(centre + spread) if successes < n else 1.0


def median_interval(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of the median between order statistics.

    It holds whatever the distribution, with a coverage of at least 95 %: the k-th smallest
    and the k-th largest value, k the largest with P(Binomial(R, ½) < k) ≤ 2.5 %.

    Parameters
    ----------
    values : (R, ...)
        inf allowed, NaN not.

    Returns
    -------
    low, high : (...)
        NaN where R < 6: no pair of order statistics covers 95 %.
    """
    values = np.sort(np.asarray(values, float), axis=0)
    rank = _median_rank(len(values))
    if rank == 0:
        undefined = np.full(values.shape[1:], np.nan)
        return undefined, undefined
    return values[rank - 1], values[-rank]


def _median_rank(r: int) -> int:
    """Return the largest k with P(Binomial(r, ½) < k) ≤ 2.5 %."""
    k = np.arange(1, r + 1)
    log_ways = np.cumsum(np.log((r - k + 1) / k))
    below = np.cumsum(np.exp(np.append(0.0, log_ways) - r * np.log(2.0)))
    return int(np.searchsorted(below, (1 - CONFIDENCE) / 2))


def deviation_interval(values: ArrayLike) -> tuple[float, float, float]:
    """Return the sample standard deviation with its 95 % interval, whatever the distribution.

    Its logarithm is taken as normal, with the standard error that the fourth moment gives.

    Parameters
    ----------
    values : (R,)
        Finite.

    Returns
    -------
    value, low, high
        NaN where R < 2.
    """
    values = as_floats(values)
    if len(values) < 2:
        return np.nan, np.nan, np.nan
    value = float(values.std(ddof=1))
    standard = (values - values.mean()) / value
    error = np.sqrt(max(np.mean(standard**4) - 1.0, 0.0) / len(values)) / 2.0
    factor = float(np.exp(_DEVIATIONS * error))
    return value, value / factor, value * factor


def quantile(values: ArrayLike, probability: float) -> np.ndarray:
    """Return a quantile over the leading axis; infinite values are allowed.

    The inverse of the empirical distribution, with the mean of the two values where it
    jumps (type 2 of Hyndman and Fan 1996): the usual median for even numbers of values.
    Where these two are -inf and inf, the quantile is inf.

    Parameters
    ----------
    values : (R, ...)
        R ≥ 1; inf allowed, NaN not.
    """
    values = np.sort(np.asarray(values, float), axis=0)
    position = len(values) * probability
    lower = values[max(int(np.ceil(position)) - 1, 0)]
    upper = values[min(int(np.floor(position)), len(values) - 1)]
    opposite = np.isinf(lower) & np.isinf(upper) & (lower != upper)
    return np.add(lower / 2, upper / 2, out=np.array(upper), where=~opposite & (lower != upper))


def _table(
    quantity: str,
    steps: ArrayLike,
    values: np.ndarray,
    *,
    n_censored: int = 0,
    n_undefined: int = 0,
) -> Columns:
    """Return the rows of a quantity from its defined values (R, T)."""
    infinite = np.isinf(values)
    n_infinite = infinite.sum(axis=0)
    mean, error = _mean_and_error(values, ~infinite)
    low, high = median_interval(values)
    undefined = np.full(values.shape[1], np.nan)
    return _columns(
        quantity,
        steps,
        n=len(values),
        n_infinite=n_infinite - n_censored,
        n_censored=n_censored,
        n_left_out=n_infinite + n_undefined,
        mean=mean,
        standard_error=error,
        **{
            name: quantile(values, p) if len(values) else undefined for name, p in QUANTILES.items()
        },
        low=low,
        high=high,
    )


def _columns(quantity: str, steps: ArrayLike, **numbers: ArrayLike) -> Columns:
    """Return all columns of a summary, in order; absent counts are 0, other numbers NaN."""
    steps = np.asarray(steps, float)
    found = {"quantity": np.full(steps.shape, quantity), "step": steps}
    for name in COLUMNS[2:]:
        kind, absent = (np.int64, 0) if name in COUNTS else (np.float64, np.nan)
        found[name] = np.full(steps.shape, numbers.get(name, absent), kind)
    return found


def _mean_and_error(values: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error of the kept values (R, T); NaN where undefined."""
    count = keep.sum(axis=0)
    kept = np.where(keep, values, 0.0)
    # Losses of separable sets come near the largest float: scale by a power of two, which
    # is exact, so that neither sum nor square overflows.
    _, exponent = np.frexp(np.abs(kept).max(axis=0, initial=0.0))
    scaled = np.ldexp(kept, -exponent)
    scaled_mean = scaled.sum(axis=0) / np.maximum(count, 1)
    squares = np.where(keep, scaled - scaled_mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1))
    error = np.ldexp(deviation / np.sqrt(np.maximum(count, 1)), exponent)
    mean = np.where(count > 0, np.ldexp(scaled_mean, exponent), np.nan)
    return mean, np.where(count > 1, error, np.nan)


def as_floats(values: Any) -> np.ndarray:
    """Return values as float64, null as NaN."""
    if hasattr(values, "to_numpy"):  # a column of a data frame
        return values.to_numpy(float, na_value=np.nan)
    return np.asarray(values, float)
