import numpy as np
import pytest

from linear_grokking.theory import linear, linear_grokking_time, linear_overfitting

pytestmark = pytest.mark.filterwarnings("error")

ETA, EPSILON = 0.01, 1e-3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gamma": 1e-4},
        {"d_out": 40, "alpha": 2.0},
        {"noise": 1e-5, "gamma": 1e-5},
        {"accuracy": 0.8, "d_out": 3},
    ],
)
@pytest.mark.parametrize("lambda_", [0.1, 0.9])
def test_accuracies_reach_the_threshold_at_the_times(lambda_, options):
    wanted = options.get("accuracy", 0.95)
    rest = {name: value for name, value in options.items() if name != "accuracy"}
    d_out = options.get("d_out", 1)
    for time_of, loss in (
        (linear_grokking_time.train_time, linear.train_loss),
        (linear_grokking_time.gen_time, linear.gen_loss),
    ):
        time = time_of(lambda_, ETA, EPSILON, **options)
        assert np.isfinite(time)
        reached = linear.accuracy(loss(time, lambda_, ETA, **rest), EPSILON, d_out)
        assert reached == pytest.approx(wanted, rel=1e-8)
        earlier = loss(np.linspace(0.0, 0.999, 200) * time, lambda_, ETA, **rest)
        assert np.all(linear.accuracy(earlier, EPSILON, d_out) < wanted)


@pytest.mark.parametrize("d_out", [1, 5])
@pytest.mark.parametrize("lambda_", [1e-12, 0.5, 1.0, 2.0, 1e6])
@pytest.mark.parametrize("loss", [0.19, 1e-3, 1e-9])
def test_times_to_a_loss(lambda_, d_out, loss):
    time = linear_grokking_time.train_time_to_loss(loss, lambda_, ETA, d_out=d_out)
    assert linear.train_loss(time, lambda_, ETA, d_out=d_out) / loss == pytest.approx(1, rel=1e-7)
    time = linear_grokking_time.gen_time_to_loss(loss, lambda_, ETA, d_out=d_out)
    if loss > (1 - 1 / lambda_) / d_out:
        assert linear.gen_loss(time, lambda_, ETA, d_out=d_out) / loss == pytest.approx(1, rel=1e-7)
    else:
        assert time == np.inf


def test_edges_of_times_to_a_loss():
    for time_to in (linear_grokking_time.train_time_to_loss, linear_grokking_time.gen_time_to_loss):
        np.testing.assert_array_equal(time_to([2.0, 1.0 + 1e-9, 0.0], 0.9, ETA), [0.0, 0.0, np.inf])
    # At λ → 0 both losses are e^{−4ηt}.
    for time_to in (linear_grokking_time.train_time_to_loss, linear_grokking_time.gen_time_to_loss):
        assert time_to(1e-3, 1e-12, ETA) == pytest.approx(np.log(1e3) / (4 * ETA), rel=1e-6)
    # At λ = 1 the generalization loss ends as 1/(2√(πx)).
    time = linear_grokking_time.gen_time_to_loss(1e-9, 1.0, ETA)
    assert time == pytest.approx(1 / (4 * np.pi * 1e-18) / ETA, rel=1e-6)


def test_times_quoted_for_the_paper():
    time = linear_grokking_time
    assert time.gen_time(0.9, ETA, EPSILON) == pytest.approx(22.6e3, rel=3e-3)
    assert time.gen_time(1.5, ETA, EPSILON, d_out=700) == pytest.approx(1.23e4, rel=3e-3)
    assert time.slowest_d_out(0.9, EPSILON, largest=200) == 26
    delays = time.grokking_time(0.9, ETA, EPSILON, d_out=np.array([25, 26, 27, 50]))
    np.testing.assert_allclose(delays[[1, 3]], [72.0e3, 66.5e3], rtol=1e-3)
    assert delays[1] > delays[0]
    assert delays[1] > delays[2]


def test_slowest_d_out_leaves_out_what_never_generalizes():
    assert linear_grokking_time.slowest_d_out(0.9, EPSILON, largest=10) == 10
    # At λ > 1 Δt falls from infinity as d_out grows.
    with pytest.raises(ValueError, match="largest = 20"):
        linear_grokking_time.slowest_d_out(1.5, EPSILON, largest=20)
    d_out = np.arange(1, 701)
    times = linear_grokking_time.grokking_time(1.5, ETA, EPSILON, d_out=d_out)
    first = d_out[np.isfinite(times)][0]
    assert linear_grokking_time.slowest_d_out(1.5, EPSILON, largest=700) == first


def test_grokking_time_is_the_difference():
    options = {"gamma": 1e-4, "d_out": 2, "alpha": 1.5, "noise": 1e-6, "accuracy": 0.9}
    delay = linear_grokking_time.grokking_time(0.8, ETA, EPSILON, **options)
    gen = linear_grokking_time.gen_time(0.8, ETA, EPSILON, **options)
    assert delay == gen - linear_grokking_time.train_time(0.8, ETA, EPSILON, **options)
    assert linear_grokking_time.grokking_time(1.5, ETA, EPSILON) == np.inf
    # Neither comes, and only generalization comes.
    assert linear_grokking_time.grokking_time(0.5, ETA, EPSILON, noise=10.0) == np.inf
    assert linear_grokking_time.grokking_time(0.01, ETA, EPSILON, noise=2e-3) == -np.inf


def test_time_scales_with_the_learning_rate_and_the_initial_loss():
    slow = linear_grokking_time.grokking_time(0.9, ETA / 10, EPSILON)
    fast = linear_grokking_time.grokking_time(0.9, ETA, EPSILON)
    assert slow == pytest.approx(10 * fast, rel=1e-8)
    # α multiplies the losses by (1 + α²)/2, as dividing ε does.
    scaled = linear_grokking_time.grokking_time(0.9, ETA, EPSILON, alpha=3.0)
    assert scaled == pytest.approx(
        linear_grokking_time.grokking_time(0.9, ETA, EPSILON / 5), rel=1e-8
    )


def test_noisy_generalization_passes_below_the_threshold_for_a_while():
    lambda_, noise = 0.9, 1e-3
    turn, lowest = linear_overfitting.gen_loss_minimum(lambda_, ETA, noise=noise)
    floor = linear.gen_loss_floor(lambda_, noise=noise)
    targets = np.array([lowest * (1 - 1e-6), lowest * (1 + 1e-6), (lowest + floor) / 2, 0.5])
    time = linear_grokking_time.gen_time_to_loss(targets, lambda_, ETA, noise=noise)
    assert time[0] == np.inf
    assert np.all(time[1:] < turn)
    np.testing.assert_allclose(
        linear.gen_loss(time[1:], lambda_, ETA, noise=noise), targets[1:], rtol=1e-7
    )


def test_noisy_generalization_may_come_after_the_initial_student_is_forgotten():
    """λ > 1: the loss turns early above the threshold, and weight decay brings it there."""
    options = {"noise": 1e-2, "gamma": 1e-8}
    turn, lowest = linear_overfitting.gen_loss_minimum(1.5, ETA, **options)
    floor = linear.gen_loss_floor(1.5, **options)
    assert floor < lowest
    target = 0.5 * (floor + lowest)
    time = linear_grokking_time.gen_time_to_loss(target, 1.5, ETA, **options)
    assert time > turn
    assert linear.gen_loss(time, 1.5, ETA, **options) == pytest.approx(target, rel=1e-7)


@pytest.mark.parametrize(
    "axes",
    [
        {"gamma": np.logspace(-6, -1, 20)[:, None], "d_out": np.arange(1, 701, 50), "lambda_": 0.9},
        {"gamma": np.logspace(-6, -1, 20)[:, None], "lambda_": np.linspace(0.05, 2, 20)},
        {"d_out": np.arange(1, 701, 50)[:, None], "lambda_": np.linspace(0.05, 2, 20)},
    ],
)
def test_phase_diagrams_are_blank_exactly_where_the_accuracy_stays_below(axes):
    times = linear_grokking_time.grokking_time(eta=ETA, epsilon=EPSILON, **axes)
    lambda_ = axes["lambda_"]
    rest = {name: values for name, values in axes.items() if name != "lambda_"}
    final = linear.accuracy(linear.gen_loss_floor(lambda_, **rest), EPSILON, rest.get("d_out", 1))
    np.testing.assert_array_equal(np.isinf(times), final <= 0.95)
    assert np.any(np.isfinite(times)) and np.any(np.isinf(times))
    assert np.all(times >= 0)
    # A map is nothing else than its points.
    index = tuple(np.argwhere(np.isfinite(times))[-1])
    point = {name: np.broadcast_to(values, times.shape)[index] for name, values in axes.items()}
    alone = linear_grokking_time.grokking_time(eta=ETA, epsilon=EPSILON, **point)
    assert times[index] == pytest.approx(alone, rel=1e-8)


def test_generalization_is_possible_beyond_the_critical_ratio():
    d_out = np.array([1, 300, 700])
    times = linear_grokking_time.gen_time(1.5, ETA, EPSILON, d_out=d_out)
    np.testing.assert_array_equal(np.isfinite(times), [False, False, True])


@pytest.mark.parametrize(
    ("name", "value"), [("epsilon", 0.0), ("lambda_", -1.0), ("eta", np.nan), ("accuracy", 1.0)]
)
def test_impossible_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} = "):
        linear_grokking_time.grokking_time(
            **{"lambda_": 0.5, "eta": ETA, "epsilon": EPSILON, name: value}
        )
