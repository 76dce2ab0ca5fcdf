import numpy as np
import pytest

from linear_grokking.theory import linear
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import (
    gen_time,
    gen_time_to_loss,
    grokking_time,
    slowest_d_out,
    train_time,
    train_time_to_loss,
)
from linear_grokking.theory.linear_overfitting import gen_loss_minimum

pytestmark = pytest.mark.filterwarnings("error")

ETA, EPSILON = 0.01, 1e-3


@pytest.mark.parametrize(
    ("options", "accuracy"),
    [
        ({}, 0.95),
        ({"gamma": 1e-4}, 0.95),
        ({"d_out": 40, "alpha": 2.0}, 0.95),
        ({"noise": 1e-5, "gamma": 1e-5}, 0.95),
        ({"d_out": 3}, 0.8),
    ],
)
@pytest.mark.parametrize("lambda_", [0.1, 0.9])
def test_accuracies_reach_the_threshold_at_the_times(lambda_, options, accuracy):
    problem = Problem(lambda_, ETA, **options)
    for time_of, loss in ((train_time, linear.train_loss), (gen_time, linear.gen_loss)):
        time = time_of(problem, EPSILON, accuracy=accuracy)
        assert np.isfinite(time)
        reached = linear.accuracy(loss(time, problem), EPSILON, problem.d_out)
        assert reached == pytest.approx(accuracy, rel=1e-8)
        earlier = loss(np.linspace(0.0, 0.999, 200) * time, problem)
        assert np.all(linear.accuracy(earlier, EPSILON, problem.d_out) < accuracy)


def test_the_usual_accuracy_is_95_percent():
    problem = Problem(0.9, ETA, d_out=2)
    for time_of in (train_time, gen_time, grokking_time):
        assert time_of(problem, EPSILON) == time_of(problem, EPSILON, accuracy=0.95)


@pytest.mark.parametrize("d_out", [1, 5])
@pytest.mark.parametrize("lambda_", [1e-12, 0.5, 1.0, 2.0, 1e6])
@pytest.mark.parametrize("loss", [0.19, 1e-3, 1e-9])
def test_times_to_a_loss(lambda_, d_out, loss):
    problem = Problem(lambda_, ETA, d_out=d_out)
    time = train_time_to_loss(loss, problem)
    assert linear.train_loss(time, problem) / loss == pytest.approx(1, rel=1e-7)
    time = gen_time_to_loss(loss, problem)
    if loss > (1 - 1 / lambda_) / d_out:
        assert linear.gen_loss(time, problem) / loss == pytest.approx(1, rel=1e-7)
    else:
        assert time == np.inf


def test_edges_of_times_to_a_loss():
    for time_to in (train_time_to_loss, gen_time_to_loss):
        ends = time_to([2.0, 1.0 + 1e-9, 0.0], Problem(0.9, ETA))
        np.testing.assert_array_equal(ends, [0.0, 0.0, np.inf])
        # At λ → 0 both losses are e^{−4ηt}.
        time = time_to(1e-3, Problem(1e-12, ETA))
        assert time == pytest.approx(np.log(1e3) / (4 * ETA), rel=1e-6)
    # At λ = 1 the generalization loss ends as 1/(2√(πx)).
    time = gen_time_to_loss(1e-9, Problem(1.0, ETA))
    assert time == pytest.approx(1 / (4 * np.pi * 1e-18) / ETA, rel=1e-6)


def test_times_quoted_for_the_paper():
    assert gen_time(Problem(0.9, ETA), EPSILON) == pytest.approx(22.6e3, rel=3e-3)
    assert gen_time(Problem(1.5, ETA, d_out=700), EPSILON) == pytest.approx(1.23e4, rel=3e-3)
    assert slowest_d_out(Problem(0.9, ETA), EPSILON, largest=200) == 26
    delays = grokking_time(Problem(0.9, ETA, d_out=[25, 26, 27, 50]), EPSILON)
    np.testing.assert_allclose(delays[[1, 3]], [72.0e3, 66.5e3], rtol=1e-3)
    assert delays[1] > delays[0]
    assert delays[1] > delays[2]


def test_slowest_d_out_leaves_out_what_never_generalizes():
    assert slowest_d_out(Problem(0.9, ETA), EPSILON, largest=10) == 10
    # At λ > 1 Δt falls from infinity as d_out grows.
    with pytest.raises(ValueError, match="largest = 20"):
        slowest_d_out(Problem(1.5, ETA), EPSILON, largest=20)
    d_out = np.arange(1, 701)
    times = grokking_time(Problem(1.5, ETA, d_out=d_out), EPSILON)
    first = d_out[np.isfinite(times)][0]
    assert slowest_d_out(Problem(1.5, ETA, d_out=9), EPSILON, largest=700) == first


def test_grokking_time_is_the_difference():
    problem = Problem(0.8, ETA, gamma=1e-4, d_out=2, alpha=1.5, noise=1e-6)
    delay, gen, train = (
        time(problem, EPSILON, accuracy=0.9) for time in (grokking_time, gen_time, train_time)
    )
    assert delay == gen - train
    assert grokking_time(Problem(1.5, ETA), EPSILON) == np.inf
    # Neither comes, and only generalization comes.
    assert grokking_time(Problem(0.5, ETA, noise=10.0), EPSILON) == np.inf
    assert grokking_time(Problem(0.01, ETA, noise=2e-3), EPSILON) == -np.inf


def test_time_scales_with_the_learning_rate_and_the_initial_loss():
    slow, fast = (grokking_time(Problem(0.9, eta), EPSILON) for eta in (ETA / 10, ETA))
    assert slow == pytest.approx(10 * fast, rel=1e-8)
    # α multiplies the losses by (1 + α²)/2, as dividing ε does.
    scaled = grokking_time(Problem(0.9, ETA, alpha=3.0), EPSILON)
    assert scaled == pytest.approx(grokking_time(Problem(0.9, ETA), EPSILON / 5), rel=1e-8)


def test_noisy_generalization_passes_below_the_threshold_for_a_while():
    problem = Problem(0.9, ETA, noise=1e-3)
    turn, lowest = gen_loss_minimum(problem)
    floor = linear.gen_loss_floor(problem)
    targets = np.array([lowest * (1 - 1e-6), lowest * (1 + 1e-6), (lowest + floor) / 2, 0.5])
    time = gen_time_to_loss(targets, problem)
    assert time[0] == np.inf
    assert np.all(time[1:] < turn)
    np.testing.assert_allclose(linear.gen_loss(time[1:], problem), targets[1:], rtol=1e-7)


def test_noisy_generalization_may_come_after_the_initial_student_is_forgotten():
    """λ > 1: the loss turns early above the threshold, and weight decay brings it there."""
    problem = Problem(1.5, ETA, noise=1e-2, gamma=1e-8)
    turn, lowest = gen_loss_minimum(problem)
    floor = linear.gen_loss_floor(problem)
    assert floor < lowest
    target = 0.5 * (floor + lowest)
    time = gen_time_to_loss(target, problem)
    assert time > turn
    assert linear.gen_loss(time, problem) == pytest.approx(target, rel=1e-7)


@pytest.mark.parametrize(
    "axes",
    [
        {"gamma": np.logspace(-6, -1, 20)[:, None], "d_out": np.arange(1, 701, 50), "lambda_": 0.9},
        {"gamma": np.logspace(-6, -1, 20)[:, None], "lambda_": np.linspace(0.05, 2, 20)},
        {"d_out": np.arange(1, 701, 50)[:, None], "lambda_": np.linspace(0.05, 2, 20)},
    ],
)
def test_phase_diagrams_are_blank_exactly_where_the_accuracy_stays_below(axes):
    problem = Problem(eta=ETA, **axes)
    times = grokking_time(problem, EPSILON)
    final = linear.accuracy(linear.gen_loss_floor(problem), EPSILON, problem.d_out)
    np.testing.assert_array_equal(np.isinf(times), final <= 0.95)
    assert np.any(np.isfinite(times)) and np.any(np.isinf(times))
    assert np.all(times >= 0)
    # A map is nothing else than its points.
    index = tuple(np.argwhere(np.isfinite(times))[-1])
    point = {name: np.broadcast_to(values, times.shape)[index] for name, values in axes.items()}
    alone = grokking_time(Problem(eta=ETA, **point), EPSILON)
    assert times[index] == pytest.approx(alone, rel=1e-8)


def test_generalization_is_possible_beyond_the_critical_ratio():
    times = gen_time(Problem(1.5, ETA, d_out=[1, 300, 700]), EPSILON)
    np.testing.assert_array_equal(np.isfinite(times), [False, False, True])


@pytest.mark.parametrize(
    ("name", "value"), [("epsilon", 0.0), ("lambda_", -1.0), ("eta", np.nan), ("accuracy", 1.0)]
)
def test_impossible_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} = "):
        arguments = {"epsilon": EPSILON, "accuracy": 0.95, "lambda_": 0.5, "eta": ETA, name: value}
        threshold = {key: arguments.pop(key) for key in ("epsilon", "accuracy")}
        grokking_time(Problem(**arguments), **threshold)
