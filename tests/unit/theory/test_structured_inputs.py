"""Losses on power-law inputs against isotropic ones, drawn matrices, and sums at finite size."""

import numpy as np
import pytest
from scipy import integrate, optimize

from linear_grokking.theory import linear
from linear_grokking.theory._domain import ConvergenceError
from linear_grokking.theory._silverstein import _solved, path_rule, power_law_rule
from linear_grokking.theory.structured_inputs import (
    StructuredProblem,
    divergence_rate,
    effective_ridge,
    gen_loss,
    gen_loss_floor,
    train_loss,
    train_loss_floor,
)

TIMES = np.array([0.0, 3.0, 100.0, 2000.0, 3e4])


def drawn_losses(d, lambda_, p, *, gamma=0.0, alpha=1.0, eta=0.01, times=TIMES, draws=4):
    """Both losses (T,) of drawn matrices, averaged over teacher and student by hand."""
    n = round(d / lambda_)
    variances = (p + 1) * ((np.arange(d) + 0.5) / d) ** p
    both = np.zeros((2, len(times)))
    for draw in range(draws):
        rng = np.random.default_rng([d, draw])
        inputs = rng.standard_normal((n, d)) * np.sqrt(variances)
        nu, vectors = np.linalg.eigh(inputs.T @ inputs / n)
        nu = np.maximum(nu, 0.0)
        carried = np.sum(vectors**2 * variances[:, None], axis=0)
        e = np.exp(-2 * eta * np.outer(times, nu + gamma / 2))
        pinned = gamma / 2 / np.maximum(nu + gamma / 2, 1e-300)
        h = e + (1 - e) * pinned
        square = (alpha**2 * e**2 + h**2) / 2 / d / draws
        both += np.stack([square @ nu, square @ carried])
    return both


@pytest.mark.parametrize("d_out", [1, 3])
@pytest.mark.parametrize(("gamma", "alpha"), [(0.0, 1.0), (0.01, 3.0)])
def test_exponent_0_is_the_isotropic_theory(gamma, alpha, d_out):
    lambda_ = np.array([0.05, 0.5, 0.9, 1.0, 1.5, 10.0])[:, None]
    others = {"gamma": gamma, "alpha": alpha, "d_out": d_out}
    isotropic = linear.Problem(lambda_, 0.01, **others)
    ours = StructuredProblem(lambda_, 0.01, **others, exponent=0.0)
    assert train_loss(TIMES, ours).shape == (6, 5)
    scale = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(
        train_loss(TIMES, ours), linear.train_loss(TIMES, isotropic), **scale
    )
    np.testing.assert_allclose(gen_loss(TIMES, ours), linear.gen_loss(TIMES, isotropic), **scale)
    for one, other in (
        (train_loss_floor(ours), linear.train_loss_floor(isotropic)),
        (gen_loss_floor(ours), linear.gen_loss_floor(isotropic)),
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("lambda_", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("gamma", "alpha"), [(0.0, 1.0), (0.02, 3.0)])
def test_matrices_come_nearer_with_their_size(p, lambda_, gamma, alpha):
    times = TIMES[:4]
    problem = StructuredProblem(lambda_, 0.01, gamma=gamma, alpha=alpha, exponent=p)
    theory = np.stack([train_loss(times, problem), gen_loss(times, problem)])
    told = theory > 1e-4 * theory[:, :1]
    errors = []
    for d, draws in ((100, 16), (400, 4)):
        found = drawn_losses(d, lambda_, p, gamma=gamma, alpha=alpha, times=times, draws=draws)
        errors.append(np.abs(np.log(found[told] / theory[told])).max())
    assert errors[1] < 0.06
    assert errors[1] < 0.7 * errors[0] or errors[0] < 0.03


def test_late_losses_are_those_of_the_gaussian_elimination_limit():
    """Many samples, λ → 0: Σ = C, and the losses are integrals over u."""
    u = (np.arange(400_000) + 0.5) / 400_000
    for p in (0.5, 3.0):
        tau = (p + 1) * u**p
        decay = np.exp(-4 * 0.01 * np.multiply.outer([10.0, 1e3], tau))
        problem = StructuredProblem(1e-6, 0.01, exponent=p)
        np.testing.assert_allclose(gen_loss([10.0, 1e3], problem), decay @ tau / u.size, rtol=1e-4)
        np.testing.assert_allclose(
            train_loss([10.0, 1e3], problem), decay @ tau / u.size, rtol=1e-4
        )


def test_first_moments_are_those_of_wishart_matrices():
    # -dL/dt at 0 is 4η times Tr[CΣ]/d = ⟨τ²⟩, and Tr[Σ²]/d = ⟨τ²⟩ + λ⟨τ⟩².
    p, lambda_, step = 1.5, 0.7, 1e-4
    second = (p + 1) ** 2 / (2 * p + 1)
    problem = StructuredProblem(lambda_, 0.25, exponent=p)
    assert (1 - gen_loss(step, problem)) / step == pytest.approx(second, rel=1e-3)
    assert (1 - train_loss(step, problem)) / step == pytest.approx(second + lambda_, rel=1e-3)


def test_null_space_holds_the_ridge_over_lambda():
    # p = 1: τ uniform on [0, 2], ⟨τ/(τ+κ)⟩ = 1 - (κ/2) log(1 + 2/κ).
    ridge = effective_ridge([1.2, 2.0, 5.0], 1.0)
    np.testing.assert_allclose(1 - ridge / 2 * np.log1p(2 / ridge), 1 / np.array([1.2, 2, 5]))
    assert effective_ridge(3.0, 0.0) == pytest.approx(2.0)
    assert effective_ridge(0.9, 1.0) == 0.0 == effective_ridge(1.0, 2.0)
    problem = StructuredProblem(2.0, 0.01, alpha=3.0, d_out=2, exponent=1.0)
    assert gen_loss_floor(problem) == pytest.approx(ridge[1] / 8 * 10, rel=1e-10)
    # By orthogonality: what N samples span of C, in a large drawn set.
    rng = np.random.default_rng(3)
    d, n = 600, 300
    variances = 2 * (np.arange(d) + 0.5) / d
    inputs = rng.standard_normal((n, d)) * np.sqrt(variances)
    basis = np.linalg.qr(inputs.T)[0]
    left = 1 - np.sum(basis**2 * variances[:, None]) / d
    assert left == pytest.approx(ridge[1] / 2, rel=0.03)


def test_weight_decay_forgets_the_student_in_the_end():
    problem = StructuredProblem(2.0, 0.01, gamma=1e-7, alpha=30.0, exponent=1.0)
    assert gen_loss_floor(problem) == pytest.approx(effective_ridge(2.0, 1.0) / 4, rel=1e-6)
    assert gen_loss(np.inf, problem) == gen_loss_floor(problem)
    assert train_loss_floor(problem) < 1e-10


@pytest.mark.filterwarnings("error")
def test_any_time_and_any_parameter():
    times = np.array([0.0, 1e-300, 1.0, 1e20, 1e200, 1.7e308, np.inf])
    for p in (0.0, 0.05, 1.0, 10.0):
        for lambda_ in (1e-3, 1.0 - 1e-9, 1.0, 1.0 + 1e-9, 1e3):
            for gamma in (0.0, 1e-8, 1e3):
                problem = StructuredProblem(lambda_, 0.01, gamma=gamma, exponent=p)
                for loss in (train_loss, gen_loss):
                    found = loss(times, problem)
                    assert np.isfinite(found).all() and (np.diff(found) < 1e-9).all()
                    assert found[0] == pytest.approx(1.0, abs=1e-9)


def test_bad_arguments_are_named():
    for changes, word in (
        ({"exponent": -0.1}, "exponent"),
        ({"exponent": 11.0}, "exponent"),
        ({"noise": 0.1}, "noise"),
        ({"lambda_": 0.0}, "lambda_"),
    ):
        with pytest.raises(ValueError, match=word):
            gen_loss(1.0, StructuredProblem(**{"lambda_": 0.5, "eta": 0.01, **changes}))
    with pytest.raises(ValueError, match="t = -1"):
        train_loss(-1.0, StructuredProblem(0.5, 0.01))


def test_where_no_root_is_found_that_is_said():
    tau, weights = power_law_rule(1.0)
    # Within the spectrum and on the real axis there is none.
    with pytest.raises(ConvergenceError, match="no w"):
        _solved(np.array([1.0 + 0.0j]), 0.5, np.ones(1), np.ones(1))
    with pytest.raises(ConvergenceError, match="half-plane"):
        _solved(np.array([30.0 - 1.0j]), 0.5, tau, weights)


def test_two_eigenvalues_have_the_root_of_a_cubic():
    """Silverstein's equation for τ = ½ and 3/2, as a polynomial, at each node of the path."""
    tau, weights = np.array([0.5, 1.5]), np.array([0.5, 0.5])
    for lambda_ in (0.6, 1.7):
        rule = path_rule(lambda_, tau, weights)
        w, _ = _solved(rule.nodes, lambda_, tau, weights)
        for z, found in list(zip(rule.nodes, w, strict=True))[100:400:60]:
            # z (½-w)(3/2-w) = w (1-λ)(½-w)(3/2-w) - λ w² (1-w).
            quadratic = np.poly1d([1.0, -2.0, 0.75])
            line = np.poly1d([1.0, 0.0])
            cubic = (1 - lambda_) * line * quadratic - lambda_ * line**2 * np.poly1d([-1.0, 1.0])
            roots = (cubic - z * quadratic).roots
            above = roots[roots.imag > 0]
            assert abs(above - found).min() < 1e-8 * abs(found)


@pytest.mark.parametrize(("lambda_", "p"), [(0.9, 0.0), (0.9, 1.0), (3.0, 2.0), (0.02, 0.5)])
def test_gradient_descent_diverges_at_the_edge_of_the_spectrum(lambda_, p):
    """The least z(w), by quadrature in u; and matrices come near it from below."""
    gamma, d_out, top = 0.3, 2, p + 1.0

    def z(x):
        w = top * (1 + np.exp(x))
        ends = {"points": [0.9, 0.99, 0.999], "limit": 500}
        b = integrate.quad(lambda u: w / (top * u**p - w), 0, 1, **ends)[0]
        return w * (1 - lambda_ - lambda_ * b)

    edge = optimize.minimize_scalar(z, bounds=(-8, 2), method="bounded", options={"xatol": 1e-6})
    rate = divergence_rate(StructuredProblem(lambda_, 0.01, gamma, d_out, exponent=p))
    assert rate == pytest.approx(d_out / (edge.fun + gamma / 2), rel=1e-6)
    if p == 0:
        assert rate == pytest.approx(linear.divergence_rate(linear.Problem(0.9, 1, gamma, d_out)))
    shape = 300, round(300 / lambda_)
    scales = np.sqrt(top * ((np.arange(shape[0]) + 0.5) / shape[0]) ** p)
    rows = np.random.default_rng(0).standard_normal(shape) * scales[:, None]
    largest = np.linalg.norm(rows, 2) ** 2 / shape[1]
    assert largest == pytest.approx(edge.fun, rel=0.05)
