"""Symmetric products and factors against general ones, and at sizes that crash OpenBLAS."""

import numpy as np
import pytest
from scipy.linalg import LinAlgError
from threadpoolctl import threadpool_limits

from linear_grokking.solvers.separability import assess, hard_margin, symmetric

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [50, 49, 11, 8])
def test_products_do_not_depend_on_the_parts(rows, dtype, monkeypatch):
    monkeypatch.setattr(symmetric, "SAFE_ROWS", rows)
    matrix = RNG.standard_normal((50, 70)).astype(dtype)
    expected = matrix.astype(float) @ matrix.T.astype(float)
    accuracy = 2000 * float(np.finfo(dtype).eps)
    found = symmetric.gram(matrix)
    assert found.dtype == dtype
    assert found == pytest.approx(expected, abs=accuracy)
    lower = np.asfortranarray(np.tril(RNG.standard_normal((50, 50)))).astype(dtype)
    total = lower + expected
    found = symmetric.add_gram(lower, np.ascontiguousarray(matrix.T))
    assert found.dtype == dtype
    assert np.tril(found) == pytest.approx(np.tril(total), abs=accuracy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [50, 49, 11, 8])
def test_factors_do_not_depend_on_the_parts(rows, dtype, monkeypatch):
    monkeypatch.setattr(symmetric, "SAFE_ROWS", rows)
    expected = np.tril(RNG.standard_normal((50, 50))) + 20.0 * np.eye(50)
    matrix = np.asfortranarray(expected @ expected.T, dtype)
    matrix[np.triu_indices(50, 1)] = np.nan  # only the lower triangle is read
    found = symmetric.cholesky(matrix)
    assert found is matrix
    assert found.dtype == dtype
    assert np.tril(found) == pytest.approx(expected, abs=2000 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("place", [0, 20, 49])
def test_a_matrix_that_is_not_positive_definite_has_no_factor(place, monkeypatch):
    monkeypatch.setattr(symmetric, "SAFE_ROWS", 20)
    matrix = np.eye(50, order="F")
    matrix[place, place] = 0.0
    with pytest.raises(LinAlgError, match="not positive definite"):
        symmetric.cholesky(matrix)


def test_verdicts_and_margins_do_not_depend_on_the_parts(monkeypatch):
    for seed, d in ((0, 130), (1, 170)):
        points = np.random.default_rng(seed).standard_normal((320, d))
        whole = assess(points, margin=True)
        monkeypatch.setattr(symmetric, "SAFE_ROWS", 64)
        found = assess(points, margin=True)
        monkeypatch.undo()
        assert found.certificate == whole.certificate
        assert found.direction == pytest.approx(whole.direction, rel=1e-6, abs=1e-9)


def test_margins_of_large_sets_do_not_depend_on_the_parts(monkeypatch):
    points = np.random.default_rng(2).standard_normal((560, 320))
    whole = hard_margin(points)
    monkeypatch.setattr(symmetric, "SAFE_ROWS", 64)
    assert hard_margin(points).margin == pytest.approx(whole.margin, rel=1e-7)


@pytest.mark.long
@pytest.mark.parametrize(("n", "dtype"), [(40_000, np.float32), (20_000, np.float64)])
def test_products_that_crash_openblas(n, dtype):
    matrix = RNG.standard_normal((n, 500)).astype(dtype)
    some = np.array([0, 4095, 4096, 12_345, n - 1])
    expected = matrix[some].astype(float) @ matrix[some].T.astype(float)
    with threadpool_limits(2, user_api="blas"):
        found = symmetric.gram(matrix)[np.ix_(some, some)]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.long
def test_factors_that_crash_openblas():
    """Of a rank-one update of the identity: L₁₁ = √(1+a), and the diagonal falls to 1."""
    n, a = 20_000, 0.5
    matrix = np.full((n, n), a, order="F")
    matrix[np.diag_indices(n)] += 1.0
    with threadpool_limits(2, user_api="blas"):
        factor = symmetric.cholesky(matrix)
    k = np.arange(n)
    expected = np.sqrt((1.0 + a * (k + 1)) / (1.0 + a * k))
    assert factor[k, k] == pytest.approx(expected, rel=1e-12)
