import numpy as np
import pytest
from scipy import optimize

from linear_grokking.theory import linear
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_overfitting import gen_loss_minimum

pytestmark = pytest.mark.filterwarnings("error")

ETA = 0.01


@pytest.mark.parametrize("lambda_", [1e-3, 0.5, 0.9, 1.0, 1.5, 10.0])
@pytest.mark.parametrize(
    "options",
    [
        {"noise": 1e-5},
        {"noise": 0.3, "alpha": 3.0},
        {"noise": 20.0, "d_out": 6},
    ],
)
def test_minimum_matches_a_direct_search(lambda_, options):
    grid = np.logspace(-5, 11, 800)
    problem = Problem(lambda_, ETA, **options)
    values = linear.gen_loss(grid, problem)
    # One minimum: the loss falls to it and rises from it.
    least = np.argmin(values)
    assert np.all(np.diff(values[: least + 1]) <= 1e-13 * values[0])
    assert np.all(np.diff(values[least:]) >= -1e-13 * values[-1])
    search = optimize.minimize_scalar(
        lambda log_t: linear.gen_loss(np.exp(log_t), problem),
        bounds=np.log(grid[[least - 1, least + 1]]),
        method="bounded",
        options={"xatol": 1e-9},
    )
    time, loss = gen_loss_minimum(problem)
    assert loss == pytest.approx(search.fun, rel=1e-11)
    assert np.log(time) == pytest.approx(search.x, abs=1e-3)


def test_time_of_the_minimum_is_where_the_slope_vanishes():
    problem = Problem(0.9, ETA, noise=1e-3, gamma=1e-3)
    time, loss = gen_loss_minimum(problem)
    around = linear.gen_loss(time * np.array([0.99, 1.0, 1.01]), problem)
    assert around[1] == loss
    # A parabola through the three points has its vertex within 2e-4 of the middle.
    vertex = 0.01 * (around[0] - around[2]) / (2 * (around[0] - 2 * around[1] + around[2]))
    assert abs(vertex) < 2e-4


def test_enough_weight_decay_prevents_overfitting():
    lambda_, noise, d_out = 0.8, 0.01, 3
    critical = 4 * lambda_ * d_out * noise

    def decayed(*shares):
        return Problem(lambda_, ETA, noise=noise, d_out=d_out, gamma=critical * np.array(shares))

    time, loss = gen_loss_minimum(decayed(0.9, 1.0, 1.1))
    np.testing.assert_array_equal(np.isinf(time), [False, True, True])
    floors = linear.gen_loss_floor(decayed(0.9, 1.0, 1.1))
    assert loss[0] < floors[0]
    np.testing.assert_array_equal(loss[1:], floors[1:])
    # At that weight decay the floor is the ridge estimator's least.
    assert np.all(linear.gen_loss_floor(decayed(0.7, 0.99, 1.01, 1.5)) > floors[1])


def test_without_noise_there_is_no_minimum():
    time, loss = gen_loss_minimum(Problem([0.5, 1.5], ETA))
    np.testing.assert_array_equal(time, np.inf)
    np.testing.assert_allclose(loss, [0.0, 1 / 3])


def test_forgotten_initial_student_may_hide_overfitting():
    """λ > 1 with weight decay: the slow descent on the atom wins over the slow rise."""
    problem = Problem(1.5, ETA, noise=1e-2, gamma=0.015)
    time, loss = gen_loss_minimum(problem)
    assert time == np.inf
    assert loss == linear.gen_loss_floor(problem)
    values = linear.gen_loss(np.logspace(-2, 8, 500), problem)
    assert np.all(np.diff(values) <= 1e-13)
    # With less of it there is a minimum, and then a maximum.
    problem = Problem(1.5, ETA, noise=1e-2, gamma=1e-8)
    time, loss = gen_loss_minimum(problem)
    t = np.logspace(-2, 7, 500)
    values = linear.gen_loss(t, problem)
    assert loss == pytest.approx(values.min(), rel=1e-3)
    assert t[np.argmin(values)] == pytest.approx(time, rel=0.05)
