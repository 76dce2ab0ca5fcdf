"""Inputs, labels and initial weights have the laws they name, and are paired between runs.

Statistical tests use fixed seeds; each rejects a true hypothesis with probability 1e-4
unless it says otherwise.
"""

import itertools

import numpy as np
import pytest
from scipy import stats

from linear_grokking.data.draws import (
    classification,
    modular_addition,
    stacked,
    teacher_student,
)
from linear_grokking.data.laws import Anisotropic, Gaussian, Mixture, TwoGaussians
from linear_grokking.data.threshold_labels import with_threshold_labels
from linear_grokking.data.wider_laws import Elliptical

ALPHA = 1e-4
ALL_LAWS = [
    Gaussian(sigma=5.0),
    Anisotropic(sigma=2.0, condition=10.0),
    Mixture(sigma=1.5, mixture_mean=2.0),
    TwoGaussians(sigma=1.0, mu=0.2, sigma_a=0.05),
    Elliptical(sigma=2.0, radius_ratio=6.0, far_share=0.25),
]


def name_of(law):
    return type(law).__name__


def assert_deviation(values, scale):
    """Chi-squared test of centred normal values with a known standard deviation."""
    statistic = np.sum((values / scale) ** 2)
    low, high = stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], values.size)
    assert low < statistic < high


def assert_normal(values, mean, scale):
    assert stats.kstest(values, stats.norm(mean, scale).cdf).pvalue > ALPHA


def draw_teacher_student(**changes):
    arguments = {"seed": 1, "realization": 0, "n_train": 60, "n_gen": 0, "widths": (40, 30, 20)}
    return teacher_student(**arguments | changes)


def draw_classification(law=ALL_LAWS[0], **changes):
    arguments = {"seed": 1, "realization": 0, "n_train": 200, "d": 12, "s0_norm": 0.1}
    return classification(law, **arguments | changes)


class TestTeacherStudent:
    @pytest.mark.parametrize("widths", [(300, 7), (200, 50, 5)])
    def test_variances(self, widths):
        data = draw_teacher_student(widths=widths, n_train=400, noise=0.3, alpha=2.0)
        assert data.inputs.shape == (400, widths[0])
        assert_deviation(data.inputs, 1.0)
        assert data.label_noise.shape == (400, widths[-1])
        assert_deviation(data.label_noise, np.sqrt(0.3))
        shapes = list(itertools.pairwise(widths))
        assert [layer.shape for layer in data.teacher] == shapes
        assert [layer.shape for layer in data.student] == shapes
        for (m, n), teacher, student in zip(shapes, data.teacher, data.student, strict=True):
            assert_deviation(teacher, np.sqrt(1 / (2 * m * n)))
            assert_deviation(student, 2 * np.sqrt(1 / (2 * m * n)))

    def test_initial_generalization_loss_is_one_over_d_out(self):
        # ‖S₀ - T‖² d_in d_out is chi-squared, with d_in d_out degrees of freedom.
        d_in, d_out = 30, 4
        losses = []
        for realization in range(200):
            data = draw_teacher_student(realization=realization, widths=(d_in, d_out))
            losses.append(np.sum((data.student[0] - data.teacher[0]) ** 2) / d_out)
        freedom = 200 * d_in * d_out
        low, high = stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], freedom) / freedom
        assert low < np.mean(losses) * d_out < high

    def test_all_objects_are_independent(self):
        data = draw_teacher_student(widths=(50, 50, 50), n_train=50, n_gen=50, noise=1.0)
        objects = [data.inputs, data.label_noise, *data.teacher, *data.student, data.fresh]
        correlations = np.corrcoef([array.ravel() for array in objects])
        pairs = correlations[np.triu_indices(len(objects), 1)]
        assert np.sum(pairs**2) * 2500 < stats.chi2.isf(ALPHA, len(pairs))

    def test_no_noise_is_none(self):
        assert draw_teacher_student().label_noise is None

    def test_alpha_scales_the_student_only(self):
        one, two = draw_teacher_student(), draw_teacher_student(alpha=4.0)
        for layer, scaled in zip(one.student, two.student, strict=True):
            np.testing.assert_array_equal(scaled, 4 * layer)
        for layer, same in zip(one.teacher, two.teacher, strict=True):
            np.testing.assert_array_equal(same, layer)

    def test_noise_of_another_variance_is_a_multiple(self):
        one, four = draw_teacher_student(noise=1.0), draw_teacher_student(noise=4.0)
        np.testing.assert_array_equal(four.label_noise, 2 * one.label_noise)
        np.testing.assert_array_equal(four.inputs, draw_teacher_student().inputs)

    def test_inputs_do_not_depend_on_the_layers(self):
        np.testing.assert_array_equal(
            draw_teacher_student(widths=(40, 1)).inputs, draw_teacher_student().inputs
        )

    def test_fresh_inputs_are_normal_and_none_is_in_the_training_set(self):
        data = draw_teacher_student(n_train=500, n_gen=500, widths=(20, 1))
        assert data.fresh.shape == (500, 20)
        assert_deviation(data.fresh, 1.0)
        assert not np.isin(data.fresh, data.inputs).any()

    def test_fresh_inputs_depend_on_their_own_sizes_alone(self):
        expected = draw_teacher_student(n_gen=30).fresh
        other = draw_teacher_student(n_gen=30, n_train=7, widths=(40, 1), noise=1.0, alpha=3.0)
        np.testing.assert_array_equal(other.fresh, expected)
        assert not np.isin(draw_teacher_student(n_gen=30, realization=1).fresh, expected).any()
        np.testing.assert_array_equal(
            draw_teacher_student(n_gen=30).inputs, draw_teacher_student().inputs
        )

    def test_same_bits_in_any_order(self):
        forward = [draw_teacher_student(realization=r).inputs for r in range(10)]
        backward = [draw_teacher_student(realization=r).inputs for r in reversed(range(10))]
        np.testing.assert_array_equal(forward, backward[::-1])
        assert not np.array_equal(forward[0], forward[1])


@pytest.mark.parametrize("law", ALL_LAWS, ids=name_of)
class TestEveryLaw:
    def test_output_mixture_is_the_law_of_sampled_outputs(self, law):
        d = 6
        inputs = draw_classification(law, n_train=20_000, d=d).inputs
        weights = np.random.default_rng(3).normal(size=(2, d))
        bias = np.array([0.7, -0.4])
        mixture = law.output_mixture(weights, bias)
        assert mixture.probabilities.sum() == 1
        for k in range(2):
            components = [
                np.broadcast_to(array, mixture.means.shape)[k]
                for array in (mixture.probabilities, mixture.means, mixture.deviations)
            ]

            def cdf(f, components=components):
                return sum(p * stats.norm.cdf(f, m, s) for p, m, s in zip(*components, strict=True))

            outputs = inputs @ weights[k] + bias[k]
            assert stats.kstest(outputs, cdf).pvalue > ALPHA

    def test_output_mixture_of_a_batch_is_that_of_each(self, law):
        weights = np.random.default_rng(4).normal(size=(3, 2, 5))
        bias = np.random.default_rng(5).normal(size=(3, 2))
        batch = law.output_mixture(weights, bias)
        assert batch.means.shape[:2] == (3, 2)
        for index in np.ndindex(3, 2):
            single = law.output_mixture(weights[index], bias[index])
            np.testing.assert_allclose(batch.means[index], single.means)
            np.testing.assert_allclose(batch.deviations[index], single.deviations)
            np.testing.assert_array_equal(batch.labels, single.labels)

    def test_same_bits_in_any_order_and_for_any_other_parameter(self, law):
        expected = [draw_classification(law, realization=r).inputs for r in range(5)]
        for r in reversed(range(5)):
            other = draw_classification(law, realization=r, s0_norm=5.0, label_fraction=0.9)
            np.testing.assert_array_equal(other.inputs, expected[r])
        assert not np.array_equal(expected[0], expected[1])

    def test_float32_is_float64_to_rounding(self, law):
        wide = draw_classification(law)
        narrow = draw_classification(law, dtype=np.float32)
        for name in ("inputs", "labels", "weights"):
            double, single = getattr(wide, name), getattr(narrow, name)
            assert single.dtype == np.float32
            scale = np.abs(double).max()
            np.testing.assert_allclose(single, double, rtol=2e-7, atol=1e-7 * scale)

    def test_one_dimension_and_one_sample(self, law):
        data = draw_classification(law, n_train=1, d=1)
        assert data.inputs.shape == (1, 1) and np.isfinite(data.inputs).all()
        assert np.abs(data.weights) == pytest.approx(0.1)

    def test_labels_are_all_negative_and_weights_have_their_norm(self, law):
        data = draw_classification(law)
        assert (data.labels == -1).all()
        assert np.linalg.norm(data.weights) == pytest.approx(0.1, rel=1e-14)

    def test_fresh_inputs_have_the_law_of_the_training_set_and_share_none(self, law):
        data = draw_classification(law, n_train=3000, d=4, n_gen=2000)
        assert data.fresh.shape == (2000, 4)
        for fresh, inputs in zip(data.fresh.T, data.inputs.T, strict=True):
            assert stats.ks_2samp(fresh, inputs).pvalue > ALPHA
            assert not np.isin(fresh, inputs).any()

    def test_fresh_inputs_shift_nothing_else(self, law):
        without, with_fresh = (draw_classification(law, n_gen=n) for n in (0, 300))
        assert without.fresh is None
        for name in ("inputs", "labels", "weights"):
            np.testing.assert_array_equal(getattr(with_fresh, name), getattr(without, name))
        other = draw_classification(law, n_train=7, n_gen=300, s0_norm=2.0, dtype=np.float32)
        assert other.fresh.dtype == np.float32
        np.testing.assert_allclose(other.fresh, with_fresh.fresh, rtol=2e-7, atol=1e-6)


class TestGaussian:
    def test_law(self):
        inputs = draw_classification(Gaussian(5.0), n_train=2000, d=20).inputs
        assert_deviation(inputs, 5.0)
        assert_normal(inputs.ravel(), 0, 5.0)

    def test_sets_of_another_sigma_are_multiples(self):
        one = draw_classification(Gaussian(1.0)).inputs
        np.testing.assert_array_equal(draw_classification(Gaussian(4.0)).inputs, 4 * one)

    def test_float32_is_rounded_float64(self):
        wide, narrow = (draw_classification(dtype=t).inputs for t in (np.float64, np.float32))
        np.testing.assert_array_equal(narrow, wide.astype(np.float32))


class TestAnisotropic:
    def test_deviations(self):
        law = Anisotropic(sigma=3.0, condition=16.0)
        deviations = law.deviations(5)
        np.testing.assert_allclose(deviations, [12, 6, 3, 1.5, 0.75])
        inputs = draw_classification(law, n_train=5000, d=5).inputs
        for k in range(5):
            assert_deviation(inputs[:, k], deviations[k])

    def test_condition_1_is_the_isotropic_law(self):
        law = Anisotropic(sigma=3.0, condition=1.0)
        np.testing.assert_array_equal(law.deviations(9), 3.0)

    def test_axes_are_uncorrelated(self):
        inputs = draw_classification(ALL_LAWS[1], n_train=5000, d=8).inputs
        pairs = np.corrcoef(inputs.T)[np.triu_indices(8, 1)]
        assert np.sum(pairs**2) * 5000 < stats.chi2.isf(ALPHA, len(pairs))


class TestMixture:
    law = Mixture(sigma=0.01, mixture_mean=2.0)

    def test_half_of_the_samples_on_each_side(self):
        inputs = draw_classification(self.law, n_train=4000, d=4).inputs
        right = inputs[:, 0] > 0
        assert stats.binomtest(int(right.sum()), 4000, 0.5).pvalue > ALPHA
        assert_normal(inputs[right, 0], 2.0, 0.01)
        assert_normal(inputs[~right, 0], -2.0, 0.01)
        assert_deviation(inputs[:, 1:], 0.01)

    def test_sides_do_not_alternate(self):
        right = draw_classification(self.law, n_train=4000, d=1).inputs[:, 0] > 0
        changes = int(np.sum(right[1:] != right[:-1]))
        assert stats.binomtest(changes, 3999, 0.5).pvalue > ALPHA


class TestTwoGaussians:
    law = TwoGaussians(sigma=2.0, mu=0.2, sigma_a=0.05)

    def test_law(self):
        inputs = draw_classification(self.law, n_train=4000, d=5).inputs
        assert_normal(inputs[:, 0], -0.2, 0.05)
        assert_deviation(inputs[:, 1:], 2.0)

    def test_no_spread_along_the_axis(self):
        inputs = draw_classification(TwoGaussians(1.0, 0.2, 0.0)).inputs
        np.testing.assert_array_equal(inputs[:, 0], -0.2)

    def test_spreads_along_the_axis_are_paired(self):
        narrow = draw_classification(TwoGaussians(1.0, 0.2, 0.01)).inputs
        wide = draw_classification(TwoGaussians(1.0, 0.2, 0.1)).inputs
        np.testing.assert_allclose(wide[:, 0] + 0.2, 10 * (narrow[:, 0] + 0.2), atol=1e-15)
        np.testing.assert_array_equal(wide[:, 1:], narrow[:, 1:])

    def test_reflected_classes_are_one(self):
        # Sampling labels y and x ~ N(y mu e1, ...) and taking -y x gives this law.
        rng = np.random.default_rng(7)
        y = rng.choice([-1, 1], size=4000)
        first = y * self.law.mu + self.law.sigma_a * rng.normal(size=4000)
        drawn = draw_classification(self.law, n_train=4000, d=2).inputs[:, 0]
        assert stats.ks_2samp(-y * first, drawn).pvalue > ALPHA


class TestLabels:
    @pytest.mark.parametrize("fraction", [0.95, 0.5])
    def test_fraction(self, fraction):
        labels = draw_classification(n_train=10_000, d=1, label_fraction=fraction).labels
        assert set(np.unique(labels)) == {-1.0, 1.0}
        negative = int(np.sum(labels == -1))
        assert stats.binomtest(negative, 10_000, fraction).pvalue > ALPHA

    def test_positive_sets_are_nested(self):
        positive = [
            draw_classification(label_fraction=fraction).labels == 1
            for fraction in (1.0, 0.99, 0.95, 0.5, 0.0)
        ]
        for larger, smaller in itertools.pairwise(positive):
            assert (smaller >= larger).all()
        assert not positive[0].any() and positive[-1].all()

    def test_labels_do_not_see_the_inputs(self):
        data = draw_classification(n_train=10_000, d=2, label_fraction=0.5)
        correlation = np.corrcoef(data.labels, data.inputs[:, 0])[0, 1]
        assert abs(correlation) * np.sqrt(10_000) < stats.norm.isf(ALPHA / 2)


class TestThresholdLabels:
    @pytest.mark.parametrize("fraction", [0.95, 0.5, 0.2])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_first_coordinate_decides(self, fraction, dtype):
        data = draw_classification(n_train=10_000, d=2, dtype=dtype)
        decided = with_threshold_labels(data, fraction, 5.0)
        assert decided.labels.dtype == dtype and decided.inputs is data.inputs
        assert set(np.unique(decided.labels)) == {-1.0, 1.0}
        first = data.inputs[:, 0]
        assert first[decided.labels < 0].max() < first[decided.labels > 0].min()
        negative = int(np.sum(decided.labels == -1))
        assert stats.binomtest(negative, 10_000, fraction).pvalue > ALPHA

    def test_positive_sets_are_nested_and_empty_at_one(self):
        data = draw_classification()
        positive = [with_threshold_labels(data, r, 5.0).labels > 0 for r in (1.0, 0.9, 0.5)]
        assert not positive[0].any()
        for larger, smaller in itertools.pairwise(positive):
            assert (smaller >= larger).all() and smaller.sum() > larger.sum()


class TestInitialWeights:
    def test_direction_is_the_same_whatever_the_norm(self):
        one, five = (draw_classification(s0_norm=norm).weights for norm in (1.0, 5.0))
        np.testing.assert_allclose(five, 5 * one, rtol=1e-14)
        np.testing.assert_array_equal(draw_classification(s0_norm=0.0).weights, 0)

    def test_direction_is_uniform(self):
        # For d = 3 every coordinate of a uniform direction is uniform on [-1, 1].
        coordinates = [
            draw_classification(n_train=1, d=3, s0_norm=1.0, realization=r).weights[0]
            for r in range(2000)
        ]
        assert stats.kstest(coordinates, stats.uniform(-1, 2).cdf).pvalue > ALPHA

    def test_direction_does_not_see_the_inputs(self):
        projections = []
        for r in range(2000):
            data = draw_classification(Gaussian(1.0), n_train=1, d=3, s0_norm=1.0, realization=r)
            projections.append(data.inputs[0] @ data.weights)
        assert_normal(projections, 0, 1)


def arrays_of(data):
    """All arrays of drawn data, in order; None for what there is not."""
    return [
        array
        for part in vars(data).values()
        for array in (part if isinstance(part, tuple) else (part,))
    ]


DRAWS = pytest.mark.parametrize(
    "draw",
    [
        lambda **changes: draw_teacher_student(n_gen=5, noise=0.1, **changes),
        lambda **changes: draw_teacher_student(n_gen=5, widths=(40, 3), **changes),
        lambda **changes: draw_classification(n_gen=5, **changes),
        lambda **changes: draw_classification(dtype=np.float32, **changes),
    ],
    ids=["two layers with noise", "one layer", "classification", "without fresh inputs"],
)


@DRAWS
class TestStacked:
    def test_several_have_a_leading_axis_in_their_order(self, draw):
        drawn = [draw(realization=k) for k in (4, 0, 2)]
        together = stacked(drawn)
        assert type(together) is type(drawn[0])
        for k, each in enumerate(drawn):
            for whole, part in zip(arrays_of(together), arrays_of(each), strict=True):
                assert (whole is None) == (part is None)
                if part is not None:
                    assert whole.shape == (3, *part.shape) and whole.dtype == part.dtype
                    np.testing.assert_array_equal(whole[k], part)

    def test_a_single_one_is_not_copied(self, draw):
        one = draw()
        for whole, part in zip(arrays_of(stacked([one])), arrays_of(one), strict=True):
            if part is not None:
                assert whole.shape == (1, *part.shape)
                assert np.shares_memory(whole, part)

    @pytest.mark.parametrize("count", [1, 2])
    def test_every_array_is_put_where_it_is_needed(self, draw, count):
        import torch

        drawn = [draw(realization=k) for k in range(count)]
        plain, put = stacked(drawn), stacked(drawn, torch.from_numpy)
        for array, tensor in zip(arrays_of(plain), arrays_of(put), strict=True):
            assert (tensor is None) == (array is None)
            if array is not None:
                assert isinstance(tensor, torch.Tensor)
                np.testing.assert_array_equal(tensor.numpy(), array)


def draw_addition(**changes):
    arguments = {"seed": 1, "realization": 0, "p": 7, "n_train": 20, "d_h": 300, "alpha": 0.3}
    return modular_addition(**arguments | changes)


class TestModularAddition:
    def test_every_pair_is_there_once_with_its_sum(self):
        data = draw_addition()
        inputs = np.vstack([data.inputs, data.fresh])
        targets = np.vstack([data.targets, data.fresh_targets])
        assert data.inputs.shape == (20, 14) and data.fresh.shape == (29, 14)
        a, b, c = inputs[:, :7].argmax(1), inputs[:, 7:].argmax(1), targets.argmax(1)
        assert {(a, b) for a, b in zip(a, b, strict=True)} == set(
            itertools.product(range(7), range(7))
        )
        np.testing.assert_array_equal(c, (a + b) % 7)
        for part in (inputs[:, :7], inputs[:, 7:], targets):
            assert set(np.unique(part)) == {0.0, 1.0} and (part.sum(1) == 1).all()

    def test_larger_sets_hold_smaller_ones_and_share_initial_weights(self):
        small, large = draw_addition(), draw_addition(n_train=35)
        np.testing.assert_array_equal(large.inputs[:20], small.inputs)
        for one, other in zip(small.weights, large.weights, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_initial_weights_have_their_deviation(self):
        embeddings, readout = draw_addition().weights
        assert embeddings.shape == (14, 300) and readout.shape == (300, 7)
        assert_deviation(embeddings, 0.3)
        assert_deviation(readout, 0.3)

    def test_pairs_are_chosen_alike(self):
        # Each of 49 pairs is in 20 of 49 sets: binomial counts, all within 4.5 deviations.
        counts = np.zeros(49)
        for realization in range(400):
            inputs = draw_addition(realization=realization, d_h=1).inputs
            np.add.at(counts, 7 * inputs[:, :7].argmax(1) + inputs[:, 7:].argmax(1), 1)
        share = 20 / 49
        assert np.abs(counts - 400 * share).max() < 4.5 * np.sqrt(400 * share * (1 - share))
