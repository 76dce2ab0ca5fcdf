"""Literal steps at learning rates beyond the stable ones, against recursions of their own."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian, TwoGaussians
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.trajectory import Outcome
from linear_grokking.theory.large_rates import critical_rate

N, LAMBDA, SIGMA = 100, 0.4, 5.0
SHIFT = 30.0


def drawn(realization=0, law=None, loss="cross_entropy", bias=True, n=N, dtype="float64"):
    """Return the model of one set, and the initial weights."""
    law = law or Gaussian(SIGMA)
    sizes = {"n_train": n, "d": round(LAMBDA * n), "s0_norm": 0.1, "dtype": np.dtype(dtype)}
    data = classification(law, seed=6, realization=realization, **sizes)
    model = LogisticModel(data.inputs[None], data.labels[None], law, loss=LOSSES[loss], bias=bias)
    return model, data.inputs, data.weights[None].astype(float)


def rate(factor, loss="cross_entropy"):
    return factor * float(critical_rate(LAMBDA, SIGMA, loss=loss))


def perceptron(inputs, weights, steps, bias=1.0):
    """Return (S, b) of each step: after one of the cross-entropy the batch perceptron's.

    All in units of a learning rate that is so large that initial weights are nothing in it.
    """
    slopes = 1.0 / (1.0 + np.exp(-inputs @ weights[0]))
    path = [(-slopes @ inputs / len(inputs), -bias * slopes.mean())]
    for _ in range(steps - 1):
        s, b = path[-1]
        wrong = (inputs @ s + b > 0).astype(float)
        path.append((s - wrong @ inputs / len(inputs), b - bias * wrong.mean()))
    return path


@pytest.mark.parametrize("realization", [0, 1])
@pytest.mark.parametrize("eta", [1e12, 1e30])
def test_the_limit_of_large_rates_is_the_batch_perceptron(realization, eta):
    model, inputs, weights = drawn(realization)
    path = perceptron(inputs, weights, 200)
    errors = [int(np.sum(inputs @ s + b > 0)) for s, b in path]
    stop = errors.index(0)
    assert 5 < stop < 150
    steps = np.arange(1, 201)
    found = gradient_descent(model, (weights, np.zeros(1)), eta=eta, steps=steps)
    assert found.outcome is Outcome.COMPLETED
    np.testing.assert_allclose(
        found.observables["weight_norm"][0] / eta, [np.linalg.norm(s) for s, _ in path], rtol=1e-9
    )
    np.testing.assert_allclose(found.observables["bias"][0] / eta, [b for _, b in path], rtol=1e-9)
    np.testing.assert_allclose(found.observables["train_accuracy"][0], 1 - np.array(errors) / N)
    # It stops at the first step without an error: the rest has no slope.
    assert len(set(found.observables["weight_norm"][0, stop:])) == 1
    assert all(np.isfinite(each).all() for each in found.observables.values())


def test_without_bias_it_never_stops_on_a_set_that_is_not_separable():
    law = TwoGaussians(mu=0.2, sigma_a=0.5, sigma=1.0)
    model, inputs, weights = drawn(law=law, bias=False)
    path = perceptron(inputs, weights, 2000, bias=0.0)
    assert all(np.any(inputs @ s > 0) for s, _ in path)
    steps = np.arange(1000, 2001)
    large = gradient_descent(model, (weights, np.zeros(1)), eta=1e12, steps=steps)
    assert large.observables["train_accuracy"].max() < 1.0
    assert np.ptp(large.observables["train_accuracy"]) > 0.05
    small = gradient_descent(model, (weights, np.zeros(1)), eta=1.0, steps=steps)
    assert np.ptp(small.observables["train_accuracy"]) <= 1.0 / N


@pytest.mark.parametrize("b0", [-40.0, -1.0, 2.0])
def test_the_exponential_loss_knows_only_log_rate_plus_bias(b0):
    model, _, weights = drawn(loss="exponential")
    steps = np.arange(0, 400)
    eta = rate(1.0, "exponential")
    found = gradient_descent(model, (weights, np.zeros(1)), eta=eta, steps=steps)
    eta *= np.exp(-b0)
    shifted = gradient_descent(model, (weights, np.full(1, b0)), eta=eta, steps=steps)
    assert found.outcome is shifted.outcome is Outcome.COMPLETED
    np.testing.assert_allclose(
        shifted.observables["bias"] - b0, found.observables["bias"], rtol=1e-9, atol=1e-9
    )
    for name in ("weight_norm", "train_loss"):
        unit = np.exp(b0) if name == "train_loss" else 1.0
        np.testing.assert_allclose(
            shifted.observables[name] / unit, found.observables[name], rtol=1e-9
        )
    # The cross-entropy knows more.
    other, _, _ = drawn()
    norms = [
        gradient_descent(other, (weights, np.full(1, b)), eta=rate(0.5) * np.exp(-b), steps=[200])
        for b in (0.0, b0)
    ]
    first, second = (each.observables["weight_norm"][0, 0] for each in norms)
    assert abs(second / first - 1.0) > 0.02


def test_where_the_exponential_loss_overflows_the_cross_entropy_from_far_below_is_thrown_out():
    steps = np.arange(0, 301)
    outcomes = []
    for realization in range(6):
        model, _, weights = drawn(realization, loss="exponential", dtype="float32")
        other, _, _ = drawn(realization, dtype="float32")
        for factor in (0.8, 1.2, 1.35, 1.5, 2.5):
            eta = rate(factor, "exponential")
            found = gradient_descent(model, (weights, np.zeros(1)), eta=eta, steps=steps)
            start = weights, np.full(1, -SHIFT)
            kept = gradient_descent(other, start, eta=eta * np.exp(SHIFT), steps=steps)
            assert kept.outcome is Outcome.COMPLETED
            norm = kept.observables["weight_norm"][0, -1]
            diverged = found.outcome is Outcome.DIVERGED
            outcomes.append((factor, diverged))
            assert (norm > 1e6) == diverged
            if not diverged:
                expected = found.observables["weight_norm"][0, -1]
                assert norm == pytest.approx(expected, rel=1e-5)
    assert not any(diverged for factor, diverged in outcomes if factor == 0.8)
    assert all(diverged for factor, diverged in outcomes if factor == 2.5)


def sharpness(model, params):
    """Return the largest eigenvalue of the Hessian of the training loss."""
    weights, bias = params
    curvatures = model.curvatures(model.outputs(weights, bias))

    def product(v):
        v = v.reshape(-1)
        _, by_weights, by_bias = model.hessian_product(curvatures, v[None, :-1], v[-1:])
        return np.concatenate([by_weights[0], by_bias])

    size = model.d + 1
    operator = LinearOperator((size, size), matvec=product, dtype=float)
    return float(eigsh(operator, k=1, which="LA", return_eigenvectors=False)[0])


def test_late_steps_are_stable_at_every_rate():
    """η times the sharpness falls as h/t, h of the set and not of the rate."""
    model, inputs, weights = drawn()
    found = []
    for factor in (0.5, 2.5, 5.0):
        eta = rate(factor)
        steps = round(3000.0 / eta)
        end = gradient_descent(model, (weights, np.zeros(1)), eta=eta, steps=[steps])
        late = sharpness(model, end.params)
        assert eta * late < 0.02
        found.append(late * eta * steps)
    np.testing.assert_allclose(found, found[0], rtol=0.05)
    # h is the largest eigenvalue of the Hessian of the mean of e^{S·x}, over the mean itself.
    weighing = np.exp(inputs @ end.params[0][0])
    extended = np.column_stack([inputs, np.ones(N)])
    hessian = (extended.T * weighing) @ extended / weighing.sum()
    np.testing.assert_allclose(found, np.linalg.eigvalsh(hessian)[-1], rtol=0.05)
