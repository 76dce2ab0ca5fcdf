"""Labels that the first coordinate decides: closed forms against quadrature and sampling."""

import itertools

import numpy as np
import pytest
from scipy.integrate import fixed_quad
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal, norm

from linear_grokking.data.laws import Gaussian
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.threshold_labels import ThresholdLabelsModel, gen_accuracy, gen_loss

SHARES = [0.99, 0.5, 0.03]
# σS₁, σ‖S_⊥‖, b: also where S_⊥ hardly counts, and where it alone does.
OUTPUTS = [
    (2.0, 0.5, -3.0),
    (30.0, 1e-6, -40.0),
    (1e3, 1e-3, 7.0),
    (-4.0, 3.0, 0.0),
    (0.0, 2.0, 1.0),
    (1e-9, 5.0, -60.0),
    (0.3, 0.2, 0.1),
]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(("along", "across", "bias"), OUTPUTS)
def test_accuracy_is_that_of_two_normals(along, across, bias, share):
    size = np.hypot(along, across)
    q, k, rho = ndtri(share), -bias / size, along / size
    below = multivariate_normal.cdf([q, k], cov=[[1.0, rho], [rho, 1.0]], allow_singular=True)
    expected = 1.0 - share - ndtr(k) + 2.0 * below
    (found,) = gen_accuracy(*(np.array([each]) for each in (along, across, bias)), share)
    assert found == pytest.approx(expected, abs=2e-12)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(("along", "across", "bias"), OUTPUTS)
def test_loss_is_the_mean_over_the_first_coordinate(along, across, bias, share):
    """Against E over z₁ of the mean over the others, with the label at each z₁."""
    values = (np.array([each]) for each in (along, across, bias))
    softplus = LOSSES["cross_entropy"].expectation
    q = float(ndtri(share))

    def integrand(z):
        y = np.where(z > q, 1.0, -1.0)
        return softplus(-y * (bias + along * z), np.full_like(z, across)) * norm.pdf(z)

    points = {q, *np.linspace(-9.0, 9.0, 13)}
    if along:
        # f = 0, over the widths of the softplus and of the other coordinates
        width = max(1.0, across) / abs(along)
        points |= {-bias / along + c * width for c in (-40, -8, -2, 0, 2, 8, 40)}
    pieces = itertools.pairwise(sorted(p for p in points if -9 <= p <= 9))
    expected = sum(fixed_quad(integrand, *piece, n=40)[0] for piece in pieces)
    (found,) = gen_loss(*values, share)
    assert found == pytest.approx(expected, abs=1e-12 * (1.0 + abs(bias) + np.hypot(along, across)))


def test_an_output_that_does_not_vary_is_right_on_the_labels_of_its_sign():
    for bias, expected in ((-1.0, 0.9), (1.0, 0.1), (0.0, 0.0)):
        nothing = np.zeros(1)
        found = gen_accuracy(nothing, nothing, np.array([bias]), 0.9)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_first_coordinate_alone_is_right_everywhere():
    along, nothing = np.array([1.0, 40.0]), np.zeros(2)
    bias = -along * ndtri(0.95)
    np.testing.assert_allclose(gen_accuracy(along, nothing, bias, 0.95), 1.0, rtol=1e-7)
    loss = gen_loss(along, nothing, bias, 0.95)
    assert loss[1] < 0.1 * loss[0]


def test_observables_are_means_over_fresh_samples():
    # 4e5 samples; six standard errors fail a right program once in 1e8 runs.
    share, sigma, d = 0.8, 1.5, 6
    rng = np.random.default_rng(0)
    inputs = sigma * rng.standard_normal((2, 30, d))
    labels = np.where(inputs[:, :, 0] > sigma * ndtri(share), 1.0, -1.0)
    weights, bias = 0.4 * rng.standard_normal((2, d)), np.array([-0.5, 0.3])
    law, loss = Gaussian(sigma), LOSSES["cross_entropy"]
    model = ThresholdLabelsModel(inputs, labels, law, loss=loss, share=share)
    found = model.observables((weights, bias))
    plain = LogisticModel(inputs, labels, law, loss=loss).observables((weights, bias))
    assert found.keys() == plain.keys()
    for name in plain.keys() - {"gen_loss", "gen_accuracy"}:
        np.testing.assert_array_equal(found[name], plain[name])
    fresh = sigma * rng.standard_normal((400_000, d))
    y = np.where(fresh[:, 0] > sigma * ndtri(share), 1.0, -1.0)
    for k in range(2):
        margins = y * (fresh @ weights[k] + bias[k])
        for name, values in (
            ("gen_accuracy", margins > 0),
            ("gen_loss", np.logaddexp(0.0, -margins)),
        ):
            assert abs(found[name][k] - values.mean()) < 6 * values.std() / np.sqrt(len(values))


@pytest.mark.parametrize("share", [0.0, 1.0, 1.2])
def test_a_share_that_leaves_one_label_is_refused(share):
    inputs, labels = np.ones((1, 3, 2)), -np.ones((1, 3))
    with pytest.raises(ValueError, match=f"share={share}"):
        ThresholdLabelsModel(
            inputs, labels, Gaussian(1.0), loss=LOSSES["cross_entropy"], share=share
        )
