"""Scatter of single draws: against brute force over draws of spectra and components, and forms
of the losses."""

import numpy as np
import pytest

from linear_grokking.theory import linear
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import gen_time
from linear_grokking.theory.linear_scatter import (
    effective_modes,
    gen_loss_deviation,
    gen_time_deviation,
)

pytestmark = pytest.mark.filterwarnings("error")

ETA = 0.01
PROBLEMS = [
    Problem(0.5, ETA),
    Problem(0.9, ETA, d_out=4),
    Problem(0.8, ETA, alpha=2.0, gamma=0.02),
    Problem(0.7, ETA, noise=0.05, d_out=2),
    Problem(1.6, ETA, gamma=0.05, alpha=0.5),
]


def drawn_losses(problem, d_in, steps, draws, rng):
    """Generalization losses (draws, T) of literal linear regression, by data matrices.

    D' = -(2η/d_out) (ΣD - Xᵀξ/N) - (ηγ/d_out)(D + T) is solved by eigenvectors of XᵀX/N with the
    flow's exponentials, everything drawn anew for each draw.
    """
    n = round(d_in / problem.lambda_)
    d_out, gamma, losses = problem.d_out, problem.gamma, []
    for _ in range(draws):
        x = rng.standard_normal((n, d_in))
        student, teacher = rng.standard_normal((2, d_in, d_out)) / np.sqrt(2 * d_in * d_out)
        deviation = problem.alpha * student - teacher
        pull = x.T @ (np.sqrt(problem.noise) * rng.standard_normal((n, d_out))) / n
        nu, vectors = np.linalg.eigh(x.T @ x / n)
        rate = 2 * problem.eta / d_out * (np.maximum(nu, 0.0) + gamma / 2)[:, np.newaxis]
        force = 2 * problem.eta / d_out * (pull - gamma / 2 * teacher)
        start, push = vectors.T @ deviation, vectors.T @ force
        rate = np.maximum(rate, 1e-300)
        row = []
        for t in steps:
            now = start * np.exp(-rate * t) + push * -np.expm1(-rate * t) / rate
            row.append(np.sum(now**2) / d_out)
        losses.append(row)
    return np.array(losses)


@pytest.mark.parametrize("lambda_", [0.3, 0.9, 1.0, 2.5])
def test_modes_of_plain_descent_follow_from_three_losses(lambda_):
    problem, t = Problem(lambda_, ETA, d_out=3, alpha=1.7), np.geomspace(1.0, 1e5, 11)
    start, now, later = (linear.gen_loss(each, problem) for each in (0.0, t, 2.0 * t))
    modes = effective_modes(t, problem, 500)
    np.testing.assert_allclose(modes, 500 * now**2 / (start * later), rtol=1e-9)
    deviation = gen_loss_deviation(t, problem, 500)
    np.testing.assert_allclose(deviation, np.sqrt(2 * start * later / (500 * 3)), rtol=1e-9)


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
@pytest.mark.parametrize(("d_in", "draws"), [(60, 1500), (150, 600)])
def test_deviation_of_the_loss_is_that_of_draws(problem, d_in, draws):
    steps = [0.0, 40.0, 200.0]
    losses = drawn_losses(problem, d_in, steps, draws, np.random.default_rng(3))
    expected = gen_loss_deviation(steps, problem, d_in)
    # Standard error of a deviation 1/√(2 draws), 2 to 3 %; the spectrum's own scatter adds a few.
    np.testing.assert_allclose(losses.std(axis=0, ddof=1), expected, rtol=0.12)


def test_all_modes_carry_the_loss_at_the_start():
    for problem in PROBLEMS:
        assert effective_modes(0.0, problem, 321) == pytest.approx(321, rel=1e-9)


def test_modes_are_those_of_a_spectrum():
    d_in, problem = 1000, Problem(0.5, ETA, d_out=4)
    x = np.random.default_rng(1).normal(size=(2 * d_in, d_in))
    nu = np.linalg.eigvalsh(x.T @ x / len(x))
    for step in (0.0, 300.0, 3000.0):
        variances = np.exp(-4 * ETA * nu * step / 4)
        expected = variances.sum() ** 2 / (variances**2).sum()
        assert effective_modes(step, problem, d_in) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("lambda_", [0.5, 0.9])
def test_deviation_of_the_time_is_the_papers_losses_form(lambda_):
    problem = Problem(lambda_, ETA)
    t = gen_time(problem, 1e-3)
    slope = 4 * ETA * linear.train_loss(t, problem)
    expected = np.sqrt(2 * linear.gen_loss(2 * t, problem) / 1000) / slope
    assert gen_time_deviation(problem, 1000, 1e-3) == pytest.approx(expected, rel=1e-8)


def test_deviation_of_the_time_at_the_papers_size():
    # Over 1000 exact draws at this setting: 3385 ± 90.
    assert gen_time_deviation(Problem(0.9, ETA), 1000, 1e-3) == pytest.approx(3429, rel=1e-3)
    assert effective_modes(gen_time(Problem(0.9, ETA), 1e-3), Problem(0.9, ETA), 1000) == (
        pytest.approx(6.756, rel=1e-3)
    )


@pytest.mark.parametrize(
    ("problem", "epsilon"), list(zip(PROBLEMS[:4], (1e-2, 1e-2, 0.1, 0.5), strict=True)), ids=str
)
def test_slope_of_the_time_is_that_of_the_loss(problem, epsilon):
    # By differences of the loss's own formula, which knows nothing of modes.
    t, step = gen_time(problem, epsilon), 1e-3
    losses = linear.gen_loss(t * np.array([1 - step, 1 + step]), problem)
    slope = (losses[0] - losses[1]) / (2 * step * t)
    expected = gen_loss_deviation(t, problem, 400) / slope
    assert gen_time_deviation(problem, 400, epsilon) == pytest.approx(expected, rel=1e-5)


def test_times_that_do_not_come_and_that_are_over():
    problem = Problem([0.5, 1.5, 0.5], ETA)
    found = gen_time_deviation(problem, 100, [1e-3, 1e-3, 1e2])
    assert np.isfinite(found[0]) and found[1] == np.inf and found[2] == 0.0


def test_all_arguments_broadcast():
    problem = Problem(np.array([[0.5], [0.8]]), ETA)
    for found in (
        effective_modes([1.0, 5.0, 20.0], problem, 100),
        gen_loss_deviation([1.0, 5.0, 20.0], problem, 100),
        gen_time_deviation(problem, [100, 200, 300], 1e-3),
    ):
        assert found.shape == (2, 3)
    one = gen_time_deviation(Problem(0.8, ETA), 200, 1e-3)
    assert gen_time_deviation(problem, [100, 200, 300], 1e-3)[1, 1] == pytest.approx(one)


def test_what_is_no_size_is_refused():
    for function in (effective_modes, gen_loss_deviation):
        with pytest.raises(ValueError, match=r"^d_in = 0: must lie in \[1, inf\)$"):
            function(1.0, Problem(0.5, ETA), 0)
    with pytest.raises(ValueError, match=r"^d_in = -3: "):
        gen_time_deviation(Problem(0.5, ETA), [5, -3], 1e-3)
