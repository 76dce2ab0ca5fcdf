"""Methods with one memory against PyTorch's loops, conjugate gradients against their extremum."""

import numpy as np
import pytest

from linear_grokking.theory.first_order import (
    Grokfast,
    Momentum,
    conjugate_gradients,
    residuals,
)

CURVATURES = np.array([0.0, 1e-3, 0.3, 1.7, 6.0])
STEPS = np.array([0, 1, 2, 5, 40, 300])


def pytorch(eta, momentum, nesterov):
    """Yield the parameters of ``torch.optim.SGD`` on ½ Σ h x², from x = 1."""
    torch = pytest.importorskip("torch")
    x = torch.ones(len(CURVATURES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=eta, momentum=momentum, nesterov=nesterov)
    for _ in range(STEPS[-1] + 1):
        yield x.detach().numpy().copy()
        optimizer.zero_grad()
        (0.5 * torch.from_numpy(CURVATURES) * x * x).sum().backward()
        optimizer.step()


def grokfast(eta, alpha, lamb):
    """Yield the parameters of gradient descent with `gradfilter_ema`, written out."""
    x, average = np.ones_like(CURVATURES), None
    for _ in range(STEPS[-1] + 1):
        yield x.copy()
        gradient = CURVATURES * x
        average = gradient if average is None else average * alpha + gradient * (1 - alpha)
        x = x - eta * (gradient + lamb * average)


def test_no_momentum_is_gradient_descent():
    found = residuals(Momentum(0.1, 0.0), CURVATURES, STEPS)
    expected = (1 - 0.1 * CURVATURES) ** STEPS[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("alpha", "lamb"), [(0.98, 2.0), (0.5, 5.0), (0.0, 1.0)])
def test_grokfast_is_that_of_its_authors(alpha, lamb):
    literal = np.array(list(grokfast(0.05, alpha, lamb)))[STEPS]
    found = residuals(Grokfast(0.05, alpha, lamb), CURVATURES, STEPS)
    np.testing.assert_allclose(found, literal, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.3, 0.9])
def test_momentum_is_that_of_pytorch(momentum, nesterov):
    literal = np.array(list(pytorch(0.1, momentum, nesterov)))[STEPS]
    found = residuals(Momentum(0.1, momentum, nesterov), CURVATURES, STEPS)
    np.testing.assert_allclose(found, literal, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    "method",
    [
        Momentum(0.1, 0.0),
        Momentum(0.1, 0.8),
        Momentum(0.1, 0.8, nesterov=True),
        Grokfast(0.1, 0.98, 2.0),
        Grokfast(0.1, 0.3, 4.0),
    ],
)
def test_each_method_diverges_just_beyond_its_largest_curvature(method):
    below, above = method.largest_curvature * np.array([0.999, 1.001])
    left = residuals(method, np.array([below, above]), [20_000, 40_000])
    assert abs(left[1, 0]) < abs(left[0, 0]) < 1 < abs(left[0, 1]) < abs(left[1, 1])


def test_a_few_long_strides_are_many_short_ones():
    method = Momentum(0.01, 0.9)
    often = residuals(method, CURVATURES, np.arange(5001))
    rarely = residuals(method, CURVATURES, [0, 4999, 5000])
    np.testing.assert_allclose(often[[0, 4999, 5000]], rarely, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("steps", [[0.5], [-1], [3, 2], [np.nan]])
def test_steps_are_ascending_whole_numbers(steps):
    with pytest.raises(ValueError, match="steps = "):
        residuals(Momentum(0.1, 0.5), CURVATURES, steps)
    with pytest.raises(ValueError, match="steps = "):
        conjugate_gradients(CURVATURES, CURVATURES, steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Momentum(0.0, 0.5), "eta = 0"),
        (lambda: Momentum(0.1, 1.0), "momentum = 1"),
        (lambda: Grokfast(0.1, 1.0, 2.0), "alpha = 1"),
        (lambda: Grokfast(0.1, 0.9, -2.0), "lamb = -2"),
    ],
)
def test_methods_check_their_numbers(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- conjugate gradients ----

RNG = np.random.default_rng(4)
H = np.sort(RNG.uniform(0.2, 3.0, 12))
S = RNG.uniform(0.5, 2.0, 12)


@pytest.mark.parametrize("t", [0, 1, 2, 4, 7])
def test_conjugate_gradients_leave_the_least_loss_of_all_polynomials(t):
    """Least squares over the polynomials' coefficients, as another route."""
    (found,) = conjugate_gradients(H, S, [t])
    basis = (H[:, None] / 3.0) ** np.arange(1, t + 1)
    scale = np.sqrt(H * S)
    coefficients, *_ = np.linalg.lstsq(scale[:, None] * basis, -scale, rcond=None)
    np.testing.assert_allclose(found, 1 + basis @ coefficients, atol=1e-9)


def test_conjugate_gradients_are_those_of_scipy():
    from scipy.sparse.linalg import cg

    x = []
    cg(np.diag(H), H * np.sqrt(S), rtol=0, maxiter=6, callback=lambda each: x.append(each.copy()))
    found = conjugate_gradients(H, S, np.arange(1, 7))
    np.testing.assert_allclose(found, 1 - np.array(x) / np.sqrt(S), rtol=1e-8, atol=1e-10)


def test_conjugate_gradients_end_and_stay_at_the_minimum():
    """A mode without curvature, or without an error, is no matter to them."""
    h, s = np.append(H, [0.0, 1.0]), np.append(S, [3.0, 0.0])
    late = conjugate_gradients(h, s, [40, 1e12])
    np.testing.assert_array_equal(late[0], late[1])
    np.testing.assert_allclose(late[0, :12], 0, atol=1e-12)
    assert late[0, 12] == 1
    np.testing.assert_array_equal(conjugate_gradients(h, 0 * s, [0, 5]), np.ones((2, 14)))
