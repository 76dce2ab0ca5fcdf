"""The rule by which claims are judged, and the intervals behind it."""

import math

import numpy as np
import pandas as pd
import pytest
from drawn_runs import DrawnRun
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, linregress, t

from linear_grokking.claims import measuring
from linear_grokking.claims.verdict import (
    UNDECIDED,
    Claim,
    Disagreement,
    Measurement,
    Undecidable,
    ours,
    paper_a,
)

finite = st.floats(-1e3, 1e3)


@pytest.mark.parametrize(
    ("interval", "rule", "accepted", "expected"),
    [
        ((0.95, 1.05), "between", (0.9, 1.1), "confirmed"),
        ((0.9, 1.1), "between", (0.9, 1.1), "confirmed"),
        ((0.85, 1.05), "between", (0.9, 1.1), "undecided"),
        ((0.5, 2.0), "between", (0.9, 1.1), "undecided"),
        ((1.2, 1.3), "between", (0.9, 1.1), "contradicted"),
        ((0.1, 0.2), "between", (0.9, 1.1), "contradicted"),
        ((3.5, math.inf), "at_least", (3.0,), "confirmed"),
        ((1.0, 2.0), "at_least", (3.0,), "contradicted"),
        ((0.0, 0.28), "at_most", (0.4,), "confirmed"),
        ((math.nan, math.nan), "near", (0.0, 0.1), "undecided"),
        ((math.nan, math.nan), "between", (-math.inf, math.inf), "confirmed"),
    ],
)
def test_rule(interval, rule, accepted, expected):
    measured = Measurement(math.nan, *interval, 5)
    assert getattr(measured, rule)(*accepted).verdict == expected


@given(finite, finite, finite, finite)
def test_a_narrower_interval_never_unmakes_a_verdict(a, b, c, d):
    accepted, (low, high) = sorted((a, b)), sorted((c, d))
    wide = Measurement(low, low, high, 1).between(*accepted).verdict
    narrow = Measurement.exact(low + (high - low) / 2).between(*accepted).verdict
    assert wide == "undecided" or narrow == wide


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ValueError, match="smallest first"):
        _ = Measurement.exact(0.5).between(1.0, 0.0).verdict


@pytest.mark.parametrize("accepted", [(math.nan, 1.0), (0.0, math.nan)])
def test_a_range_that_ends_at_no_number_decides_nothing(accepted):
    """As where a prediction is the ratio of two times that are never reached."""
    with pytest.raises(Undecidable, match="no number is predicted"):
        Measurement.exact(0.5).between(*accepted)


def test_tolerances():
    def accepted(found):
        return found.lowest, found.highest, found.predicted

    measured = Measurement.exact(1.0)
    assert accepted(measured.within(10.0, 0.25)) == (8.0, 12.5, 10.0)
    assert accepted(measured.within(-1.0, 0.1)) == pytest.approx((-1.1, -1 / 1.1, -1.0))
    assert accepted(measured.near(2.0, 0.5)) == (1.5, 2.5, 2.0)
    assert accepted(measured.at_least(0.4, 1.0)) == (0.4, math.inf, 1.0)
    assert math.isnan(measured.at_most(0.4).predicted)


def test_mean_interval_covers_as_often_as_it_says():
    # 2000 intervals of 95 %: 4.1 standard deviations are 2 %.
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(2000, 5))
    made = [measuring.mean_of(each) for each in samples]
    covered = np.mean([each.low <= 0 <= each.high for each in made])
    assert covered == pytest.approx(0.95, abs=0.02)


def test_too_few_values_have_no_interval():
    assert measuring.mean_of([1.0]).low == -math.inf
    assert measuring.median_of([1.0] * 5).near(1.0, 0.1).verdict == "undecided"
    assert measuring.median_of([1.0] * 6).near(1.0, 0.1).verdict == "confirmed"


def test_median_takes_what_never_came_as_largest():
    measured = measuring.median_of([1.0, 2.0, 3.0, np.inf, np.inf, np.inf, np.inf])
    assert measured.value == np.inf and measured.high == np.inf


def test_what_is_not_a_number_decides_nothing():
    """A value that is undefined is not the largest; and of no values nothing can be said."""
    assert measuring.median_of([1.0] * 6 + [np.nan]).near(1.0, 0.1).verdict == "undecided"
    assert measuring.extremes_of([]).near(1.0, 0.1).verdict == "undecided"


def test_a_curve_is_read_between_records_in_log_time():
    steps = np.array([0.0, 10.0, 1000.0])
    run = DrawnRun({}, steps=steps, accuracy=[[0.0, 0.2, 0.8], [0.0, 0.1, 0.9]])
    found = measuring.at_times(run, "accuracy", [100.0, 1000.0])
    assert found == pytest.approx([0.5, 0.9], abs=0.01)


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


def test_too_few_records_or_a_short_curve_decide_nothing():
    with pytest.raises(Undecidable, match="not 1"):
        measuring.log_time_average(np.ones(1), np.ones((3, 1)))
    curve = pd.DataFrame({"x": [100.0, 1.0], "y": [1e4, 1.0]})
    assert measuring.interpolated(curve, 10.0, logarithmic=True) == pytest.approx(100)
    assert measuring.interpolated(curve, 50.5) == pytest.approx(5000.5)
    with pytest.raises(Undecidable, match="without 200"):
        measuring.interpolated(curve, 200.0)


def test_draws_of_several_seeds_are_not_shared():
    runs = [DrawnRun({}, {"realization": draws, "t": draws}) for draws in ([0, 1, 2], [1, 2, 3])]
    assert measuring.of_shared_draws(runs, "t").tolist() == [[1, 2], [1, 2]]
    runs[1].seed = 5
    with pytest.raises(Undecidable, match="different seeds, 0, 5"):
        measuring.of_shared_draws(runs, "t")


def test_ratios_are_compared_by_factors_and_keep_all_runs():
    ratios = [Measurement(each, 0.0, 2.0, 5, (f"run {each}",)) for each in (1.4, 0.6, 1.1)]
    found = measuring.furthest(ratios)
    assert found.value == 0.6 and found.runs == ("run 1.4", "run 0.6", "run 1.1")
    assert measuring.furthest(ratios, distance=abs).value == 1.4
    assert Measurement(3.0, 1.5, 6.0, 7) / 3.0 == Measurement(1.0, 0.5, 2.0, 7)


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(1.09, 1.11), (0.9, 1.1)], "confirmed"),
        ([(1.09, 1.11), (0.7, 1.6)], "undecided"),
        ([(1.4, 1.6), (0.9, 1.1)], "contradicted"),
        ([(1.4, 1.6), (0.7, 1.6)], "contradicted"),
        ([(0.1, 1.0), (1.2, 1.3)], "contradicted"),
    ],
)
def test_what_is_said_of_each_holds_if_it_holds_of_each(intervals, verdict):
    """The furthest value may have a narrow interval, and another one a wide one."""
    points = [Measurement((low + high) / 2, low, high, 9) for low, high in intervals]
    for ordered in (points, points[::-1]):
        found = measuring.furthest(ordered)
        assert found.within(1.0, 0.15).verdict == verdict
        assert (found / 2.0).within(0.5, 0.15).verdict == verdict
        assert found.low == min(low for low, _ in intervals)
        assert (
            measuring.furthest([found, Measurement.exact(1.0)]).within(1, 0.15).verdict == verdict
        )


def test_one_draw_contradicts_what_is_said_of_every_draw():
    for values, verdict in (
        ([0.99, 1.0, 1.01], "confirmed"),
        ([0.99] + [1.5] * 99, "contradicted"),
        ([1.0] * 99 + [1.5], "contradicted"),
        ([1.0, 0.5, 1.5], "contradicted"),
        ([1.0, math.inf], "contradicted"),
        ([1.0, math.nan], "undecided"),
    ):
        found = measuring.extremes_of(values)
        assert found.within(1.0, 0.08).verdict == verdict
        assert (found / 3.0).within(1 / 3, 0.08).verdict == verdict


def test_what_is_not_known_may_be_the_furthest_wherever_it_stands():
    known = [Measurement.exact(each) for each in (1.0, 1.1)]
    for unknown in (Measurement.unknown(3), Measurement.exact(math.nan)):
        for ratios in ([unknown, *known], [*known, unknown]):
            assert measuring.furthest(ratios).within(1.0, 0.2).verdict == "undecided"
            assert math.isnan(measuring.furthest(ratios, distance=abs).value)


@pytest.mark.parametrize(
    ("source", "otherwise", "verdict", "disagreement"),
    [
        (paper_a("Eq. 16"), None, "contradicted", "erratum"),
        (ours(), None, "contradicted", "rejected conjecture"),
        (paper_a("Eq. 19"), Disagreement.NOTATION, "contradicted", "ambiguous notation"),
        (paper_a("Eq. 12"), Disagreement.RANGE, "outside its range", "limit of validity"),
        (ours(), Disagreement.SIZE, "outside its range", "finite size"),
    ],
)
def test_who_states_it_and_where_tells_what_a_disagreement_is(
    source, otherwise, verdict, disagreement
):
    def claim(measured):
        found = Measurement.exact(measured).near(1.0, 0.1)
        return Claim("A1-some", "One.", found, source=source, otherwise=otherwise)

    assert (claim(2.0).verdict, claim(2.0).disagreement) == (verdict, disagreement)
    # What agrees is confirmed, in its range or not; what cannot be told stays undecided.
    assert (claim(1.0).verdict, claim(1.0).disagreement) == ("confirmed", None)
    unknown = Claim("A1-some", "One.", Measurement.unknown(1).near(1, 1), otherwise=otherwise)
    assert (unknown.verdict, unknown.disagreement) == ("undecided", None)


def test_deviations_have_intervals_that_cover_heavy_tails_too():
    rng = np.random.default_rng(8)
    for draw, deviation in ((rng.standard_normal, 1.0), (rng.standard_exponential, 1.0)):
        made = [measuring.deviation_of(draw(400)) for _ in range(400)]
        covered = np.mean([each.low <= deviation <= each.high for each in made])
        # 95 % for many draws; here 88 to 99, four standard errors and skew.
        assert 0.88 <= covered <= 0.99
    assert measuring.deviation_of([1.0]).high == math.inf
    assert measuring.deviation_of([1.0, math.inf]).high == math.inf


def test_exponents_of_tails_are_hills():
    rng = np.random.default_rng(9)
    made = [measuring.hill_exponent_of(rng.pareto(1.5, 3000) + 1, 0.05) for _ in range(400)]
    covered = np.mean([each.low <= 1.5 <= each.high for each in made])
    assert covered == pytest.approx(0.95, abs=0.045)
    assert np.mean([each.value for each in made]) == pytest.approx(1.5, rel=0.02)
    assert measuring.hill_exponent_of(np.ones(50) + np.arange(50), 0.1).low == -math.inf
    assert measuring.hill_exponent_of([*range(1, 500), math.inf], 0.1).low == -math.inf


def test_the_interval_of_a_slope_is_scipys():
    rng = np.random.default_rng(2)
    x = rng.normal(size=7)
    y = 2.0 * x + rng.normal(size=7)
    fit, found = linregress(x, y), measuring.slope_of(x, y)
    spread = t(5).ppf(0.975) * fit.stderr
    expected = (fit.slope, fit.slope - spread, fit.slope + spread)
    assert (found.value, found.low, found.high) == pytest.approx(expected, rel=1e-12)


def test_an_interval_that_touches_the_range_decides_nothing():
    """Thus all of 50 hits never contradict "all", and none of 50 never contradicts "none"."""
    assert measuring.proportion_of(np.ones(50, bool)).at_least(1.0).verdict == UNDECIDED
    assert measuring.proportion_of(np.zeros(50, bool)).at_most(0.0).verdict == UNDECIDED
    assert Measurement(2.0, 1.0, 3.0, 5).between(3.0, 4.0).verdict == UNDECIDED


def test_hills_estimate_refers_to_the_next_smaller_value():
    """Values e^(k/2): the mean logarithm of the 10 largest over the 11th is 5.5/2."""
    found = measuring.hill_exponent_of(np.exp(np.arange(100) / 2), 0.1)
    assert found.value == pytest.approx(1 / 2.75)


def test_points_with_few_expected_failures_are_pooled_too():
    """Twenty points with 0.3 expected failures each are one point with 6."""
    n, p = 300, np.array([0.5, 0.4, 0.6] + [0.999] * 20)
    hits = np.array([160, 110, 190] + [299] * 20)
    deviations, variances = hits - n * p, n * p * (1 - p)
    value = np.sum(deviations[:3] ** 2 / variances[:3])
    value += deviations[3:].sum() ** 2 / variances[3:].sum()
    assert measuring.joint_binomial_p(hits, n, p).value == pytest.approx(chi2(4).sf(value))
