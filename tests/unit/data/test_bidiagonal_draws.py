"""Draws without data: their laws, and that each depends on seed, sizes and number alone."""

from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from linear_grokking.data.bidiagonal import bidiagonal


def drawn(n_train, d_in, draws=4000, seed=1):
    return bidiagonal(seed=seed, realizations=range(draws), n_train=n_train, d_in=d_in)


@pytest.mark.parametrize(("n_train", "d_in"), [(7, 4), (4, 4), (3, 5)])
def test_entries_have_the_laws_of_householders_reflections(n_train, d_in):
    # Each Kolmogorov-Smirnov test has a false alarm in 1 of 1000 seeds; this one is fixed.
    found = drawn(n_train, d_in)
    small, large = min(n_train, d_in), max(n_train, d_in)
    diagonal, beside, squares = found.diagonal, found.off_diagonal, found.squares
    assert diagonal.shape[1:] == squares.shape[1:] == (small,)
    assert beside.shape[1:] == (small - 1,)
    for k in range(small):
        assert stats.kstest(diagonal[:, k], stats.chi(large - k).cdf).pvalue > 1e-3
        assert stats.kstest(squares[:, k] * d_in, stats.chi2(1).cdf).pvalue > 1e-3
    for k in range(small - 1):
        assert stats.kstest(beside[:, k], stats.chi(small - 1 - k).cdf).pvalue > 1e-3
    null = found.null_squares
    if n_train >= d_in:
        assert not null.any()
    else:
        assert stats.kstest(null * d_in, stats.chi2(d_in - n_train).cdf).pvalue > 1e-3
    columns = np.column_stack([diagonal, beside, squares, *([null] if n_train < d_in else [])])
    correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(diagonal))


def test_products_have_the_moments_of_wishart_matrices():
    # E Tr A = Nd and E Tr A² = Nd(N + d + 1), A = XᵀX.
    n, d = 9, 6
    traces = []
    found = drawn(n, d)
    for diagonal, beside in zip(found.diagonal, found.off_diagonal, strict=True):
        b = np.diag(diagonal) + np.diag(beside, -1)
        a = b @ b.T
        traces.append((np.trace(a), np.trace(a @ a)))
    mean, error = np.mean(traces, axis=0), np.std(traces, axis=0) / np.sqrt(len(traces))
    assert np.all(np.abs(mean - [n * d, n * d * (n + d + 1)]) < 4 * error)


def test_a_draw_depends_on_seed_sizes_and_number_alone():
    sizes = {"n_train": 9, "d_in": 12}
    one = bidiagonal(seed=3, realizations=[5], **sizes)
    others = bidiagonal(seed=3, realizations=[7, 5, 6], **sizes)
    for field in fields(one):
        among = getattr(others, field.name)
        np.testing.assert_array_equal(getattr(one, field.name)[0], among[1])
        assert not np.any(among[0] == among[1])
    for other in (
        bidiagonal(seed=4, realizations=[5], **sizes),
        bidiagonal(seed=3, realizations=[5], n_train=9, d_in=13),
    ):
        assert not np.any(one.diagonal == other.diagonal)
        assert not np.any(one.squares == other.squares)
