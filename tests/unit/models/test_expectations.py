"""Losses and accuracies on fresh data against quadrature in high precision and closed forms."""

import mpmath
import numpy as np
import pytest

from linear_grokking.data.laws import Gaussian, OutputMixture
from linear_grokking.models.expectations import (
    assign_labels,
    gen_accuracy,
    gen_loss,
)
from linear_grokking.models.losses import LARGEST_LOSS, LOSSES


def normal_output(mean, deviation, label=-1.0):
    return OutputMixture(
        np.array([1.0]),
        np.array([label]),
        np.array(mean, float)[..., None],
        np.array(deviation, float)[..., None],
    )


def cross_entropy_by_quadrature(mean, deviation):
    """E[log(1 + e^m)] in 25 digits; the integrand is scaled to order one first."""
    with mpmath.workdps(25):
        mean, deviation = mpmath.mpf(mean), mpmath.mpf(deviation)
        scale = mpmath.exp(min(mean, 0))

        def integrand(z):
            return mpmath.log1p(mpmath.exp(mean + deviation * z)) * mpmath.npdf(z) / scale

        kink = -mean / deviation
        corners = [kink + k / deviation for k in (-40, -10, -2, 0, 2, 10, 40)]
        points = sorted({*range(-40, 41, 4), *(p for p in corners if -40 < p < 40)})
        return float(scale * mpmath.quad(integrand, points))


@pytest.mark.parametrize("deviation", [1e-8, 1e-3, 0.3, 1.0, 3.0, 30.0, 1e6])
@pytest.mark.parametrize("mean", [-300.0, -1.0, 0.0, 20.0])
def test_cross_entropy_agrees_with_quadrature(mean, deviation):
    expected = cross_entropy_by_quadrature(mean, deviation)
    found = gen_loss(normal_output(mean, deviation), LOSSES["cross_entropy"])
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_exponential_loss_is_its_closed_form_and_is_capped():
    outputs = normal_output([-3.0, 0.5, 10.0], [0.0, 2.0, 50.0])
    found = gen_loss(outputs, LOSSES["exponential"])
    expected = [np.exp(-3.0), np.exp(0.5 + 2.0), LARGEST_LOSS]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert np.isfinite(found.sum())


def test_losses_and_accuracy_without_spread():
    outputs = normal_output([-2.0, 0.0, 2.0], [0.0, 0.0, 0.0])
    np.testing.assert_allclose(
        gen_loss(outputs, LOSSES["cross_entropy"]), np.log1p(np.exp([-2.0, 0.0, 2.0])), rtol=1e-14
    )
    np.testing.assert_array_equal(gen_accuracy(outputs), [1.0, 0.0, 0.0])


def test_accuracy_of_a_gaussian_is_the_papers():
    weights, bias = np.array([[0.3, -0.4], [0.0, 2.0]]), np.array([-1.0, 0.7])
    accuracy = gen_accuracy(Gaussian(2.0).output_mixture(weights, bias))
    expected = [float(mpmath.ncdf(1.0 / 1.0)), float(mpmath.ncdf(-0.7 / 4.0))]
    np.testing.assert_allclose(accuracy, expected, rtol=1e-14)


def test_a_mixture_is_the_average_of_its_components():
    parts = [normal_output(-1.0, 0.5), normal_output(2.0, 1.5, label=1.0)]
    mixture = OutputMixture(
        np.array([0.25, 0.75]), np.array([-1.0, 1.0]), np.array([-1.0, 2.0]), np.array([0.5, 1.5])
    )
    for loss in LOSSES.values():
        values = [gen_loss(part, loss) for part in parts]
        np.testing.assert_allclose(gen_loss(mixture, loss), np.dot([0.25, 0.75], values))


def test_flipped_labels_weigh_both_signs():
    outputs = normal_output(-1.0, 0.5)
    flipped = normal_output(-1.0, 0.5, label=1.0)
    assigned = assign_labels(outputs, 0.9)
    for function in (gen_accuracy, lambda o: gen_loss(o, LOSSES["cross_entropy"])):
        expected = 0.9 * function(outputs) + 0.1 * function(flipped)
        np.testing.assert_allclose(function(assigned), expected, rtol=1e-14)


def test_arguments_out_of_range_are_named():
    outputs = normal_output(0.0, 1.0)
    with pytest.raises(ValueError, match=r"label_fraction=1.5"):
        assign_labels(outputs, 1.5)
