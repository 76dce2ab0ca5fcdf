"""Asymptotic laws on structured inputs against exact losses and drawn matrices."""

import numpy as np
import pytest

from linear_grokking.theory.structured_inputs import (
    StructuredProblem,
    effective_ridge,
    gen_loss,
    train_loss,
)
from linear_grokking.theory.structured_laws import (
    critical_gen_loss,
    forgetting_time,
    late_gen_loss,
    late_times,
    late_train_loss,
    lower_edge,
    lower_edge_near_one,
)
from linear_grokking.theory.structured_times import gen_time_to_loss, train_time_to_loss


@pytest.mark.parametrize(
    ("p", "lambda_", "ratios"),
    [(0.3, 0.9, [854, 1.37, 1.09]), (2.0, 0.9, [0.82, 0.97, 1.0]), (10.0, 0.5, [0.58, 0.64, 0.69])],
)
def test_how_long_after_its_beginning_the_late_law_holds(p, lambda_, ratios):
    """At 10, 100 and 1000 times (1 - λ)^-max(2, p+1) in units of 4ηt, as docs/theory.md says."""
    beginning = (1.0 - lambda_) ** -max(2.0, p + 1.0) / (4.0 * 0.02)
    t = np.array([10.0, 100.0, 1000.0]) * beginning
    problem = StructuredProblem(lambda_, 0.02, exponent=p)
    assert gen_loss(t, problem) / late_gen_loss(t, problem) == pytest.approx(ratios, rel=0.01)


@pytest.mark.parametrize(("p", "t"), [(0.5, 1e5), (1.0, 1e6), (1.5, 1e7), (3.0, 1e11)])
@pytest.mark.parametrize(("lambda_", "accuracy"), [(0.3, 3e-3), (0.7, 0.05)])
def test_exact_losses_come_to_the_late_laws(p, t, lambda_, accuracy):
    problem = StructuredProblem(lambda_, 0.02, d_out=2, exponent=p)
    assert late_gen_loss(t, problem) == pytest.approx(gen_loss(t, problem), rel=accuracy)
    assert late_train_loss(t, problem) == pytest.approx(train_loss(t, problem), rel=accuracy)
    value = gen_loss(t, problem)
    times = late_times(value, problem)
    assert times.gen == pytest.approx(gen_time_to_loss(value, problem), rel=accuracy)
    assert times.train == pytest.approx(train_time_to_loss(value, problem), rel=3 * accuracy)
    ratio = (1 - lambda_) ** (2 * p / (p + 1))
    assert times.train / times.gen == pytest.approx(ratio, rel=1e-12)


def test_late_law_is_a_sum_over_modes_for_many_samples():
    # λ → 0: L = ∫τ e^{-4ητt}; by brute force over a finite spectrum.
    u = (np.arange(10**6) + 0.5) / 10**6
    tau, t = 3.0 * u**2, 1e4
    expected = np.mean(tau * np.exp(-4 * 0.01 * tau * t))
    assert late_gen_loss(t, StructuredProblem(1e-9, 0.01, exponent=2.0)) == pytest.approx(
        expected, rel=1e-4
    )


@pytest.mark.parametrize(
    ("p", "t"), [(0.0, 1e6), (0.5, 1e8), (0.7, 1e16), (1.5, 1e12), (2.0, 1e9), (6.0, 1e9)]
)
def test_exact_loss_comes_to_the_critical_law(p, t):
    problem = StructuredProblem(1.0, 0.02, d_out=2, exponent=p)
    accuracy = 0.02 if p == 0.7 else 3e-3
    assert critical_gen_loss(t, problem) == pytest.approx(gen_loss(t, problem), rel=accuracy)
    # A power law, whose exponent it names.
    slope = np.log(critical_gen_loss(10 * t, problem) / critical_gen_loss(t, problem)) / np.log(10)
    assert slope == pytest.approx(-max(0.5, p / (p + 1)), rel=1e-12)


def test_lower_edge_is_that_of_drawn_matrices():
    tau = np.linspace(0.4, 1.6, 1200)
    misses = []
    for d in (150, 1200):
        variances = np.linspace(0.4, 1.6, d)
        smallest = []
        for draw in range(1200 // d + 1):
            inputs = np.random.default_rng([d, draw]).standard_normal((2 * d, d))
            inputs *= np.sqrt(variances)
            smallest.append(np.linalg.eigvalsh(inputs.T @ inputs / (2 * d))[0])
        misses.append(abs(np.mean(smallest) / lower_edge(0.5, tau) - 1))
    # The smallest eigenvalue lies above the edge by N^(-2/3) (Tracy and Widom): 4 times less.
    assert misses[1] < 0.04 and misses[1] < 0.4 * misses[0]


def test_lower_edge_is_the_largest_z_on_a_grid():
    tau = np.linspace(0.4, 1.6, 50)
    w = np.linspace(0.0, 0.4, 200_001)[1:-1]
    for lambda_ in (0.1, 0.5, 0.95):
        b = sum(w / (each - w) for each in tau) / len(tau)
        highest = np.max(w * (1 - lambda_ - lambda_ * b))
        assert lower_edge(lambda_, tau) == pytest.approx(highest, rel=1e-6)


def test_lower_edge_of_one_eigenvalue_is_marchenko_pastur():
    lambda_ = np.array([[0.01, 0.5], [0.9, 0.999]])
    for scale in (1.0, 3.0):
        found = lower_edge(lambda_, np.full(4, scale))
        np.testing.assert_allclose(found, scale * (1 - np.sqrt(lambda_)) ** 2, rtol=1e-10)


def test_lower_edge_near_one_takes_the_harmonic_mean():
    tau = np.array([0.2, 1.0, 1.8])
    assert lower_edge_near_one(0.9, tau) == pytest.approx(0.01 / 4 * 3 / (5 + 1 + 1 / 1.8))
    for gap, accuracy in ((1e-2, 0.05), (1e-4, 5e-4)):
        assert lower_edge(1 - gap, tau) == pytest.approx(
            lower_edge_near_one(1 - gap, tau), rel=accuracy
        )


def test_forgetting_is_the_exact_time_for_weak_decay():
    for lambda_, alpha, p, d_out in ((2.0, 10.0, 6.0, 1), (4.0, 30.0, 3.0, 2), (1.5, 5.0, 0.0, 1)):
        problem = StructuredProblem(lambda_, 0.01, gamma=1e-5, alpha=alpha, d_out=d_out, exponent=p)
        floor = effective_ridge(lambda_, p) / (2 * lambda_ * d_out)
        for factor in (1.5, 3.0):
            exact = gen_time_to_loss(factor * floor, problem)
            assert forgetting_time(factor * floor, problem) == pytest.approx(exact, rel=1e-3)
        assert forgetting_time(0.99 * floor, problem) == np.inf
        assert forgetting_time(2 * (1 + alpha**2) * floor, problem) == 0.0
        # The null space alone, step by step: what is left of S decays as e^{-ηγt/d_out}.
        t = forgetting_time(3 * floor, problem)
        left = alpha**2 * (1 - 0.01 * 1e-5 / d_out) ** (2 * t)
        assert floor * (left + 1) == pytest.approx(3 * floor, rel=1e-5)


@pytest.mark.filterwarnings("error")
def test_ends_and_bad_arguments():
    problem = StructuredProblem(0.5, 0.01, exponent=1.5)
    assert late_gen_loss(0.0, problem) == late_train_loss(0.0, problem) == np.inf
    assert critical_gen_loss(0.0, problem) == np.inf
    assert late_times(0.0, problem) == (np.inf, np.inf)
    for function, changes, word in (
        (late_gen_loss, {"exponent": 0.0}, "exponent"),
        (late_gen_loss, {"lambda_": 1.0}, "lambda_"),
        (late_times, {"gamma": 0.1}, "gamma"),
        (late_train_loss, {"alpha": 2.0}, "alpha"),
        (critical_gen_loss, {"exponent": 1.0}, "exponent = 1"),
        (critical_gen_loss, {"noise": 0.1}, "noise"),
        (forgetting_time, {"lambda_": 0.9, "gamma": 0.1}, "lambda_"),
        (forgetting_time, {"lambda_": 2.0}, "gamma"),
        (forgetting_time, {"lambda_": 2.0, "gamma": 0.1, "noise": 1.0}, "noise"),
    ):
        with pytest.raises(ValueError, match=word):
            function(1.0, StructuredProblem(**{**vars(problem), **changes}))
    for edge in (lower_edge, lower_edge_near_one):
        with pytest.raises(ValueError, match="lambda_"):
            edge(1.0, np.ones(3))
        with pytest.raises(ValueError, match="eigenvalues"):
            edge(0.5, np.array([0.0, 1.0]))
