"""Each loss is one thing: slope, curvature, expectation and compiled weights are its value's."""

import itertools

import mpmath
import numpy as np
import pytest
from scipy.integrate import fixed_quad
from scipy.stats import norm

from linear_grokking.models.losses import LARGEST_LOSS, LOSSES, Loss
from linear_grokking.models.passes.array_pass import ArrayPass
from linear_grokking.models.passes.row_pass import RowPass

EXACT = {
    "cross_entropy": lambda m: mpmath.log1p(mpmath.exp(m)),
    "exponential": mpmath.exp,
}
MARGINS = np.array([-600.0, -40.0, -5.0, -1.0, -0.1, 0.0, 0.3, 2.0, 15.0, 40.0, 600.0])


@pytest.fixture(params=list(LOSSES.values()), ids=list(LOSSES))
def loss(request):
    return request.param


def test_losses_are_found_by_their_names():
    assert LOSSES.keys() == EXACT.keys()
    assert all(loss.name == name for name, loss in LOSSES.items())


def test_value_is_correct_to_rounding_at_any_margin(loss):
    with mpmath.workdps(400):
        expected = [float(EXACT[loss.name](mpmath.mpf(m))) for m in MARGINS]
    np.testing.assert_allclose(loss.value(np, MARGINS), expected, rtol=1e-15)


def test_it_never_falls_with_the_margin_and_is_convex(loss):
    margins = np.linspace(-30.0, 30.0, 601)
    assert np.all(loss.slope(np, margins) >= 0.0)
    assert np.all(loss.curvature(np, margins) >= 0.0)


@pytest.mark.parametrize(("method", "order"), [("slope", 1), ("curvature", 2)])
def test_slope_and_curvature_are_derivatives_of_the_value(loss, method, order):
    with mpmath.workdps(60):
        margins = MARGINS[np.abs(MARGINS) < 50]
        expected = [float(mpmath.diff(EXACT[loss.name], mpmath.mpf(m), order)) for m in margins]
    found = getattr(loss, method)(np, margins)
    # 1 - ℓ' of the cross-entropy cancels at large margins.
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-16)


def test_log_slope_is_the_slopes_however_small(loss):
    if type(loss).log_slope is Loss.log_slope:
        pytest.skip("takes the logarithm of its slope")
    margins = np.append(MARGINS, [-1e3, -1e9])
    with mpmath.workdps(400):
        slope = {
            "cross_entropy": lambda m: 1 / (1 + mpmath.exp(-m)),
            "exponential": mpmath.exp,
        }[loss.name]
        expected = [float(mpmath.log(slope(mpmath.mpf(m)))) for m in margins]
    np.testing.assert_allclose(loss.log_slope(np, margins), expected, rtol=1e-15)
    usual = np.linspace(-20, 5, 26)
    np.testing.assert_allclose(
        Loss.log_slope(loss, np, usual), loss.log_slope(np, usual), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize(("method", "derivative"), [("value", "slope"), ("slope", "curvature")])
def test_methods_are_each_others_finite_differences(loss, method, derivative):
    margins, step = np.linspace(-6.0, 6.0, 49), 1e-5
    function = getattr(loss, method)
    quotient = (function(np, margins + step) - function(np, margins - step)) / (2 * step)
    np.testing.assert_allclose(getattr(loss, derivative)(np, margins), quotient, rtol=1e-7)


@pytest.mark.parametrize("deviation", [1e-3, 0.5, 2.0, 6.0])
def test_expectation_is_the_integral_of_the_value(loss, deviation):
    means = np.array([-12.0, -1.0, 0.0, 0.7, 5.0])

    def integral(mean):
        kink = -mean / deviation
        corners = [kink + k / deviation for k in (-40, -10, -2, 0, 2, 10, 40)]
        points = sorted({*range(-40, 41, 4), *(p for p in corners if -40 < p < 40)})

        def integrand(z):
            values = [float(EXACT[loss.name](mpmath.mpf(m))) for m in mean + deviation * z]
            return values * norm.pdf(z)

        return sum(fixed_quad(integrand, *piece, n=40)[0] for piece in itertools.pairwise(points))

    with mpmath.workdps(25):
        expected = [integral(mean) for mean in means]
    found = loss.expectation(means, np.full_like(means, deviation))
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_expectation_without_spread_is_the_value(loss):
    margins = MARGINS[MARGINS < 600]
    found = loss.expectation(margins, np.zeros_like(margins))
    np.testing.assert_allclose(found, loss.value(np, margins), rtol=1e-13)


def test_expectation_never_overflows(loss):
    found = loss.expectation(np.array([0.0, 1e3, 1e6]), np.array([1e3, 1e2, 1e6]))
    assert np.all(np.isfinite(found)) and np.all(found <= 1.001 * LARGEST_LOSS)


def test_torch_gives_what_numpy_gives(loss):
    torch = pytest.importorskip("torch")
    from array_api_compat import array_namespace

    margins = MARGINS[np.abs(MARGINS) < 600]
    tensor = torch.from_numpy(margins)
    for method in (loss.value, loss.slope, loss.curvature):
        found = method(array_namespace(tensor), tensor)
        np.testing.assert_allclose(found.numpy(), method(np, margins), rtol=1e-14)


def test_weights_pull_towards_the_label(loss):
    rng = np.random.default_rng(0)
    outputs, signs = rng.standard_normal((2, 5)), rng.choice([-1.0, 1.0], (2, 5))
    np.testing.assert_allclose(
        loss.weights(np, outputs, signs), signs * loss.slope(np, signs * outputs), rtol=1e-15
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_loops_know_the_loss_by_its_number(loss, dtype):
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((2, 33, 6)).astype(dtype)
    vectors, offsets = rng.standard_normal((2, 6)), rng.standard_normal(2)
    signs = rng.choice([-1.0, 1.0], (2, 33))
    # Without a number, both take the products of whole arrays.
    compiled = RowPass(inputs)(vectors, offsets, loss, signs)
    plain = ArrayPass(inputs)(vectors, offsets, loss, signs)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for found, expected in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_numbers_tell_losses_apart():
    numbers = [loss.number for loss in LOSSES.values() if loss.number is not None]
    assert len(set(numbers)) == len(numbers)
