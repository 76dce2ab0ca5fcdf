"""The compiled loop of literal mini-batch steps on the linear model.

NumPy would first have to gather a batch's rows; here each row is read in place.
"""

from functools import partial

import numpy as np

from linear_grokking.runtime.compiled import compile_kept

# Sums may be taken in any order, as by BLAS; infinities and NaN are respected.
_compile = partial(
    compile_kept, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)


@_compile
def descend(sets, draws, eta, decay, students):  # pragma: no cover
    """Change students (R, d_out, d_in) by a step for each of the draws (R, steps, B).

    Sets are inputs (R, N, d_in), label noise (R, d_out, N), teachers (R, d_out, d_in).  All steps
    of a realization come before those of the next, so that its data stay in the cache.
    """
    inputs, noise, teachers = sets
    realizations, n, d_in = inputs.shape
    steps, size = draws.shape[1:]
    d_out = students.shape[1]
    taken, batch = np.zeros(n, np.bool_), np.empty(size, np.int64)
    deviation, sums = np.empty(d_in), np.empty(d_in)
    rate, kept = 2.0 * eta / (size * d_out), 1.0 - eta * decay
    for k in range(realizations):
        for step in range(steps):
            _choose(draws[k, step], taken, batch)
            for m in range(d_out):
                student, teacher = students[k, m], teachers[k, m]
                for j in range(d_in):
                    deviation[j] = student[j] - teacher[j]
                    sums[j] = 0.0
                _pull_back(inputs[k], noise[k, m], batch, deviation, sums)
                for j in range(d_in):
                    student[j] = kept * student[j] - rate * sums[j]


@_compile
def _choose(draws, taken, batch):  # pragma: no cover
    """Fill batch (B,) with different numbers below N (Floyd's algorithm); taken (N,) is all False.

    Entry i of the draws is uniform below N - B + i + 1; all sets of numbers are equally likely.
    """
    first = len(taken) - len(draws)
    for i in range(len(draws)):
        batch[i] = first + i if taken[draws[i]] else draws[i]
        taken[batch[i]] = True
    for i in range(len(draws)):
        taken[batch[i]] = False


@_compile
def _pull_back(rows, noise, batch, deviation, sums):  # pragma: no cover
    """Add Xᵀ(XD - ξ) over a batch's rows to sums (d_in,), four rows at a time."""
    whole = len(batch) - len(batch) % 4
    for i in range(0, whole, 4):
        b0, b1, b2, b3 = batch[i], batch[i + 1], batch[i + 2], batch[i + 3]
        x0, x1, x2, x3 = rows[b0], rows[b1], rows[b2], rows[b3]
        r0, r1, r2, r3 = -noise[b0], -noise[b1], -noise[b2], -noise[b3]
        for j in range(len(deviation)):
            r0 += x0[j] * deviation[j]
            r1 += x1[j] * deviation[j]
            r2 += x2[j] * deviation[j]
            r3 += x3[j] * deviation[j]
        for j in range(len(deviation)):
            sums[j] += r0 * x0[j] + r1 * x1[j] + r2 * x2[j] + r3 * x3[j]
    for i in range(whole, len(batch)):
        row = rows[batch[i]]
        residual = -noise[batch[i]]
        for j in range(len(deviation)):
            residual += row[j] * deviation[j]
        for j in range(len(deviation)):
            sums[j] += residual * row[j]
