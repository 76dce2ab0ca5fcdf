"""Symmetric products against general ones, and at sizes at which OpenBLAS must not take threads."""

import numpy as np
import pytest
from scipy.linalg import cholesky
from threadpoolctl import threadpool_info, threadpool_limits

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


def test_large_factors_take_one_thread_and_give_the_others_back(monkeypatch):
    def threads():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    monkeypatch.setattr(symmetric, "SAFE_ROWS", 10)
    with threadpool_limits(2, user_api="blas"):
        with symmetric.safe_threads(10):
            assert threads() == {2}
        with symmetric.safe_threads(11):
            assert threads() == {1}
        assert threads() == {2}


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
    with threadpool_limits(2, user_api="blas"), symmetric.safe_threads(n):
        factor = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    k = np.arange(n)
    expected = np.sqrt((1.0 + a * (k + 1)) / (1.0 + a * k))
    assert factor[k, k] == pytest.approx(expected, rel=1e-12)
