"""Inputs that are drawn when they are asked for: one matrix, of the right law."""

import numpy as np
import pytest
from scipy.stats import arcsine, chi2, ks_2samp, kstest

from linear_grokking.data import deferred
from linear_grokking.data.deferred import (
    Rows,
    TooManyDirectionsError,
    deferred_classification,
)
from linear_grokking.data.draws import classification
from linear_grokking.data.laws import LAWS, Anisotropic, Gaussian, Mixture, TwoGaussians
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.passes.deferred_pass import DeferredPass
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.log_flow import gradient_flow

LOSS = LOSSES["cross_entropy"]


def draw(law, n, d, realization=0, **more):
    return deferred_classification(
        law, seed=4, realization=realization, n_train=n, d=d, s0_norm=0.3, **more
    )


def model_of(data, law):
    inputs = data.inputs[None] if isinstance(data.inputs, np.ndarray) else None
    inputs = DeferredPass([data.inputs]) if inputs is None else inputs
    return LogisticModel(inputs, data.labels[None], law, loss=LOSS)


@pytest.mark.parametrize("law", [Gaussian(1.5), Mixture(1.5, 0.7), TwoGaussians(2.0, 1.0, 0.3)])
@pytest.mark.parametrize(("n", "d"), [(30, 7), (7, 30), (12, 12), (5, 1)])
def test_all_answers_are_products_with_one_matrix(law, n, d):
    rng = np.random.default_rng(1)
    inputs = draw(law, n, d).inputs
    asked, pulled = [], []
    for k in range(2 * d + 3):
        if k % 3:
            weights = rng.standard_normal(n)
            pulled.append((weights, inputs.pull_back(weights)))
        else:
            vector = np.zeros(d)
            vector[: min(d, len(inputs.directions) + 1)] = 1.0 + k
            asked.append((vector, inputs.outputs(vector)))
    matrix = inputs.outputs(np.eye(d)).T
    assert matrix.shape == (n, d)
    for vector, outputs in asked:
        np.testing.assert_allclose(outputs, matrix @ vector, rtol=1e-12, atol=1e-12)
    for weights, pull_back in pulled:
        np.testing.assert_allclose(pull_back, matrix.T @ weights, rtol=1e-10, atol=1e-11)


def test_the_weights_that_were_asked_stay_orthonormal():
    law = Gaussian(5.0)
    data = draw(law, 2000, 960)
    model = model_of(data, law)
    gradient_flow(model, (data.weights[None], np.zeros(1)), eta=0.01, steps=[0, 1e8])
    asked = np.concatenate(list(data.inputs.asked.blocks()))
    assert len(asked) > 150
    assert np.abs(asked @ asked.T - np.eye(len(asked))).max() < 1e-12


STATISTICS = 10
CASES = (
    (Gaussian(2.0), 40, 15),
    (Gaussian(2.0), 90, 60),
    (TwoGaussians(2.0, 1.5, 0.5), 40, 30),
)
DRAWS = 150
LEAST_P = 3e-5
"""A right sampler has a smaller p of any of the 30 tests in one case of 1000 at most."""


def statistics_of(data, law):
    """Return ten numbers of a run, which ask for products of all kinds."""
    model = model_of(data, law)
    params = data.weights[None], np.zeros(1)
    found = gradient_descent(model, params, eta=0.8, steps=[4, 12])
    weights, bias = found.params
    gradient, _, outputs = model.gradient_and_outputs(weights, bias)
    curvatures = model.curvatures(outputs)
    _, product, _ = model.hessian_product(curvatures, gradient, 0.0 * bias)
    others = np.random.default_rng(8).standard_normal(outputs.shape)
    observed = found.observables
    return (
        *observed["weight_norm"][0],
        *observed["bias"][0],
        observed["train_loss"][0, 1],
        observed["gen_accuracy"][0, 1],
        weights[0, 0],
        np.linalg.norm(gradient),
        (product @ gradient.T).item(),
        np.linalg.norm(model.data.pull_back(others)),
    )


def least_p(law, n, d):
    """Return the least p of two-sample Kolmogorov-Smirnov tests against runs on matrices."""
    options = {"n_train": n, "d": d, "s0_norm": 0.3}
    by_matrix, by_product = (
        np.array(
            [statistics_of(of(law, seed=5, realization=k, **options), law) for k in range(DRAWS)]
        )
        for of in (classification, deferred_classification)
    )
    assert by_matrix.shape == (DRAWS, STATISTICS)
    return min(ks_2samp(a, b).pvalue for a, b in zip(by_matrix.T, by_product.T, strict=True))


@pytest.mark.parametrize(("law", "n", "d"), CASES)
def test_ten_statistics_have_the_law_of_matrices(law, n, d):
    assert STATISTICS * len(CASES) * LEAST_P < 1e-3
    assert least_p(law, n, d) > LEAST_P


def _of_any_length(inputs, asked=None):
    meet(inputs, None)  # as if the pull-back had not been seen


meet = deferred.DeferredSet._meet


@pytest.mark.parametrize("mistake", ["not across what was asked", "pull-back of another length"])
def test_the_test_of_the_law_sees_mistakes(monkeypatch, mistake):
    if mistake.startswith("not"):
        monkeypatch.setattr(Rows, "beyond", lambda self, vector: vector.copy())
    else:
        monkeypatch.setattr(deferred.DeferredSet, "_meet", _of_any_length)
    assert least_p(*CASES[0]) < LEAST_P


def test_what_is_drawn_does_not_depend_on_sigma_or_the_initial_norm():
    one, other = (draw(Gaussian(sigma), 20, 9).inputs for sigma in (1.0, 3.0))
    weights = np.linspace(-1, 1, 20)
    np.testing.assert_allclose(3.0 * one.pull_back(weights), other.pull_back(weights))


def test_labels_are_those_of_a_matrix():
    law, sizes = Gaussian(1.0), {"seed": 4, "realization": 3, "n_train": 50, "d": 20}
    labels = classification(law, **sizes, label_fraction=0.6).labels
    assert 0 < np.sum(labels > 0) < 50
    np.testing.assert_array_equal(draw(law, 50, 20, 3, label_fraction=0.6).labels, labels)


def test_initial_weights_have_the_law_of_any_direction():
    along = [draw(Gaussian(1.0), 2, 5, k).weights for k in range(300)]
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 0.3)
    matrices = [
        classification(Gaussian(1.0), seed=4, realization=k, n_train=2, d=5, s0_norm=0.3).weights[0]
        for k in range(300)
    ]
    assert ks_2samp(np.array(along)[:, 0], matrices).pvalue > 1e-3


def test_a_restored_set_gives_the_same_bits():
    first, second = (draw(Gaussian(1.0), 40, 25).inputs for _ in range(2))
    rng = np.random.default_rng(0)
    questions = rng.standard_normal((14, 40))
    for question in questions[:11]:
        first.pull_back(question)
    second.restore({name: rows.copy() for name, rows in first.state().items()})
    for question in questions:
        np.testing.assert_array_equal(second.pull_back(question), first.pull_back(question))


def test_more_directions_than_there_is_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(deferred, "MOST_DIRECTIONS", 4)
    inputs = draw(Gaussian(1.0), 30, 20).inputs
    rng = np.random.default_rng(0)
    for _ in range(3):
        inputs.pull_back(rng.standard_normal(30))
    with pytest.raises(TooManyDirectionsError, match="more than 4 directions of 20"):
        inputs.pull_back(rng.standard_normal(30))


def test_overflow_passes_through_and_draws_nothing():
    inputs = draw(Gaussian(1.0), 30, 20).inputs
    assert np.isnan(inputs.outputs(np.full(20, np.inf))).all()
    assert np.isnan(inputs.pull_back(np.full(30, np.nan))[0])
    assert len(inputs.directions) == 1


def test_weights_of_zero_ask_for_nothing():
    inputs = draw(Gaussian(1.0), 30, 20).inputs
    assert not inputs.pull_back(np.zeros(30)).any()
    assert not inputs.outputs(np.zeros(20)).any()
    assert len(inputs.directions) == 1


def test_input_size_is_that_of_a_matrix():
    law = TwoGaussians(2.0, 30.0, 0.5)
    inputs = classification(law, seed=1, realization=0, n_train=400, d=30).inputs
    expected = np.sqrt(np.mean(inputs**2))
    assert draw(law, 400, 30).inputs.input_size() == pytest.approx(expected, rel=0.02)


def test_only_laws_that_are_isotropic_across_an_axis_are_taken():
    with pytest.raises(ValueError, match="law = anisotropic: is not isotropic"):
        draw(Anisotropic(1.0, 3.0), 30, 20)
    assert {name for name, law in LAWS.items() if law.isotropic_across} == {
        "gaussian",
        "mixture",
        "two_gaussians",
    }


def drawn(n, d, realization):
    return deferred_classification(
        Gaussian(1.0), seed=4, realization=realization, n_train=n, d=d, s0_norm=1.0
    )


def test_the_length_of_a_pull_back_is_chi_square():
    """|Xᵀu|² of a unit u is χ²_d; a second, orthogonal one is independent with the same law."""
    lengths = []
    for k in range(1500):
        inputs = drawn(3, 3, k).inputs
        first, second = (inputs.pull_back(u) for u in np.eye(3)[:2])
        lengths.append((first @ first, second @ second))
    for each in np.array(lengths).T:
        assert kstest(each, chi2(3).cdf).pvalue > 1e-4


def test_the_initial_direction_in_a_plane_has_a_uniform_angle():
    along = [drawn(2, 2, k).weights[0] for k in range(1500)]
    assert kstest(along, arcsine(-1, 2).cdf).pvalue > 1e-4


def test_what_is_neglected_is_at_most_a_millionth():
    rng = np.random.default_rng(3)
    inputs = drawn(30, 20, 0).inputs
    first = rng.standard_normal(30)
    inputs.pull_back(first)
    near = first + 1e-4 * rng.standard_normal(30)
    pulled = inputs.pull_back(near)
    matrix = inputs.outputs(np.eye(20)).T
    missing = np.linalg.norm(pulled - matrix.T @ near)
    assert missing < 1e-6 * np.linalg.norm(near) * np.linalg.norm(matrix, 2)
