"""The rule by which claims are judged, and the intervals behind it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_grokking.claims import measuring
from linear_grokking.claims.verdict import Measurement, at_least, at_most, near, verdict, within

finite = st.floats(-1e3, 1e3)


@pytest.mark.parametrize(
    ("accepted", "interval", "expected"),
    [
        ((0.9, 1.1), (0.95, 1.05), "confirmed"),
        ((0.9, 1.1), (0.9, 1.1), "confirmed"),
        ((0.9, 1.1), (0.85, 1.05), "undecided"),
        ((0.9, 1.1), (0.5, 2.0), "undecided"),
        ((0.9, 1.1), (1.2, 1.3), "contradicted"),
        ((0.9, 1.1), (0.1, 0.2), "contradicted"),
        (at_least(3.0), (3.5, math.inf), "confirmed"),
        (at_least(3.0), (1.0, 2.0), "contradicted"),
        (at_most(0.4), (0.0, 0.28), "confirmed"),
        (near(0.0, 0.1), (math.nan, math.nan), "undecided"),
        ((-math.inf, math.inf), (math.nan, math.nan), "confirmed"),
    ],
)
def test_rule(accepted, interval, expected):
    assert verdict(accepted, Measurement(float("nan"), *interval, 5)) == expected


@given(finite, finite, finite, finite)
def test_a_narrower_interval_never_unmakes_a_verdict(a, b, c, d):
    accepted, (low, high) = tuple(sorted((a, b))), sorted((c, d))
    wide = verdict(accepted, Measurement(low, low, high, 1))
    middle = low + (high - low) / 2
    narrow = verdict(accepted, Measurement.exact(middle))
    assert wide == "undecided" or narrow == wide


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ValueError, match="smallest first"):
        verdict((1.0, 0.0), Measurement.exact(0.5))


def test_tolerances():
    assert within(10.0, 0.25) == (8.0, 12.5)
    assert within(-1.0, 0.1) == pytest.approx((-1.1, -1 / 1.1))
    assert near(2.0, 0.5) == (1.5, 2.5)


def test_mean_interval_covers_as_often_as_it_says():
    # 2000 intervals of 95 %: 4.1 standard deviations are 2 %.
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(2000, 5))
    made = [measuring.mean_of(each) for each in samples]
    covered = np.mean([each.low <= 0 <= each.high for each in made])
    assert covered == pytest.approx(0.95, abs=0.02)


def test_too_few_values_have_no_interval():
    assert measuring.mean_of([1.0]).low == -math.inf
    assert verdict(near(1.0, 0.1), measuring.median_of([1.0] * 5)) == "undecided"
    assert verdict(near(1.0, 0.1), measuring.median_of([1.0] * 6)) == "confirmed"


def test_median_takes_what_never_came_as_largest():
    measured = measuring.median_of([1.0, 2.0, 3.0, np.inf, np.inf, np.inf, np.inf])
    assert measured.value == np.inf and measured.high == np.inf


def test_joint_test_has_its_false_alarm_rate_and_power():
    # 1000 draws of 8 points; at 5 % false alarms, 4 standard deviations are 2.8 %.
    rng = np.random.default_rng(5)
    p = np.linspace(0.05, 0.95, 8)
    counts = rng.binomial(300, p, size=(1000, 8))
    values = [measuring.joint_binomial_p(each, 300, p).value for each in counts]
    assert np.mean(np.array(values) < 0.05) == pytest.approx(0.05, abs=0.028)
    shifted = rng.binomial(300, p + 0.05 * (p < 0.9), size=(50, 8))
    assert np.mean([measuring.joint_binomial_p(s, 300, p).value < 0.01 for s in shifted]) > 0.6


def test_joint_test_of_too_few_decides_nothing():
    measured = measuring.joint_binomial_p([3, 2], 5, [0.5, 0.5])
    assert (measured.low, measured.high) == (0.0, 1.0)


def test_slope_of_a_line_is_exact_and_scatter_widens_it():
    x = np.arange(6.0)
    exact = measuring.slope_of(x, 2 * x + 1)
    assert exact.value == pytest.approx(2) and exact.high - exact.low < 1e-12
    noisy = measuring.slope_of(x, 2 * x + np.array([0, 1, -1, 1, -1, 0]))
    assert noisy.low < 2 < noisy.high


def test_log_time_average_gives_each_decade_one_weight():
    steps = np.expm1(np.linspace(0, 10, 101))
    assert measuring.log_time_average(steps, np.log1p(steps)) == pytest.approx(5.0)
