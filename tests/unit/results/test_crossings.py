"""Threshold crossings of records against closed forms and a plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf, erfinv

from linear_grokking.results.crossings import first_crossing, grokking_delay


def crossing_by_loop(steps, values, threshold):
    if values[0] >= threshold:
        return steps[0]
    for k in range(1, len(steps)):
        if values[k - 1] < threshold <= values[k]:
            fraction = (threshold - values[k - 1]) / (values[k] - values[k - 1])
            if steps[k - 1] == 0:
                return fraction * steps[k]
            a, b = math.log(steps[k - 1]), math.log(steps[k])
            return math.exp(a + fraction * (b - a))
    return math.inf


@given(
    st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.94, 0.95, 0.96, 1.0]), min_size=1, max_size=12),
    st.booleans(),
)
def test_first_crossing_is_the_plain_loop(values, from_zero):
    steps = np.geomspace(1, 1e6, 12)[: len(values)]
    if from_zero:
        steps = steps - 1
    expected = crossing_by_loop(steps, values, 0.95)
    assert first_crossing(steps, values, 0.95) == pytest.approx(expected, rel=1e-13)


def test_value_linear_in_log_t_is_exact():
    steps = np.geomspace(1, 1e8, 9)
    accuracy = np.log10(steps) / 8
    assert first_crossing(steps, accuracy, 0.95) == pytest.approx(10**7.6, rel=1e-13)


def test_value_linear_in_t_in_the_interval_from_zero():
    assert first_crossing([0, 4, 100], [0.0, 1.0, 1.0], 0.25) == 1.0


def test_only_the_first_of_several_crossings_counts():
    steps = [1, 10, 100, 1000, 10000]
    assert first_crossing(steps, [0, 1, 0, 0, 1], 0.5) == pytest.approx(10**0.5)


def test_never_and_already():
    curves = [[[0.1, 0.2, 0.3], [0.96, 0.2, 1.0]]]
    np.testing.assert_array_equal(first_crossing([2, 3, 4], curves, 0.95), [[np.inf, 2.0]])
    assert first_crossing([7], [0.95], 0.95) == 7
    assert first_crossing([7], [0.94], 0.95) == np.inf


def test_falling_curves_cross_with_their_sign_turned():
    steps = np.geomspace(1, 1e4, 5)
    loss = 1 / steps
    assert first_crossing(steps, -loss, -0.01) == pytest.approx(100)
    assert first_crossing([1, 2], [-np.inf, 0.0], -1.0) == 2


def test_thresholds_broadcast():
    steps = np.geomspace(1, 100, 3)
    times = first_crossing(steps, [0.0, 0.5, 1.0], [0.25, 0.5, 0.75, 2.0])
    np.testing.assert_allclose(times, [10**0.5, 10, 10**1.5, np.inf])


@pytest.mark.parametrize(
    ("steps", "values", "message"),
    [
        ([1, 1], [0, 1], "steps must be finite, non-negative and increasing"),
        ([-1, 1], [0, 1], "steps must be finite, non-negative and increasing"),
        ([1, np.inf], [0, 1], "steps must be finite, non-negative and increasing"),
        ([1, np.nan], [0, 1], "steps must be finite, non-negative and increasing"),
        ([], [], "steps must be a non-empty vector"),
        ([1, 2], [0, 1, 2], "one entry per step"),
        ([1, 2], [0, np.nan], "must not be NaN"),
    ],
)
def test_bad_records_are_refused(steps, values, message):
    with pytest.raises(ValueError, match=message):
        first_crossing(steps, values, 0.95)


def test_dense_records_of_a_formula_give_its_crossing():
    steps = np.r_[0, np.geomspace(1, 1e6, 4000)]
    epsilon = np.array([1e-6, 1e-3, 1e-1])
    with np.errstate(over="ignore"):
        curve = erf(np.sqrt(epsilon[:, np.newaxis] * np.exp(1e-3 * steps) / 2))
    exact = np.maximum(np.log(2 * erfinv(0.95) ** 2 / epsilon) / 1e-3, 0)
    # Linear interpolation over an interval h is off by about h² rate / 8: 50 steps of 15 000.
    np.testing.assert_allclose(first_crossing(steps, curve, 0.95), exact, rtol=5e-5)


def test_delay_knows_never():
    inf = np.inf
    delay = grokking_delay([3, 3, inf, inf, 9], [10, inf, inf, 5, 4])
    np.testing.assert_array_equal(delay, [7, inf, inf, -inf, -5])
    assert grokking_delay(1.0, np.full((2, 3), 4.0)).shape == (2, 3)
    with pytest.raises(ValueError, match="inf means never reached"):
        grokking_delay(np.nan, 1.0)
