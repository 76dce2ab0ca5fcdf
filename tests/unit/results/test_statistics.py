"""Summaries against NumPy, SciPy, pandas and coverage of known laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from summary_tables import assert_well_formed, only

from linear_grokking.results.statistics import (
    deviation_interval,
    frame,
    median_interval,
    of_curve,
    of_proportion,
    of_values,
    quantile,
    wilson_interval,
)

INF = np.inf
PROBABILITIES = {"median": 0.5, "q25": 0.25, "q75": 0.75, "q05": 0.05, "q95": 0.95}


def test_finite_values_agree_with_numpy_and_scipy():
    values = np.random.default_rng(1).normal(3, 2, size=37)
    row = only(frame(of_values("x", values)), "x")
    assert row["n"] == 37
    assert row["n_infinite"] == row["n_censored"] == row["n_left_out"] == 0
    assert row["mean"] == pytest.approx(values.mean(), rel=1e-14)
    assert row["standard_error"] == pytest.approx(stats.sem(values), rel=1e-14)
    for name, p in PROBABILITIES.items():
        assert row[name] == np.quantile(values, p, method="averaged_inverted_cdf")


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.sampled_from([0.25, 0.5, 0.95]))
def test_quantile_of_finite_values_is_type_2(values, p):
    expected = np.quantile(values, p, method="averaged_inverted_cdf")
    assert quantile(values, p) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, INF]), min_size=1, max_size=30),
    st.sampled_from(sorted(PROBABILITIES.values())),
)
def test_infinite_values_act_as_very_large_ones(values, p):
    huge = np.where(np.isinf(values), 1e300, values)
    expected = np.quantile(huge, p, method="averaged_inverted_cdf")
    result = quantile(values, p)
    assert result == (INF if expected > 1e299 else expected)


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ([1, 2, INF], 2),
        ([1, 2, INF, INF], INF),
        ([1, 2, 3, INF], 2.5),
        ([INF, INF], INF),
        ([-INF, INF], INF),
        ([-INF, -INF, 1], -INF),
        ([-INF, 4.0, 5.0, INF], 4.5),
        ([1e308, 1.5e308], 1.25e308),
    ],
)
def test_median_with_infinities_is_never_nan(values, median):
    assert quantile(np.array(values, float), 0.5) == median


def test_infinite_censored_and_undefined_are_counted_apart():
    values = [1.0, 2.0, 3.0, INF, INF, INF, np.nan]
    censored = [False, False, False, True, True, False, False]
    row = only(frame(of_values("t", values, censored=censored)), "t")
    assert [row[k] for k in ("n", "n_infinite", "n_censored", "n_left_out")] == [6, 1, 2, 4]
    assert row["mean"] == 2
    assert row["standard_error"] == pytest.approx(1 / np.sqrt(3))
    assert row["q25"] == 2
    assert row["median"] == INF
    assert (row["low"], row["high"]) == (1, INF)


@pytest.mark.parametrize("values", [[], [np.nan], [INF], [4.0], [INF, INF]])
def test_what_is_undefined_is_null(values):
    table = frame(of_values("x", values))
    assert_well_formed(table)
    row = table.iloc[0]
    finite = np.isfinite(values).sum()
    assert pd.isna(row["mean"]) == (finite == 0)
    assert pd.isna(row["standard_error"])
    assert pd.isna(row["median"]) == np.isnan(values).all()
    assert pd.isna(row["low"]) and pd.isna(row["step"])


def test_null_in_a_pandas_column_is_undefined():
    values = pd.Series([1.0, None, 3.0], dtype="Float64")
    row = only(frame(of_values("x", values)), "x")
    assert (row["n"], row["n_left_out"], row["mean"]) == (2, 1, 2.0)


def test_values_near_the_largest_float_do_not_overflow():
    values = np.array([1.5e308, 1.7e308, 1.0e308])
    row = only(frame(of_values("loss", values)), "loss")
    small = values / 1e308
    assert row["mean"] == pytest.approx(small.mean() * 1e308)
    assert row["standard_error"] == pytest.approx(stats.sem(small) * 1e308)
    assert row["median"] == 1.5e308


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="x: values and censored must be vectors of one length"):
        of_values("x", [1.0, 2.0], censored=[True])
    with pytest.raises(ValueError, match="x: a censored value must be infinite"):
        of_values("x", [1.0, 2.0], censored=[True, False])
    with pytest.raises(ValueError, match="x: a curve must not hold NaN"):
        of_curve("x", [1.0], [[np.nan]])
    with pytest.raises(ValueError, match=r"x: values must be \(realizations, steps\)"):
        of_curve("x", [1.0, 2.0], [[1.0]])


def test_each_row_of_a_curve_is_the_summary_of_its_values():
    rng = np.random.default_rng(2)
    values = rng.choice([1.0, 2.0, 5.0, INF], size=(9, 6))
    steps = np.arange(6.0)
    table = frame(of_curve("x", steps, values))
    assert_well_formed(table)
    assert table["step"].tolist() == steps.tolist()
    for k in range(6):
        single = frame(of_values("x", values[:, k])).drop(columns="step")
        pd.testing.assert_frame_equal(
            table.iloc[[k]].drop(columns="step").reset_index(drop=True), single
        )


def test_median_interval_is_scipys_quantile_test():
    rng = np.random.default_rng(3)
    for size in (6, 7, 10, 25, 100, 401):
        values = np.append(rng.normal(size=size - 1), INF)
        expected = stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
        assert median_interval(values) == (expected.low, expected.high)
    low, high = median_interval(np.arange(5.0))
    assert np.isnan(low) and np.isnan(high)


def test_median_interval_covers():
    # 4000 sets of 30: exact coverage 0.9572; |deviation| > 4 standard errors has
    # probability 6e-5.
    values = np.random.default_rng(4).exponential(size=(30, 4000))
    low, high = median_interval(values)
    coverage = np.mean((low <= np.log(2)) & (np.log(2) <= high))
    exact = 1 - 2 * stats.binom.cdf(9, 30, 0.5)
    assert exact >= 0.95
    assert abs(coverage - exact) < 4 * np.sqrt(exact * (1 - exact) / 4000)


def test_deviation_interval_is_the_normal_one_for_normal_values():
    values = np.random.default_rng(5).normal(3.0, 2.0, 4000)
    value, low, high = deviation_interval(values)
    assert value == pytest.approx(np.std(values, ddof=1))
    # χ² of n - 1 degrees of freedom.
    edges = stats.chi2.ppf([0.975, 0.025], len(values) - 1)
    np.testing.assert_allclose([low, high], value * np.sqrt((len(values) - 1) / edges), rtol=2e-3)
    assert np.isnan(deviation_interval([1.0])).all()


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_is_the_root_of_the_score_test(counts):
    successes, n = counts
    low, high = wilson_interval(successes, n)
    for p in {low, high} - {0.0, 1.0}:
        score = (successes - n * p) ** 2 / (n * p * (1 - p))
        assert score == pytest.approx(stats.norm.ppf(0.975) ** 2, rel=1e-6)
    assert low <= successes / n <= high


def test_proportion():
    table = frame(of_proportion("separable", 3, 12))
    assert_well_formed(table)
    row = only(table, "separable")
    assert (row["n"], row["mean"]) == (12, 0.25)
    assert row["standard_error"] == 0.125
    assert (row["low"], row["high"]) == wilson_interval(3, 12)
    assert pd.isna(row["median"])
    empty = only(frame(of_proportion("separable", 0, 0)), "separable")
    assert pd.isna(empty["mean"]) and (empty["low"], empty["high"]) == (0, 1)
    with pytest.raises(ValueError, match="between 0 and n=2; got 3"):
        wilson_interval(3, 2)
