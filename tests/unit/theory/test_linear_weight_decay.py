from dataclasses import replace

import numpy as np
import pytest

from linear_grokking.theory import linear
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import grokking_time
from linear_grokking.theory.linear_weight_decay import (
    max_weight_decay,
    saturation_delay,
    twice_floor_delay,
)

pytestmark = pytest.mark.filterwarnings("error")

ETA, EPSILON = 0.01, 1e-3


@pytest.mark.parametrize("lambda_", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("d_out", [1, 4])
def test_small_gamma_floors_have_8_and_not_4(lambda_, d_out):
    """Leading order in γ ≪ (1 − √λ)²; the paper's Eq. 16 has 4 in place of 8 (erratum)."""
    gamma = 1e-5 * (1 - np.sqrt(lambda_)) ** 2
    problem = Problem(lambda_, ETA, gamma=gamma, d_out=d_out)
    scale = gamma**2 / (8 * d_out)
    train, gen = linear.train_loss_floor(problem), linear.gen_loss_floor(problem)
    assert train == pytest.approx(scale / (1 - lambda_), rel=1e-3)
    assert gen == pytest.approx(scale / (1 - lambda_) ** 3, rel=1e-3)


def test_quoted_greatest_weight_decays():
    np.testing.assert_allclose(
        max_weight_decay(Problem([0.5, 0.9, 0.99], ETA), EPSILON),
        [0.0169, 1.66e-3, 7.3e-5],
        rtol=6e-3,
    )


@pytest.mark.parametrize("d_out", [1, 30])
@pytest.mark.parametrize("lambda_", [0.5, 0.9, 1.0])
def test_greatest_weight_decay_bounds_the_phase_diagram(lambda_, d_out):
    problem = Problem(lambda_, ETA, d_out=d_out)
    greatest = max_weight_decay(problem, EPSILON, accuracy=0.9)
    floor = linear.gen_loss_floor(replace(problem, gamma=greatest))
    assert linear.accuracy(floor, EPSILON, d_out) == pytest.approx(0.9, rel=1e-7)
    gamma = greatest * np.array([0.0, 0.1, 0.5, 0.9, 0.99, 1 - 1e-5, 1 + 1e-5, 2.0])
    times = grokking_time(replace(problem, gamma=gamma), EPSILON, accuracy=0.9)
    np.testing.assert_array_equal(np.isinf(times), gamma > greatest)
    # It diverges there.
    assert times[5] > 3 * times[3]


def test_weight_decay_slows_down_grokking_unless_near_the_critical_ratio():
    def relative(lambda_, d_out):
        problem = Problem(lambda_, ETA, d_out=d_out)
        gamma = max_weight_decay(problem, EPSILON) * np.append(0.0, np.geomspace(1e-3, 0.999, 40))
        times = grokking_time(replace(problem, gamma=gamma), EPSILON)
        return times / times[0]

    for lambda_ in (0.3, 0.5, 0.7, 0.9, 0.95):
        assert np.all(np.diff(relative(lambda_, 1)) > 0)
    assert relative(1.0, 1).min() == pytest.approx(0.575, abs=0.01)
    assert relative(0.9, 30).min() == pytest.approx(0.907, abs=0.01)


@pytest.mark.parametrize(
    ("lambda_", "shortest", "longest"),
    [
        (0.01, 1, 1.034),
        (0.1, 1, 1.037),
        (0.9, 1, 1.015),
        (0.99, 0.999, 1),
        (0.999, 0.936, 1),
        (1.0, 0.764, 1),
    ],
)
def test_a_tenth_of_the_greatest_weight_decay_hardly_matters_below_one(lambda_, shortest, longest):
    """As docs/theory.md quotes it: within 4 % up to λ = 0.99."""
    problem = Problem(lambda_, ETA)
    share = np.concatenate([[0.0], np.geomspace(1e-4, 0.1, 30)])
    decayed = replace(problem, gamma=share * max_weight_decay(problem, EPSILON))
    ratios = grokking_time(decayed, EPSILON) / grokking_time(problem, EPSILON)
    assert (ratios.min(), ratios.max()) == pytest.approx((shortest, longest), abs=2e-3)


def test_ends_of_the_greatest_weight_decay():
    # With ε this large even the zero student passes; at λ > 1 no weight decay may be enough.
    assert max_weight_decay(Problem(0.9, ETA), 3.0) == np.inf
    assert max_weight_decay(Problem(1.5, ETA), EPSILON) == 0.0
    greatest = max_weight_decay(Problem(1.5, ETA, d_out=[1, 400, 700]), EPSILON)
    np.testing.assert_array_equal(greatest[[0, 2]], [0.0, np.inf])
    floor = linear.gen_loss_floor(Problem(1.5, ETA, gamma=greatest[1], d_out=400))
    assert floor == pytest.approx(linear.loss_threshold(EPSILON, d_out=400), rel=1e-8)


@pytest.mark.parametrize("lambda_", [0.1, 0.5, 0.9, 0.99])
def test_the_saturation_delay_is_one_to_twice_the_floors(lambda_):
    """Within 5 % for γ ≪ (1 − √λ)², and no threshold-crossing time."""
    problem = Problem(lambda_, ETA)
    paper = saturation_delay(problem)
    q = 1 - np.sqrt(lambda_)
    assert paper == pytest.approx(np.log(1 + np.sqrt(lambda_)) / (2 * ETA * q**2), rel=1e-12)
    delay = twice_floor_delay(replace(problem, gamma=1e-4 * q**2))
    assert delay == pytest.approx(paper, rel=0.055)
    # The grokking time depends on ε and on γ; the formula on neither.
    greatest = max_weight_decay(problem, [1e-3, 1e-6])
    decayed = replace(problem, gamma=[*(1e-3 * greatest), 0.9999 * greatest[0]])
    crossing = grokking_time(decayed, [1e-3, 1e-6, 1e-3])
    assert crossing[1] > 1.2 * crossing[0]
    assert crossing[2] > 2.0 * max(crossing[0], paper)


@pytest.mark.parametrize("lambda_", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("gamma", [1e-3, 1e-6, 1e-12])
def test_the_saturation_delay_is_right_in_its_range(lambda_, gamma):
    assert _over_formula(lambda_, gamma, 1.0) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("lambda_", "alpha", "ratios"), [(0.01, 1.0, [0.58, 0.95]), (0.9, 4.0, [0.90, 0.98])]
)
def test_the_saturation_delay_is_slow_to_come_true_elsewhere(lambda_, alpha, ratios):
    assert _over_formula(lambda_, [1e-3, 1e-9], alpha) == pytest.approx(ratios, abs=0.006)


def _over_formula(lambda_, gamma, alpha):
    """Return the twice-floor delay over Eq. 16, for γ in units of (1 - √λ)²."""
    edge = (1 - np.sqrt(lambda_)) ** 2
    problem = Problem(lambda_, ETA, gamma=np.multiply(gamma, edge), alpha=alpha)
    return twice_floor_delay(problem) / saturation_delay(problem)


def test_twice_floor_delay_is_between_the_two_crossings():
    problem = Problem(0.7, ETA, gamma=1e-3, d_out=3)
    t = np.linspace(1.0, 30_000.0, 20_000)
    first_gen = t[linear.gen_loss(t, problem) <= 2 * linear.gen_loss_floor(problem)][0]
    first_train = t[linear.train_loss(t, problem) <= 2 * linear.train_loss_floor(problem)][0]
    assert twice_floor_delay(problem) == pytest.approx(first_gen - first_train, abs=2.0)


def test_delays_scale_with_output_dimension():
    for delay in (saturation_delay, twice_floor_delay):
        one, four = delay(Problem(0.9, ETA, gamma=1e-6, d_out=np.array([1, 4])))
        assert four == pytest.approx(4.0 * one, rel=1e-8)


def test_arguments_without_meaning_are_refused():
    with pytest.raises(ValueError, match="gamma = 0: "):
        twice_floor_delay(Problem(0.5, ETA))
    with pytest.raises(ValueError, match="lambda_ = 1: "):
        saturation_delay(Problem(1.0, ETA))
    with pytest.raises(ValueError, match=r"noise = 0\.1: "):
        max_weight_decay(Problem(0.5, ETA, noise=0.1), EPSILON)


def test_greatest_weight_decay_does_not_depend_on_what_the_floor_does_not():
    one = max_weight_decay(Problem(0.7, ETA), EPSILON)
    assert max_weight_decay(Problem(0.7, 9 * ETA, gamma=0.3, alpha=4.0), EPSILON) == one
