"""Losses under other optimizers: against brute force at two sizes, and exact polynomials."""

import functools

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from linear_grokking.theory import linear, marchenko_pastur
from linear_grokking.theory.first_order import Grokfast, Momentum, conjugate_gradients, residuals
from linear_grokking.theory.linear_optimizers import (
    conjugate_gradient_losses,
    conjugate_gradient_times,
    divergence_rate,
    least_gen_loss,
    least_gen_time,
    losses,
    tuned_momentum_losses,
    tuned_momentum_times,
)
from linear_grokking.theory.marchenko_pastur import gauss_quadrature as gauss

pytestmark = pytest.mark.filterwarnings("error")

LAMBDAS = [0.3, 0.5, 0.9]


@functools.cache
def drawn_spectra(d, lambda_):
    """Return the spectra of four draws."""
    rng, found = np.random.default_rng(3), []
    for _ in range(4):
        inputs = rng.standard_normal((round(d / lambda_), d))
        found.append(np.linalg.eigvalsh(inputs.T @ inputs / len(inputs)))
    return found


def on_drawn_spectra(method, t, d, lambda_):
    """Return training and generalization losses (2, T), averaged over modes and four draws."""
    found = []
    for nodes in drawn_spectra(d, lambda_):
        squares = residuals(method, 2 * nodes, t) ** 2
        found.append([np.mean(nodes * squares, axis=1), np.mean(squares, axis=1)])
    return np.mean(found, axis=0)


@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_the_tuned_heavy_ball_against_its_recurrence_and_gauss_quadrature(lambda_):
    t = np.array([0, 1, 2, 3, 10, 40])
    # 1/ν is no polynomial: its error falls like λ^count.
    nodes, weights = gauss(lambda_, 800)
    squares = residuals(Momentum(0.5, lambda_), 2 * nodes, t) ** 2
    found = tuned_momentum_losses(t, lambda_)
    np.testing.assert_allclose(found.train, squares @ weights, rtol=1e-9, atol=1e-17)
    np.testing.assert_allclose(found.gen, (squares / nodes) @ weights, rtol=1e-9, atol=1e-17)


@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_methods_with_memory_resolve_the_tuned_heavy_ball(lambda_):
    t = np.array([0, 1, 7, 60, 900])
    found, exact = losses(t, lambda_, Momentum(0.5, lambda_)), tuned_momentum_losses(t, lambda_)
    np.testing.assert_allclose(found.train, exact.train, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.gen, exact.gen, rtol=1e-9, atol=1e-15)


def test_polyaks_rule_gives_the_rate_one_half_and_the_momentum_lambda():
    """η = (2/(√L + √μ))² and β = ((√L - √μ)/(√L + √μ))² for curvatures between μ and L."""
    lower, upper = (np.sqrt(2 * edge) for edge in marchenko_pastur.support(0.7))
    assert (2 / (upper + lower)) ** 2 == pytest.approx(0.5)
    assert ((upper - lower) / (upper + lower)) ** 2 == pytest.approx(0.7)


@pytest.mark.parametrize("d", [500, 1000])
def test_the_tuned_heavy_ball_on_drawn_spectra(d):
    t = np.array([1, 2, 4])
    expected = tuned_momentum_losses(t, 0.5)
    found = on_drawn_spectra(Momentum(0.5, 0.5), t, d, 0.5)
    np.testing.assert_allclose(found, expected, rtol=25 / d)


def literal_squares(method, nodes, steps):
    """Yield the squares of the modes of literal steps of the heavy ball, or of Grokfast."""
    mode, memory = np.ones_like(nodes), None
    for step in range(max(steps) + 1):
        if step in steps:
            yield mode**2
        gradient = 2 * nodes * mode
        if isinstance(method, Grokfast):
            memory = gradient if memory is None else memory
            memory = method.alpha * memory + (1 - method.alpha) * gradient
            mode = mode - method.eta * (gradient + method.lamb * memory)
        else:
            memory = method.momentum * (0 if memory is None else memory) + gradient
            mode = mode - method.eta * memory


@pytest.mark.parametrize(
    ("lambda_", "method"),
    [
        (0.9, Momentum(0.01, 0.999)),
        (0.99, Momentum(0.01, 0.99)),
        (0.9, Grokfast(0.01, 0.999, 100.0)),
    ],
)
def test_modes_that_oscillate_for_long(lambda_, method):
    """The midpoint rule in the angle, whose nodes are denser than the modes turn."""
    theta = (np.arange(8000) + 0.5) * np.pi / 8000
    nodes = 1 + lambda_ + 2 * np.sqrt(lambda_) * np.cos(theta)
    weights = 2 / 8000 * np.sin(theta) ** 2
    steps = [100, 1000, 1001, 1500, 4000]
    squares = np.array(list(literal_squares(method, nodes, steps)))
    found = losses(steps, lambda_, method)
    np.testing.assert_allclose(found.train, squares @ weights, rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(found.gen, (squares / nodes) @ weights, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_times_of_the_tuned_heavy_ball_invert_its_losses(lambda_):
    times = tuned_momentum_times(1e-3, lambda_)
    found = tuned_momentum_losses(times.train, lambda_), tuned_momentum_losses(times.gen, lambda_)
    assert (found[0].train, found[1].gen) == pytest.approx((1e-3, 1e-3), rel=1e-12)
    assert times.train > times.gen


@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize("t", [0, 1, 5, 30])
def test_no_polynomial_generalizes_faster_than_the_bound(lambda_, t):
    """Least squares over polynomials of degree t with value 1 at 0, in Chebyshev's basis."""
    nodes, weights = gauss(lambda_, 400)
    lower, upper = marchenko_pastur.support(lambda_)

    def basis(nu):
        return chebyshev.chebvander((2 * nu - lower - upper) / (upper - lower), t)

    scale = np.sqrt(weights / nodes)
    r = np.linalg.qr(scale[:, None] * basis(nodes), mode="r")
    at_zero = np.linalg.solve(r.T, basis(np.array(0.0)).ravel())
    assert least_gen_loss(t, lambda_) == pytest.approx(1 / (at_zero @ at_zero), rel=1e-7)
    found = least_gen_loss(t, lambda_)
    assert found <= tuned_momentum_losses(t, lambda_).gen * (1 + 1e-12)
    assert found <= conjugate_gradient_losses([t], lambda_).gen[0] * (1 + 1e-12)


def test_the_time_of_the_bound_inverts_it():
    t = np.array([1.5, 20.0, 300.0])
    np.testing.assert_allclose(least_gen_time(least_gen_loss(t, 0.9), 0.9), t, rtol=1e-9)


@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_conjugate_gradients_on_the_law_itself(lambda_):
    """The literal method on Gauss's nodes: every polynomial sees the law there."""
    nodes, weights = gauss(lambda_, 500)
    t = np.array([0, 1, 2, 5, 12, 25])
    squares = conjugate_gradients(2 * nodes, weights / nodes, t) ** 2
    found = conjugate_gradient_losses(t, lambda_)
    np.testing.assert_allclose(found.train, squares @ weights, rtol=1e-6)
    np.testing.assert_allclose(found.gen, (squares / nodes) @ weights, rtol=1e-6)


@pytest.mark.parametrize("d", [600, 1500])
def test_conjugate_gradients_on_drawn_data(d):
    rng = np.random.default_rng(d)
    found = []
    for _ in range(8):
        inputs = rng.standard_normal((round(d / 0.7), d))
        nodes = np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))
        weights = rng.standard_normal(d) ** 2 / d
        squares = conjugate_gradients(2 * nodes, weights, [3, 8]) ** 2
        found.append([squares @ (nodes * weights), squares @ weights])
    expected = conjugate_gradient_losses([3, 8], 0.7)
    np.testing.assert_allclose(np.mean(found, axis=0), expected, rtol=0.1)


@pytest.mark.parametrize("lambda_", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("loss", [0.9, 1e-2, 1e-6])
def test_times_of_conjugate_gradients_are_their_first_steps_below(lambda_, loss):
    for name in ("train", "gen"):
        t = int(getattr(conjugate_gradient_times(loss, lambda_), name))
        before, at = getattr(conjugate_gradient_losses([t - 1, t], lambda_), name)
        assert at <= loss < before


@pytest.mark.parametrize("lambda_", [*LAMBDAS, 0.9999])
def test_plain_gradient_descent_is_that_of_the_paper(lambda_):
    t = np.array([0, 1, 30, 1000, 20_000])
    found = losses(t, lambda_, Momentum(0.01, 0.0))
    problem = linear.Problem(lambda_, 0.01)
    np.testing.assert_allclose(found.train, linear.train_loss(t, problem, discrete=True), rtol=1e-8)
    np.testing.assert_allclose(found.gen, linear.gen_loss(t, problem, discrete=True), rtol=1e-8)


@pytest.mark.parametrize(
    "method", [Momentum(0.01, 0.9), Momentum(0.01, 0.9, nesterov=True), Grokfast(0.01, 0.98, 2.0)]
)
@pytest.mark.parametrize("d", [500, 1000])
def test_losses_of_methods_on_drawn_spectra(method, d):
    t = np.array([1, 20, 60])
    expected = losses(t, 0.6, method)
    np.testing.assert_allclose(on_drawn_spectra(method, t, d, 0.6), expected, rtol=25 / d)


def test_late_grokfast_has_the_rate_one_plus_kappa_times_larger():
    """Relative to gradient descent the losses' ratio tends to a constant near 1."""
    t = np.array([5000, 10_000])
    found = losses(t, 0.9, Grokfast(0.01, 0.98, 2.0)).gen
    larger = losses(t, 0.9, Momentum(0.03, 0.0)).gen
    smaller = losses(t, 0.9, Momentum(0.01, 0.0)).gen
    np.testing.assert_allclose(found / larger, 1, atol=0.04)
    assert np.all(found < 0.4 * smaller)


@pytest.mark.parametrize("method", [Momentum(0.01, 0.0), Momentum(0.01, 0.9)])
def test_beyond_the_divergence_rate_the_fastest_mode_grows(method):
    """Literal steps of the heavy ball along the upper edge of the spectrum, at λ = 0.5."""
    curvature = 2 * (1 + np.sqrt(0.5)) ** 2
    limit = divergence_rate(0.5, method)
    sizes = []
    for eta in (0.995 * limit, 1.005 * limit):
        before, now = 1.0, 1.0
        for _ in range(4000):
            before, now = now, now - eta * curvature * now + method.momentum * (now - before)
        sizes.append(abs(now))
    assert sizes[0] < 1e-3 < 1e3 < sizes[1]


def test_what_diverges_is_refused():
    with pytest.raises(ValueError, match=r"eta = 0.3: the method diverges; must be below 0.26"):
        losses([1], 0.9, Momentum(0.3, 0.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda: losses([1], 1.0, Momentum(0.1, 0.0)),
        lambda: tuned_momentum_losses(1, 1.0),
        lambda: tuned_momentum_times(1e-3, 0.0),
        lambda: least_gen_loss(1, 1.5),
        lambda: least_gen_time(1e-3, 1.5),
        lambda: conjugate_gradient_losses([1], 1.0),
        lambda: conjugate_gradient_times(1e-3, 1.0),
    ],
)
def test_lambda_lies_below_one(call):
    with pytest.raises(ValueError, match="lambda_ = "):
        call()
