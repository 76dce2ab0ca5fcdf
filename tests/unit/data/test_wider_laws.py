"""Laws beyond Paper B's: their entries, radii and features, and what their sets share."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from linear_grokking.data.draws import classification
from linear_grokking.data.wider_laws import (
    TANH_SIZE,
    Elliptical,
    Rademacher,
    ReluFeatures,
    StudentT,
    TanhFeatures,
    Uniform,
)
from linear_grokking.solvers.separability import assess
from linear_grokking.theory import elliptical, wendel

ALPHA = 1e-4
SAMPLED = [
    Rademacher(2.0),
    Uniform(2.0),
    StudentT(2.0, degrees_of_freedom=5.0),
    TanhFeatures(2.0, latent_dim=3),
    ReluFeatures(2.0, latent_dim=3),
]


def draw(law, **changes):
    arguments = {"seed": 1, "realization": 0, "n_train": 2000, "d": 6}
    return classification(law, **arguments | changes)


@pytest.mark.parametrize("law", SAMPLED, ids=lambda law: law.name)
class TestSampledLaws:
    def test_sigma_is_the_root_mean_square(self, law):
        squares = draw(law, n_train=40_000).inputs ** 2
        error = squares.std() / np.sqrt(len(squares))
        assert squares.mean() == pytest.approx(4.0, abs=5 * error)

    def test_same_bits_in_any_order_and_size_of_the_rest(self, law):
        expected = [draw(law, realization=k, n_train=50).inputs for k in range(4)]
        for k in reversed(range(4)):
            found = draw(law, realization=k, n_train=50, n_gen=7, s0_norm=3.0)
            np.testing.assert_array_equal(found.inputs, expected[k])
        assert not np.array_equal(expected[0], expected[1])

    def test_float32_is_rounded_float64(self, law):
        wide, narrow = (draw(law, dtype=t).inputs for t in (np.float64, np.float32))
        np.testing.assert_allclose(narrow, wide, rtol=2e-7, atol=1e-6)

    def test_sets_of_another_sigma_are_multiples(self, law):
        other = type(law)(**{**vars(law), "sigma": 6.0})
        np.testing.assert_allclose(draw(other).inputs, 3 * draw(law).inputs, rtol=1e-14)

    def test_fresh_inputs_have_the_law_of_the_training_set(self, law):
        data = draw(law, n_gen=3000)
        for fresh, inputs in zip(data.fresh.T, data.inputs.T, strict=True):
            assert stats.ks_2samp(fresh, inputs).pvalue > ALPHA
        assert not np.array_equal(data.fresh[:50], data.inputs[:50])

    def test_outputs_without_a_closed_form_are_refused(self, law):
        with pytest.raises(ValueError, match=f"law = {law.name}: needs fresh inputs"):
            law.output_mixture(np.ones(6), np.zeros(()))


def test_entries_have_their_laws():
    assert set(np.unique(draw(SAMPLED[0]).inputs)) == {-2.0, 2.0}
    edge = 2.0 * np.sqrt(3.0)
    uniform = stats.uniform(-edge, 2 * edge)
    assert stats.kstest(draw(SAMPLED[1]).inputs.ravel(), uniform.cdf).pvalue > ALPHA
    student = stats.t(5, scale=2.0 * np.sqrt(3 / 5))
    assert stats.kstest(draw(SAMPLED[2]).inputs.ravel(), student.cdf).pvalue > ALPHA
    other = StudentT(2.0, degrees_of_freedom=3.0)
    assert other.key() != SAMPLED[2].key()


def test_radii_are_those_of_the_theory():
    law = Elliptical(2.0, radius_ratio=9.0, far_share=0.1)
    assert law.radii() == pytest.approx(elliptical.radii(9.0, 0.1), rel=1e-12)
    # With many coordinates an input's length says which radius it has.
    lengths = np.linalg.norm(draw(law, d=100).inputs, axis=1) / 20.0
    far = lengths > 3 * law.radii()[0]
    assert stats.binomtest(int(far.sum()), len(far), 0.1).pvalue > ALPHA
    for chosen, expected in zip((~far, far), law.radii(), strict=True):
        assert lengths[chosen].mean() == pytest.approx(expected, rel=0.02)


def test_sets_of_other_radii_are_the_same_but_for_them():
    one, other = (Elliptical(2.0, ratio, 0.3) for ratio in (1.0, 4.0))
    ratios = draw(other).inputs / draw(one).inputs
    np.testing.assert_allclose(ratios, ratios[:, :1] * np.ones(6), rtol=1e-12)
    np.testing.assert_allclose(np.unique(ratios[:, 0].round(9)), other.radii(), rtol=1e-8)


def test_tanh_features_are_of_unit_size():
    square, _ = quad(lambda z: np.tanh(z) ** 2 * stats.norm.pdf(z), -12, 12, epsabs=1e-13)
    assert pytest.approx(np.sqrt(square), rel=1e-12) == TANH_SIZE


def test_features_are_of_a_shared_latent_vector():
    """Undone, tanh features are linear in m coordinates, by one matrix for both sets."""
    data = draw(TanhFeatures(2.0, latent_dim=3), d=8, n_train=300, n_gen=200)
    train, fresh = (np.arctanh(x * TANH_SIZE / 2.0) for x in (data.inputs, data.fresh))
    basis = np.linalg.svd(train, full_matrices=False)
    assert basis.S[2] > 1.0 > 1e-6 > basis.S[3]
    outside = fresh - fresh @ basis.Vh[:3].T @ basis.Vh[:3]
    assert np.abs(outside).max() < 1e-6
    other = draw(TanhFeatures(2.0, latent_dim=3), d=8, n_train=300, realization=1)
    outside = np.arctanh(other.inputs * TANH_SIZE / 2.0)
    assert np.abs(outside - outside @ basis.Vh[:3].T @ basis.Vh[:3]).max() > 0.1


@pytest.mark.parametrize("law", [TanhFeatures(1.0, 2), StudentT(1.0, 3.0)], ids=lambda x: x.name)
def test_symmetric_laws_are_separable_as_wendel_says(law):
    hits = [
        assess(draw(law, realization=k, n_train=9, d=4).inputs, margin=False) for k in range(600)
    ]
    count = sum(each.separable for each in hits)
    expected = float(wendel.separable_probability(9, 4))
    assert stats.binomtest(count, 600, expected).pvalue > ALPHA


def test_signs_are_separable_less_often():
    """All sets of four points ±1 in the plane, counted: 60 of 256 where Wendel has a half."""
    points = list(itertools.product([-1.0, 1.0], repeat=2))
    angles = np.linspace(0, 2 * np.pi, 1000, endpoint=False) + 1e-3
    directions = np.stack([np.cos(angles), np.sin(angles)])
    count = sum(
        bool((np.array(chosen) @ directions < 0).all(axis=0).any())
        for chosen in itertools.product(points, repeat=4)
    )
    assert count == 60 and float(wendel.separable_probability(4, 2)) == 0.5
    law = Rademacher(1.0)
    hits = [
        assess(draw(law, realization=k, n_train=4, d=2).inputs, margin=False) for k in range(120)
    ]
    assert stats.binomtest(sum(each.separable for each in hits), 120, 60 / 256).pvalue > ALPHA


def test_relu_features_vanish_all_together_with_probability_2_to_the_minus_d():
    law, d = ReluFeatures(1.0, latent_dim=4), 3
    zero = [not draw(law, realization=k, n_train=1, d=d).inputs.any() for k in range(600)]
    assert stats.binomtest(sum(zero), 600, 2.0**-d).pvalue > ALPHA
    inputs = draw(law, n_train=30, d=20).inputs
    assert (inputs @ -np.ones(20) < 0).all() and assess(inputs, margin=False).separable
