"""The loop of literal steps against plain recursions."""

import numpy as np
import pytest

from linear_grokking import data
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.resume import Interrupted
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.trajectory import Outcome, SolverError


class Quadratic:
    """L = ½ Σ_k h_k θ_k², of two parameter arrays, for which descent has a closed form."""

    curvatures = (np.array([0.1, 1.0, 3.0]), np.array([0.5]))

    def gradient(self, params):
        return tuple(h * theta for h, theta in zip(self.curvatures, params, strict=True))

    def observables(self, params):
        parts = zip(self.curvatures, params, strict=True)
        return {"train_loss": sum(0.5 * np.sum(h * theta**2, axis=-1) for h, theta in parts)}

    def exact(self, start, eta, weight_decay, step):
        return tuple(
            (1.0 - eta * (h + weight_decay)) ** step * theta
            for h, theta in zip(self.curvatures, start, strict=True)
        )


def start_of(realizations=2):
    rng = np.random.default_rng(0)
    return rng.standard_normal((realizations, 3)), rng.standard_normal((realizations, 1))


def logistic(realizations=2, dtype=np.float64, **options):
    law = data.Gaussian(5.0)
    sets = [
        data.classification(law, seed=5, realization=k, n_train=80, d=30, s0_norm=0.1, dtype=dtype)
        for k in range(realizations)
    ]
    inputs, labels, weights = (
        np.stack([getattr(one, name) for one in sets]) for name in ("inputs", "labels", "weights")
    )
    model = LogisticModel(inputs, labels, law, **options)
    return model, (weights.astype(float), np.zeros(realizations))


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_descent_of_a_quadratic_is_its_closed_form(weight_decay):
    model, start = Quadratic(), start_of()
    steps = np.array([0.0, 1.0, 5.0, 100.0])
    found = gradient_descent(model, start, eta=0.2, steps=steps, weight_decay=weight_decay)
    assert found.require_completed().gradients == 100
    for k, step in enumerate(steps):
        expected = model.exact(start, 0.2, weight_decay, step)
        np.testing.assert_allclose(
            found.observables["train_loss"][:, k],
            model.observables(expected)["train_loss"],
            rtol=1e-12,
        )
    for theta, value in zip(found.params, expected, strict=True):
        np.testing.assert_allclose(theta, value, rtol=1e-12)


def test_descent_of_the_logistic_model_is_the_plain_recursion():
    model, (weights, bias) = logistic(realizations=1)
    inputs = data.classification(data.Gaussian(5.0), seed=5, realization=0, n_train=80, d=30).inputs
    found = gradient_descent(model, (weights, bias), eta=0.01, steps=np.array([0.0, 300.0]))
    s, b, tau = weights[0].copy(), 0.0, 0.0
    for _ in range(300):
        slopes = 1.0 / (1.0 + np.exp(-inputs @ s - b))
        tau += np.exp(b)
        s, b = s - 0.01 * inputs.T @ slopes / 80, b - 0.01 * slopes.mean()
    np.testing.assert_allclose(found.params[0][0], s, rtol=1e-11)
    np.testing.assert_allclose(found.params[1][0], b, rtol=1e-12)
    np.testing.assert_allclose(found.observables["conformal_time"][0, -1], tau, rtol=1e-12)
    np.testing.assert_allclose(
        found.observables["train_loss"][0, -1], np.log1p(np.exp(inputs @ s + b)).mean(), rtol=1e-11
    )


def test_the_initial_parameters_are_left_alone():
    start = start_of()
    copies = tuple(theta.copy() for theta in start)
    gradient_descent(Quadratic(), start, eta=0.2, steps=np.array([10.0]))
    for theta, copy in zip(start, copies, strict=True):
        np.testing.assert_array_equal(theta, copy)


def test_torch_and_batches_give_what_numpy_gives_one_by_one():
    torch = pytest.importorskip("torch")
    steps = np.array([0.0, 10.0, 500.0])
    batch, params = logistic(realizations=3)
    together = gradient_descent(batch, params, eta=0.01, steps=steps)
    law = data.Gaussian(5.0)
    sets = [data.classification(law, seed=5, realization=k, n_train=80, d=30) for k in range(3)]
    tensors = LogisticModel(
        torch.from_numpy(np.stack([one.inputs for one in sets])),
        torch.from_numpy(np.stack([one.labels for one in sets])),
        law,
    )
    in_torch = gradient_descent(
        tensors, tuple(torch.from_numpy(theta) for theta in params), eta=0.01, steps=steps
    )
    for name, values in together.observables.items():
        np.testing.assert_allclose(in_torch.observables[name], values, rtol=1e-10)
    for k, one in enumerate(sets):
        alone = gradient_descent(
            LogisticModel(one.inputs[None], one.labels[None], law),
            (params[0][k : k + 1], params[1][k : k + 1]),
            eta=0.01,
            steps=steps,
        )
        for name, values in alone.observables.items():
            np.testing.assert_array_equal(values[0], together.observables[name][k])


@pytest.mark.parametrize("realizations", [1, 2])
def test_divergence_stops_the_run_and_is_reported(realizations):
    start = start_of(realizations)
    start[1][-1] = 0.0
    start[0][-1] = 0.0 if realizations == 2 else 1.0  # the last of two stays at the minimum
    steps = np.array([0.0, 50.0, 1e4])
    found = gradient_descent(Quadratic(), start, eta=1.0, steps=steps)
    assert found.outcome is Outcome.DIVERGED
    assert found.failed == (0,)
    np.testing.assert_array_equal(found.steps, [0.0, 50.0])
    assert np.all(np.isfinite(found.observables["train_loss"]))
    with pytest.raises(SolverError, match=r"DIVERGED \(realizations \[0\].*50: .*lower eta"):
        found.require_completed()


class Killed:
    """A checkpoint that keeps the last state and stops the job after some offers."""

    def __init__(self, offers):
        self.offers = offers
        self.saved = None

    def restore(self):
        return self.saved

    def offer(self, state):
        self.offers -= 1
        if self.offers == 0:
            self.saved = {name: np.array(value) for name, value in state().items()}
            raise Interrupted


@pytest.mark.parametrize("offers", [1, 10, 64, 300])
def test_a_killed_run_goes_on_with_the_same_bits(offers):
    model, params = logistic()
    options = {"eta": 0.01, "steps": np.array([0.0, 1.0, 10.0, 30.0, 300.0])}
    expected = gradient_descent(model, params, **options)
    checkpoint = Killed(offers)
    with pytest.raises(Interrupted):
        gradient_descent(model, params, **options, checkpoint=checkpoint)
    found = gradient_descent(model, params, **options, checkpoint=checkpoint)
    for name, values in expected.observables.items():
        np.testing.assert_array_equal(found.observables[name], values)
    np.testing.assert_array_equal(found.params[0], expected.params[0])


def test_arguments_out_of_range_are_named():
    model, start = Quadratic(), start_of()
    for steps in ([0.5], [2.0, 1.0], [-1.0], [np.inf]):
        with pytest.raises(ValueError, match=r"steps=.*whole numbers"):
            gradient_descent(model, start, eta=0.1, steps=np.array(steps))
    with pytest.raises(ValueError, match="eta=0: the learning rate must be positive"):
        gradient_descent(model, start, eta=0, steps=np.array([1.0]))
    with pytest.raises(ValueError, match="weight_decay=-1: must be finite and not negative"):
        gradient_descent(model, start, eta=0.1, steps=np.array([1.0]), weight_decay=-1)
