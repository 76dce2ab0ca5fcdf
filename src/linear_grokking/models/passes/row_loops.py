"""Compiled loops over the rows of training sets, one realization after another.

`row_pass` and `stretches` call them.  All are in one file, because Numba keeps compiled code on
disk until the file of the called function changes, whatever that function calls in turn.
"""

import math
from functools import partial

import numpy as np

from linear_grokking.models.passes.weighing import EXPONENTIAL, LOGISTIC
from linear_grokking.runtime.compiled import compile_kept

# Weights are rounded to float32 in units of the first few.  If others exceed these by this
# factor, everything is computed again in units of the largest.
_ROOM = 1e15
# Smaller weights are set to 0: products near the end of float32's range take a hundred times
# longer.
_NEGLIGIBLE = 1e-30
_TINY = 1e-300

RESOLVED = -600.0
"""The logarithm of a largest weight down to which the loops resolve the weights."""

# Sums may be taken in any order, as in BLAS; infinities and NaN are preserved.
_compile = partial(
    compile_kept, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)
# The order counts where factors of a product may be out of range although it is not.
_compile_in_order = partial(compile_kept, nogil=True, error_model="numpy")


@_compile
def sweep(inputs, vectors, offsets, weighing, factors, first, last, outputs):  # pragma: no cover
    """Fill outputs (R, N) from some rows; return their pull-back (R, d) and total (R,)."""
    realizations, _, d = inputs.shape
    pull_back = np.empty((realizations, d))
    totals = np.empty(realizations)
    for k in range(realizations):
        of_rows = (
            inputs[k, first:last],
            vectors[k],
            offsets[k],
            weighing,
            factors[k, first:last],
            outputs[k, first:last],
        )
        sums = np.zeros(d, inputs.dtype)
        total, unit, largest = _sweep_rows(of_rows, 0.0, sums)
        if largest > _ROOM * unit:
            sums[:] = 0
            total, unit, largest = _sweep_rows(of_rows, largest, sums)
        totals[k] = total
        for j in range(d):
            pull_back[k, j] = unit * sums[j]
    return pull_back, totals


@_compile
def _sweep_rows(of_rows, unit, sums):  # pragma: no cover
    """Fill outputs (n,), and add Xᵀw to sums (d,) in a unit; with unit 0 the loop chooses one.

    The pull-back of four rows, still in the cache, is added in the loop that reads the next
    four.  Beyond the last row, that row is read again with weight 0.

    Returns Σw, the unit, and the largest |w|.
    """
    rows, vector, offset, weighing, factors, outputs = of_rows
    n, d = rows.shape
    end = n - 1
    zero = vector.dtype.type(0)
    found = np.zeros(4, vector.dtype)
    weights = np.zeros(4, vector.dtype)  # of the four rows before
    exact = np.zeros(4)
    total = largest = 0.0
    for i in range(0, n, 4):
        r0, r1 = rows[i], rows[min(i + 1, end)]
        r2, r3 = rows[min(i + 2, end)], rows[min(i + 3, end)]
        q = max(i - 4, 0)
        q0, q1 = rows[q], rows[min(q + 1, end)]
        q2, q3 = rows[min(q + 2, end)], rows[min(q + 3, end)]
        w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
        o0 = o1 = o2 = o3 = zero
        for j in range(d):
            v = vector[j]
            o0 += r0[j] * v
            o1 += r1[j] * v
            o2 += r2[j] * v
            o3 += r3[j] * v
            sums[j] += w0 * q0[j] + w1 * q1[j] + w2 * q2[j] + w3 * q3[j]
        found[0], found[1], found[2], found[3] = o0, o1, o2, o3
        for k in range(4):
            exact[k] = 0.0
            if i + k < n:
                outputs[i + k] = found[k] + offset
                exact[k] = _weight(weighing, outputs[i + k], factors[i + k])
            total += exact[k]
            largest = max(largest, abs(exact[k]))
        if unit == 0.0:
            unit = max(largest, _TINY)
        for k in range(4):
            scaled = exact[k] * (1.0 / unit)
            weights[k] = 0.0 if abs(scaled) < _NEGLIGIBLE else scaled
    q = end - end % 4
    for k in range(n - q):
        for j in range(d):
            sums[j] += weights[k] * rows[q + k, j]
    return total, unit, largest


@_compile
def _weight(weighing, output, factor):  # pragma: no cover
    """Return the weight of one sample; `weighing` has the numbers of the ways."""
    product = factor * output
    if weighing == LOGISTIC:
        return factor / (1.0 + math.exp(-product))
    if weighing == EXPONENTIAL:
        return factor * math.exp(product)
    return product


@_compile
def descend(sets, eta, steps, state):  # pragma: no cover
    """See `stretches.Stretches.descend`; sets are those of `Stretches`."""
    realizations, width = state.shape
    rate = np.empty_like(state)
    outputs = np.empty(sets[0].shape[:2])
    for _ in range(steps):
        _slope(sets, state, -eta, outputs, rate)
        for k in range(realizations):
            rate[k, -1] = math.exp(state[k, -2])
            for j in range(width):
                state[k, j] += rate[k, j]


@_compile
def adapt(sets, rates, done, steps, params, clock, moments, units):  # pragma: no cover
    """See `stretches.Stretches.adapt`; sets are those of `Stretches`."""
    inputs, signs, weighing, has_bias, _ = sets
    eta, (beta1, beta2), (log_beta1, log_beta2), log_epsilon = rates
    (weights, bias), (first, second) = params, moments
    realizations, n, d = inputs.shape
    vectors = np.empty((realizations, d), inputs.dtype)
    outputs = np.empty((realizations, n))
    scales = np.empty(realizations)
    for taken in range(steps):
        for k in range(realizations):
            for j in range(d):
                vectors[k, j] = weights[k, j]
        pull_back, totals = sweep(inputs, vectors, bias, weighing, signs, 0, n, outputs)
        for k in range(realizations):
            largest = signs[k, 0] * outputs[k, 0]
            for i in range(1, n):
                largest = max(largest, signs[k, i] * outputs[k, i])
            scales[k] = _log_slope(weighing, largest)
            if scales[k] < RESOLVED:
                return taken
            if not has_bias:
                totals[k] = 0.0
        rate = eta / (1.0 - beta1 ** (done + taken + 1))
        root = (1.0 - beta2 ** (done + taken + 1)) ** -0.5
        for k in range(realizations):
            clock[k] += math.exp(bias[k])
            unit = max(scales[k], units[k] + max(log_beta1, 0.5 * log_beta2))
            fallen = units[k] - unit
            units[k] = unit
            of_first = math.exp(log_beta1 + fallen), 1.0 - beta1
            of_second = math.exp(log_beta2 + 2.0 * fallen), 1.0 - beta2
            guard, new = math.exp(log_epsilon - unit), math.exp(-unit) / n
            factors = rate, root, guard, new, of_first, of_second
            _adapt_row(factors, pull_back[k], weights[k], first[0][k], second[0][k])
            one = slice(k, k + 1)
            _adapt_row(factors, totals[one], bias[one], first[1][one], second[1][one])
    return steps


@_compile_in_order
def _adapt_row(factors, sums, theta, first, second):  # pragma: no cover
    """Take a step of Adam from θ (n,) and moments in their new unit, given Xᵀw or Σw."""
    rate, root, guard, new, (kept1, new1), (kept2, new2) = factors
    for j in range(len(theta)):
        slope = new * sums[j]
        first[j] = kept1 * first[j] + new1 * slope
        second[j] = kept2 * second[j] + new2 * slope * slope
        size = root * math.sqrt(second[j]) + guard
        theta[j] -= rate * first[j] / (size if size > 0.0 else 1.0)


@_compile
def _log_slope(weighing, margin):  # pragma: no cover
    """Return log ℓ'(m) for the number of a loss, as the `log_slope` of the loss does."""
    if weighing == LOGISTIC:
        size = abs(margin)
        return 0.5 * (margin - size) - math.log1p(math.exp(-size))
    return margin


@_compile
def log_time_stages(sets, eta, s, y, rate, step, weights, times):  # pragma: no cover
    """See `stretches.Stretches.log_time_stages`; y and rate are (R, d + 2)."""
    earlier, before = y.copy(), y.copy()
    latest = rate.copy()
    outputs = np.empty(sets[0].shape[:2])
    for stage in range(len(weights)):
        of_y, of_rate, of_latest = weights[stage, 0], weights[stage, 1], weights[stage, 4]
        of_before, of_earlier = weights[stage, 2 + stage % 2], weights[stage, 3 - stage % 2]
        for k in range(len(y)):
            for j in range(y.shape[1]):
                earlier[k, j] = (
                    of_y * y[k, j]
                    + of_earlier * earlier[k, j]
                    + of_before * before[k, j]
                    + step * (of_rate * rate[k, j] + of_latest * latest[k, j])
                )
        earlier, before = before, earlier
        _log_time_rate(sets, eta, s + times[stage] * step, before, outputs, latest)
    return before, latest, outputs


@_compile
def _log_time_rate(sets, eta, s, y, outputs, rate):  # pragma: no cover
    """Fill rate with dy/ds, y = (S, b, log(1 + τ)), and outputs (R, N)."""
    _slope(sets, y, -eta * math.exp(s), outputs, rate)
    for k in range(len(y)):
        rate[k, -1] = math.exp(s + y[k, -2] - y[k, -1])


@_compile
def _slope(sets, state, factor, outputs, slope):  # pragma: no cover
    """Fill slope (R, d + 2) with a factor times gradient and decay of S and b; outputs (R, N)."""
    inputs, signs, weighing, has_bias, (decay, bias_decay) = sets
    realizations, n, d = inputs.shape
    vectors = np.empty((realizations, d), inputs.dtype)
    offsets = np.empty(realizations)
    for k in range(realizations):
        offsets[k] = state[k, d]
        for j in range(d):
            vectors[k, j] = state[k, j]
    pull_back, totals = sweep(inputs, vectors, offsets, weighing, signs, 0, n, outputs)
    mean = factor / n
    for k in range(realizations):
        slope[k, d] = mean * totals[k] + factor * bias_decay * offsets[k] if has_bias else 0.0
        for j in range(d):
            slope[k, j] = mean * pull_back[k, j] + factor * decay * state[k, j]
