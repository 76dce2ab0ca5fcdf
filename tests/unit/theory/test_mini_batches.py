"""The recursion of the modes' second moments against literal mini-batches."""

import numpy as np
import pytest
from scipy.optimize import brentq

from linear_grokking.theory import linear
from linear_grokking.theory.mini_batches import instability, mini_batch_losses

pytestmark = pytest.mark.filterwarnings("error")


def literal(d, lambda_, eta, batch_size, t, draws, seed):
    """Return mean losses (2, T) of ``draws`` runs."""
    rng = np.random.default_rng(seed)
    n_train, found = round(d / lambda_), []
    for _ in range(draws):
        inputs, deviation = rng.standard_normal((n_train, d)), rng.standard_normal(d) / np.sqrt(d)
        rows = []
        for step in range(t[-1] + 1):
            if step in t:
                rows.append([np.mean((inputs @ deviation) ** 2), deviation @ deviation])
            x = inputs[rng.choice(n_train, batch_size, replace=False)]
            deviation = deviation - 2 * eta / batch_size * x.T @ (x @ deviation)
        found.append(rows)
    return np.mean(found, axis=0).T


@pytest.mark.parametrize(("d", "batch_size"), [(100, 4), (100, 25), (300, 12)])
def test_mean_losses_are_those_of_literal_steps(d, batch_size):
    t = [0, 10, 60, 200]
    found = literal(d, 0.6, 0.02, batch_size, t, draws=2400 // d, seed=d + batch_size)
    expected = mini_batch_losses(t, 0.6, 0.02, d, batch_size)
    np.testing.assert_allclose(found, expected, rtol=0.12)


def test_the_noise_at_its_first_step():
    """Exactly E‖D‖² after one step from random D: 1 - 4η + 4η² E|Σ_B D|², to order 1/d."""
    d, lambda_, eta, batch_size = 2000, 0.5, 0.3, 40
    n_train = d / lambda_
    # E|XᵀX D|²/B² of a batch's own Wishart matrix is (1 + (d + 1)/B)|D|² before finite N.
    rest = 1 - batch_size / n_train
    expected = 1 - 4 * eta + 4 * eta**2 * (1 + lambda_ + rest * d / batch_size)
    found = mini_batch_losses([0, 1], lambda_, eta, d, batch_size).gen
    assert found[0] == pytest.approx(1, rel=1e-9)
    assert found[1] == pytest.approx(expected, rel=1e-3)


def test_the_full_batch_has_no_noise():
    t = np.array([0, 10, 1000])
    found = mini_batch_losses(t, 0.5, 0.01, 100, 200)
    problem = linear.Problem(0.5, 0.01)
    np.testing.assert_allclose(found.gen, linear.gen_loss(t, problem, discrete=True), rtol=1e-8)
    np.testing.assert_allclose(found.train, linear.train_loss(t, problem, discrete=True), rtol=1e-8)


@pytest.mark.parametrize("gain", [0.98, 1.02])
def test_losses_grow_where_the_gain_is_above_one(gain):
    """Whether the batch is a little larger or smaller than the critical one."""
    lambda_, eta, d = 0.5, 0.02, 200
    batch_size = brentq(lambda size: instability(lambda_, eta, d, size) - gain, 2.0, 20.0)
    found = mini_batch_losses([3000, 6000], lambda_, eta, d, batch_size).train
    assert (found[1] > found[0]) == (gain > 1)


def test_the_gain_by_moments_of_the_law():
    """E[ν/(1 - ην)] = 1 + (1 + λ)η + (1 + 3λ + λ²)η² + …, for small η."""
    lambda_, eta, d, batch_size = 0.5, 0.01, 200, 7
    n_train = d / lambda_
    mean = 1 + (1 + lambda_) * eta + (1 + 3 * lambda_ + lambda_**2) * eta**2
    rest = (1 - batch_size / n_train) * n_train / (n_train - 1)
    found = instability(lambda_, eta, d, batch_size)
    assert found == pytest.approx(eta * d / batch_size * rest * mean, rel=1e-4)


@pytest.mark.parametrize(("eta", "falls"), [(0.26, True), (0.27, False), (0.4, False)])
def test_there_is_no_gain_where_steps_of_the_full_batch_diverge(eta, falls):
    """From η = 1/(1 + √λ)² on, 0.263 at λ = 0.9, nearly whole batches diverge, too."""
    gain = instability(0.9, eta, 1000, 1000)
    found = mini_batch_losses([0, 400], 0.9, eta, 1000, 1000).train
    assert (gain < 1) == falls == (found[1] < found[0])
    assert falls or gain == np.inf


def test_the_critical_batch_is_about_eta_d():
    """ηd = 6: literal runs with B = 4 grow, with B = 8 they fall."""
    assert instability(0.9, 0.01, 600, 6) == pytest.approx(1.0, abs=0.03)
    for batch_size, grows in ((4, True), (8, False)):
        first, last = literal(600, 0.9, 0.01, batch_size, [300, 1500], 1, seed=batch_size)[1]
        assert (last > first) == grows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 0.01, 100, 10), "lambda_ = 1"),
        ((0.5, 0.0, 100, 10), "eta = 0"),
        ((0.5, 0.01, 100, 0), "batch_size = 0"),
        ((0.5, 0.01, 100, 201), r"batch_size = 201: must lie in \[1, 200\]"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        mini_batch_losses([1], *arguments)
