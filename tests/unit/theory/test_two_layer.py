import numpy as np
import pytest
from scipy import integrate

from linear_grokking.data.draws import teacher_student
from linear_grokking.theory import linear, two_layer
from linear_grokking.theory.two_layer import Problem

pytestmark = pytest.mark.filterwarnings("error")

ETA = 0.01


def difference(data):
    return data.student[0] @ data.student[1] - data.teacher[0] @ data.teacher[1]


@pytest.mark.parametrize("d_out", [2, 5])
def test_initial_loss_has_the_prefactor_1_over_d_out(d_out):
    """The paper drops it (erratum).  400 draws, Student's t beyond 5: 9e-7 each."""
    d_h = 30
    losses = [
        np.sum(
            difference(
                teacher_student(seed=1, realization=k, n_train=1, n_gen=1, widths=(80, d_h, d_out))
            )
            ** 2
        )
        / d_out
        for k in range(400)
    ]
    error = np.std(losses, ddof=1) / np.sqrt(len(losses))
    expected = two_layer.initial_gen_loss(Problem(0.9, ETA, d_h, d_out))
    assert abs(np.mean(losses) - expected) < 5 * error
    assert error < 0.01 * expected
    assert expected == pytest.approx(1 / (2 * d_h * d_out))


def test_losses_are_those_of_one_layer_at_a_lower_rate():
    t = np.array([0.0, 500.0, 1e5])
    for two, one in (
        (two_layer.train_loss, linear.train_loss),
        (two_layer.gen_loss, linear.gen_loss),
    ):
        expected = one(t, linear.Problem(0.9, ETA / 50)) / 500
        np.testing.assert_allclose(two(t, Problem(0.9, ETA, 50, 5)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("d_h", "train", "generalization"), [(50, 6.9e3, 117e3), (200, 2.6e3, 24e3)]
)
def test_times_for_the_papers_nets(d_h, train, generalization):
    """λ = 0.9, d_out = 5, ε = 1e-4."""
    problem = Problem(0.9, ETA, d_h, 5)
    assert two_layer.train_time(problem, 1e-4) == pytest.approx(train, rel=0.01)
    assert two_layer.gen_time(problem, 1e-4) == pytest.approx(generalization, rel=0.005)


@pytest.mark.parametrize("d_out", [1, 3])
def test_at_the_divergence_rate_a_lazy_step_turns_the_fastest_mode_over(d_out):
    """Literally: the first layer's step, with second layers S⁽¹⁾ᵀS⁽¹⁾ = I/(2 d_out)."""
    lambda_, d_h = 0.6, 6
    edge = (1 + np.sqrt(lambda_)) ** 2
    second = np.zeros((d_h, d_out))
    second[:d_out] = np.eye(d_out) / np.sqrt(2 * d_out)
    error = np.ones((1, d_out))  # of the fastest mode
    rate = two_layer.divergence_rate(Problem(lambda_, ETA, d_h, d_out))
    moved = error - rate * 2 / d_out * edge * error @ second.T @ second
    np.testing.assert_allclose(moved, -error)


def test_accuracies_reach_the_threshold_at_the_times():
    problem = Problem(0.9, ETA, 80, 3)
    for time_of, loss in (
        (two_layer.train_time, two_layer.train_loss),
        (two_layer.gen_time, two_layer.gen_loss),
    ):
        time = time_of(problem, 1e-4, accuracy=0.8)
        assert linear.accuracy(loss(time, problem), 1e-4, 3) == pytest.approx(0.8, rel=1e-8)
    assert two_layer.gen_time(Problem(1.5, ETA, 80, 3), 1e-4) == np.inf
    assert two_layer.train_time(problem, 1.0) == 0.0


def test_losses_approximate_a_trained_linear_net():
    """Gradient flow of 400–100–2 nets, three realizations, until 6 % of L_gen(0) is left.

    The approximation leaves out terms of relative size √(d_out/d_h) = 0.14 and smaller; the
    paper's prefactor would be wrong by a factor of 2.
    """
    d_in, d_h, d_out, n_train = 400, 100, 2, 500
    records = np.array([0.0, 400.0, 4000.0])
    ratios = []
    for realization in range(3):
        data = teacher_student(
            seed=2, realization=realization, n_train=n_train, n_gen=1, widths=(d_in, d_h, d_out)
        )
        target = data.teacher[0] @ data.teacher[1]
        covariance = data.inputs.T @ data.inputs / n_train

        def velocity(_t, weights, covariance=covariance, target=target):
            first = weights[: d_in * d_h].reshape(d_in, d_h)
            second = weights[d_in * d_h :].reshape(d_h, d_out)
            pull = -2.0 * ETA / d_out * (covariance @ (first @ second - target))
            return np.concatenate([(pull @ second.T).ravel(), (first.T @ pull).ravel()])

        start = np.concatenate([layer.ravel() for layer in data.student])
        flow = integrate.solve_ivp(velocity, records[[0, -1]], start, t_eval=records, rtol=1e-5)
        for weights, t in zip(flow.y.T, records, strict=True):
            first = weights[: d_in * d_h].reshape(d_in, d_h)
            second = weights[d_in * d_h :].reshape(d_h, d_out)
            left = first @ second - target
            problem = Problem(d_in / n_train, ETA, d_h, d_out)
            ratios.append(np.sum(left**2) / d_out / two_layer.gen_loss(t, problem))
            train = np.sum(left * (covariance @ left)) / d_out
            ratios.append(train / two_layer.train_loss(t, problem))
    ratios = np.reshape(ratios, (3, len(records), 2))
    assert np.all(np.abs(ratios.mean(axis=0) - 1) < 0.15)


@pytest.mark.parametrize(("name", "value"), [("d_h", 0), ("d_out", np.nan), ("eta", -1.0)])
def test_impossible_arguments_are_named(name, value):
    fields = {"lambda_": 0.9, "eta": ETA, "d_h": 50, "d_out": 5, name: value}
    with pytest.raises(ValueError, match=f"^{name} = "):
        two_layer.gen_loss(1.0, Problem(**fields))
