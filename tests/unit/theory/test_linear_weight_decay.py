import numpy as np
import pytest

from linear_grokking.theory import linear, linear_grokking_time, linear_weight_decay

pytestmark = pytest.mark.filterwarnings("error")

ETA, EPSILON = 0.01, 1e-3


@pytest.mark.parametrize("lambda_", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("d_out", [1, 4])
def test_small_gamma_floors_have_8_and_not_4(lambda_, d_out):
    """The paper's Eq. 16 has 4 in place of 8 (erratum)."""
    gamma = 1e-5 * (1 - np.sqrt(lambda_)) ** 2
    train, gen = linear_weight_decay.small_gamma_floors(lambda_, gamma, d_out=d_out)
    options = {"gamma": gamma, "d_out": d_out}
    assert train / linear.train_loss_floor(lambda_, **options) == pytest.approx(1, rel=1e-3)
    assert gen / linear.gen_loss_floor(lambda_, **options) == pytest.approx(1, rel=1e-3)
    paper = gamma**2 / (4 * d_out * (1 - lambda_) ** 3)
    assert paper / linear.gen_loss_floor(lambda_, **options) == pytest.approx(2, rel=1e-3)


def test_quoted_greatest_weight_decays():
    np.testing.assert_allclose(
        linear_weight_decay.max_weight_decay([0.5, 0.9, 0.99], EPSILON),
        [0.0169, 1.66e-3, 7.3e-5],
        rtol=6e-3,
    )


@pytest.mark.parametrize("d_out", [1, 30])
@pytest.mark.parametrize("lambda_", [0.5, 0.9, 1.0])
def test_greatest_weight_decay_bounds_the_phase_diagram(lambda_, d_out):
    greatest = linear_weight_decay.max_weight_decay(lambda_, EPSILON, d_out=d_out, accuracy=0.9)
    floor = linear.gen_loss_floor(lambda_, gamma=greatest, d_out=d_out)
    assert linear.accuracy(floor, EPSILON, d_out) == pytest.approx(0.9, rel=1e-7)
    gamma = greatest * np.array([0.0, 0.1, 0.5, 0.9, 0.99, 1 - 1e-5, 1 + 1e-5, 2.0])
    times = linear_grokking_time.grokking_time(
        lambda_, ETA, EPSILON, gamma=gamma, d_out=d_out, accuracy=0.9
    )
    np.testing.assert_array_equal(np.isinf(times), gamma > greatest)
    # It diverges there.
    assert times[5] > 3 * times[3]


def test_weight_decay_slows_down_grokking_unless_near_the_critical_ratio():
    def relative(lambda_, d_out):
        greatest = linear_weight_decay.max_weight_decay(lambda_, EPSILON, d_out=d_out)
        gamma = greatest * np.concatenate([[0.0], np.geomspace(1e-3, 0.999, 40)])
        times = linear_grokking_time.grokking_time(lambda_, ETA, EPSILON, gamma=gamma, d_out=d_out)
        return times / times[0]

    for lambda_ in (0.3, 0.5, 0.7, 0.9, 0.95):
        assert np.all(np.diff(relative(lambda_, 1)) > 0)
    assert relative(1.0, 1).min() == pytest.approx(0.575, abs=0.01)
    assert relative(0.9, 30).min() == pytest.approx(0.907, abs=0.01)


def test_ends_of_the_greatest_weight_decay():
    # With ε this large even the zero student passes; at λ > 1 no weight decay may be enough.
    assert linear_weight_decay.max_weight_decay(0.9, 3.0) == np.inf
    assert linear_weight_decay.max_weight_decay(1.5, EPSILON) == 0.0
    d_out = np.array([1, 400, 700])
    greatest = linear_weight_decay.max_weight_decay(1.5, EPSILON, d_out=d_out)
    np.testing.assert_array_equal(greatest[[0, 2]], [0.0, np.inf])
    floor = linear.gen_loss_floor(1.5, gamma=greatest[1], d_out=400)
    assert floor == pytest.approx(linear.loss_threshold(EPSILON, d_out=400), rel=1e-8)


@pytest.mark.parametrize("lambda_", [0.1, 0.5, 0.9, 0.99])
def test_the_papers_weight_decay_time_is_a_delay_to_twice_the_floors(lambda_):
    """Within 5 % for γ ≪ (1 − √λ)², and no threshold-crossing time (erratum)."""
    paper = linear_weight_decay.paper_weight_decay_delay(lambda_, ETA)
    q = 1 - np.sqrt(lambda_)
    assert paper == pytest.approx(np.log(1 + np.sqrt(lambda_)) / (2 * ETA * q**2), rel=1e-12)
    gamma = 1e-4 * q**2
    delay = linear_weight_decay.twice_floor_delay(lambda_, ETA, gamma)
    assert delay == pytest.approx(paper, rel=0.055)
    # The grokking time depends on ε and on γ; the formula on neither.
    greatest = linear_weight_decay.max_weight_decay(lambda_, [1e-3, 1e-6])
    crossing = linear_grokking_time.grokking_time(
        lambda_, ETA, [1e-3, 1e-6, 1e-3], gamma=[*(1e-3 * greatest), 0.9999 * greatest[0]]
    )
    assert crossing[1] > 1.2 * crossing[0]
    assert crossing[2] > 2.0 * max(crossing[0], paper)


def test_twice_floor_delay_is_between_the_two_crossings():
    lambda_, gamma, d_out = 0.7, 1e-3, 3
    gen = linear.gen_loss_floor(lambda_, gamma=gamma, d_out=d_out)
    train = linear.train_loss_floor(lambda_, gamma=gamma, d_out=d_out)
    t = np.linspace(1.0, 30_000.0, 20_000)
    options = {"gamma": gamma, "d_out": d_out}
    first_gen = t[linear.gen_loss(t, lambda_, ETA, **options) <= 2 * gen][0]
    first_train = t[linear.train_loss(t, lambda_, ETA, **options) <= 2 * train][0]
    delay = linear_weight_decay.twice_floor_delay(lambda_, ETA, gamma, d_out=d_out)
    assert delay == pytest.approx(first_gen - first_train, abs=2.0)


def test_delays_scale_with_output_dimension():
    for delay in (
        linear_weight_decay.paper_weight_decay_delay(0.9, ETA, d_out=4)
        / linear_weight_decay.paper_weight_decay_delay(0.9, ETA),
        linear_weight_decay.twice_floor_delay(0.9, ETA, 1e-6, d_out=4)
        / linear_weight_decay.twice_floor_delay(0.9, ETA, 1e-6),
    ):
        assert delay == pytest.approx(4.0, rel=1e-8)


def test_arguments_without_meaning_are_refused():
    with pytest.raises(ValueError, match="gamma = 0: "):
        linear_weight_decay.twice_floor_delay(0.5, ETA, 0.0)
    with pytest.raises(ValueError, match="lambda_ = 1: "):
        linear_weight_decay.paper_weight_decay_delay(1.0, ETA)
    with pytest.raises(ValueError, match=r"lambda_ = 1\.5: "):
        linear_weight_decay.small_gamma_floors(1.5, 1e-3)
