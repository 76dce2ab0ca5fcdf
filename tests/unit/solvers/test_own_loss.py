"""A loss of one's own is one class: model, descent and flow take it without further ado."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import ndtr

from linear_grokking.data.draws import classification, stacked
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import Loss
from linear_grokking.solvers.gradient_descent import SingleSteps, descent, gradient_descent
from linear_grokking.solvers.log_flow import gradient_flow

LAW = Gaussian(2.0)
REALIZATIONS, N, D = 2, 40, 8


class SquaredHinge(Loss):
    """ℓ(m) = max(0, 1 + m)²."""

    name = "squared_hinge"

    def value(self, xp, margins):
        return xp.clip(1.0 + margins, 0.0, None) ** 2

    def slope(self, xp, margins):
        return 2.0 * xp.clip(1.0 + margins, 0.0, None)

    def curvature(self, xp, margins):
        return 2.0 * xp.astype(margins > -1.0, xp.float64)

    def expectation(self, means, deviations):
        z, step = np.linspace(-12.0, 12.0, 20_001, retstep=True)
        density = np.exp(-0.5 * z**2) * (step / np.sqrt(2.0 * np.pi))
        return self.value(np, means[..., None] + deviations[..., None] * z) @ density


LOSS = SquaredHinge()


def draw(put=np.asarray, label_fraction=0.8, bias=True):
    sizes = {"n_train": N, "d": D, "s0_norm": 0.1, "label_fraction": label_fraction}
    sets = [classification(LAW, seed=6, realization=k, **sizes) for k in range(REALIZATIONS)]
    data = stacked(sets, put)
    model = LogisticModel(
        data.inputs, data.labels, LAW, loss=LOSS, bias=bias, label_fraction=label_fraction
    )
    weights, bias = 5.0 * data.weights, put(np.array([0.3, -0.2]))  # some margins beyond the kink
    return model, (weights, bias), stacked(sets)


def plain_loss(data, weights, bias):
    outputs = np.einsum("rnd,rd->rn", data.inputs, weights) + bias[:, None]
    return np.mean(np.maximum(0.0, 1.0 - data.labels * outputs) ** 2, axis=-1)


def test_gradient_is_the_derivative_of_the_mean_loss():
    model, (weights, bias), data = draw()
    by_weights, by_bias = model.gradient((weights, bias))
    step = 1e-6
    for k in range(D):
        shift = step * np.eye(D)[k]
        ahead, behind = (plain_loss(data, weights + s, bias) for s in (shift, -shift))
        np.testing.assert_allclose(by_weights[:, k], (ahead - behind) / (2 * step), rtol=1e-6)
    ahead, behind = (plain_loss(data, weights, bias + s) for s in (step, -step))
    np.testing.assert_allclose(by_bias, (ahead - behind) / (2 * step), rtol=1e-6)


def test_hessian_products_are_the_derivative_of_the_gradient():
    model, (weights, bias), _ = draw()
    v, v_bias = weights[::-1] + 0.1, np.array([1.0, -2.0])
    curvatures = model.curvatures(model.outputs(weights, bias))
    assert 0 < np.mean(curvatures == 0) < 1
    _, *product = model.hessian_product(curvatures, v, v_bias)
    step = 1e-6  # no sample crosses its kink
    ahead, behind = (model.gradient((weights + s * v, bias + s * v_bias)) for s in (step, -step))
    for found, a, b in zip(product, ahead, behind, strict=True):
        np.testing.assert_allclose(found, (a - b) / (2 * step), rtol=1e-6)


def test_observables_are_means_over_the_set_and_the_law():
    model, (weights, bias), data = draw()
    observed = model.observables((weights, bias))
    np.testing.assert_allclose(observed["train_loss"], plain_loss(data, weights, bias), rtol=1e-13)

    def closed_form(mean, deviation):  # E[max(0, a + s z)²]
        a, s = 1.0 + mean, deviation
        bell = np.exp(-0.5 * (a / s) ** 2) / np.sqrt(2.0 * np.pi)
        return (a**2 + s**2) * ndtr(a / s) + a * s * bell

    deviation = 2.0 * np.linalg.norm(weights, axis=-1)
    expected = 0.8 * closed_form(bias, deviation) + 0.2 * closed_form(-bias, deviation)
    np.testing.assert_allclose(observed["gen_loss"], expected, rtol=1e-6)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_descent_is_the_plain_recursion(library):
    put = np.asarray if library == "numpy" else pytest.importorskip("torch").from_numpy
    model, params, data = draw(put)
    assert model.stretches() is None
    assert type(descent(model, params, 0.01)) is SingleSteps
    found = gradient_descent(model, params, eta=0.01, steps=np.array([0.0, 500.0]))
    for k in range(REALIZATIONS):
        x, y = data.inputs[k], data.labels[k]
        s, b, tau = np.asarray(params[0][k]).copy(), float(params[1][k]), 0.0
        for _ in range(500):
            slopes = -2.0 * y * np.maximum(0.0, 1.0 - y * (x @ s + b)) / N
            tau += np.exp(b)
            s, b = s - 0.01 * slopes @ x, b - 0.01 * slopes.sum()
        np.testing.assert_allclose(np.asarray(found.params[0][k]), s, rtol=1e-10)
        np.testing.assert_allclose(float(found.params[1][k]), b, rtol=1e-10)
        np.testing.assert_allclose(found.observables["conformal_time"][k, -1], tau, rtol=1e-10)


def test_flow_agrees_with_an_explicit_method_of_high_order():
    model, (weights, bias), _ = draw()
    times = np.array([1.0, 30.0, 200.0])
    flow = gradient_flow(model, (weights, bias), eta=0.01, steps=times, gd_steps=0, rtol=1e-6)
    flow.require_completed()

    def rate(_, y):
        y = y.reshape(REALIZATIONS, D + 1)
        by_weights, by_bias = model.gradient((y[:, :-1], y[:, -1]))
        return -0.01 * np.concatenate([by_weights, by_bias[:, None]], axis=-1).ravel()

    start = np.concatenate([weights, bias[:, None]], axis=-1).ravel()
    options = {"t_eval": times, "rtol": 1e-10, "atol": 1e-12, "method": "DOP853"}
    exact = solve_ivp(rate, (0.0, times[-1]), start, **options).y
    exact = exact.reshape(REALIZATIONS, D + 1, len(times))
    norms = np.linalg.norm(exact[:, :-1], axis=1)
    np.testing.assert_allclose(flow.observables["weight_norm"], norms, rtol=1e-4)
    np.testing.assert_allclose(flow.observables["bias"], exact[:, -1], atol=1e-4)
    np.testing.assert_allclose(flow.params[0], exact[:, :-1, -1], atol=1e-4 * norms.max())


def test_flow_reaches_the_minimum_of_a_set_that_is_not_separable():
    model, params, _ = draw()
    flow = gradient_flow(model, params, eta=0.01, steps=np.array([0.0, 1e5])).require_completed()
    assert flow.observables["train_loss"][:, -1].min() > 0.1
    for slope in model.gradient(flow.params):
        assert np.abs(slope).max() < 1e-5


def test_flow_stays_where_the_loss_is_zero():
    model, (weights, _), _ = draw(label_fraction=1.0)
    at_rest = 0.0 * weights, np.array([-2.0, -3.0])  # 1 + m < 0 for all samples
    assert not model.gradient(at_rest)[1].any()
    flow = gradient_flow(model, at_rest, eta=0.01, steps=np.array([0.0, 10.0, 1e3]))
    np.testing.assert_array_equal(flow.require_completed().observables["train_loss"], 0.0)
    np.testing.assert_allclose(flow.params[1], at_rest[1], rtol=1e-14)
