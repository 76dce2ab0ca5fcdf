"""The one-layer model against matrix formulas, finite differences and population limits."""

import numpy as np
import pytest
from scipy.special import erf, gammainc

from linear_grokking.data.draws import stacked, teacher_student
from linear_grokking.models.linear import LinearModel


def draw(*, d_in=20, d_out=3, epsilon=0.1, gamma=0.0, seed=5, **options):
    sizes = {"n_train": 30, "n_gen": 50} | options
    data = teacher_student(seed=seed, realization=0, widths=(d_in, d_out), **sizes)
    return LinearModel(data, epsilon, gamma), data.student


def test_losses_are_the_quadratic_forms():
    model, (student,) = draw()
    deviation = student - model.teacher
    inputs = model.data.inputs
    covariance = inputs.T @ inputs / len(inputs)
    observed = model.observables((student,))
    assert observed["train_loss"] == pytest.approx(
        np.trace(deviation.T @ covariance @ deviation) / 3, rel=1e-12
    )
    assert observed["gen_loss"] == pytest.approx(np.trace(deviation.T @ deviation) / 3, rel=1e-12)


def test_training_is_measured_on_the_noisy_labels():
    model, (student,) = draw(noise=0.2)
    errors = [
        np.mean((x @ student - (x @ model.teacher + noise)) ** 2)
        for x, noise in zip(model.data.inputs, model.data.label_noise, strict=True)
    ]
    observed = model.observables((student,))
    assert observed["train_loss"] == pytest.approx(np.mean(errors), rel=1e-12)
    assert model.loss((student,)) == pytest.approx(np.mean(errors), rel=1e-12)
    assert observed["train_accuracy"] == np.mean(np.array(errors) <= model.epsilon)
    assert 0 < observed["train_accuracy"] < 1


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_gradient_is_the_difference_quotient(noise):
    model, (student,) = draw(noise=noise)
    (gradient,) = model.gradient((student,))
    # The loss is quadratic: a central difference with any stride is exact.
    for i in range(0, 20, 7):
        for j in range(3):
            unit = np.zeros_like(student)
            unit[i, j] = 1.0
            quotient = (model.loss((student + unit,)) - model.loss((student - unit,))) / 2
            assert gradient[i, j] == pytest.approx(quotient, abs=1e-12)


@pytest.mark.parametrize("d_out", [1, 4])
def test_generalization_is_that_of_the_population(d_out):
    # Accuracy at fixed D: errors are (L_gen/d_out) χ²(d_out) if the columns of D are
    # orthonormal up to a factor.  Five standard errors: false alarm 1e-6 per comparison.
    n_gen = 20_000
    model, _ = draw(d_out=d_out, n_gen=n_gen, epsilon=0.5)
    columns, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((20, d_out)))
    observed = model.observables((model.teacher + columns,))
    expected = gammainc(d_out / 2, d_out * model.epsilon / (2 * observed["gen_loss"]))
    if d_out == 1:
        assert expected == pytest.approx(erf(np.sqrt(model.epsilon / 2 / observed["gen_loss"])))
    spread = np.sqrt(expected * (1 - expected) / n_gen)
    assert abs(observed["gen_accuracy"] - expected) < 5 * spread
    sampled = np.mean((model.data.fresh @ columns) ** 2, axis=1)
    assert abs(sampled.mean() - observed["gen_loss"]) < 5 * sampled.std() / np.sqrt(n_gen)


def test_generalization_on_structured_inputs_is_that_of_their_population():
    # Five standard errors, as above.
    n_gen = 20_000
    model, (student,) = draw(d_out=2, n_gen=n_gen, spectral_exponent=2.0)
    deviation = student - model.teacher
    observed = model.observables((student,))
    covariance = np.diag(3 * ((np.arange(20) + 0.5) / 20) ** 2)
    expected = np.trace(deviation.T @ covariance @ deviation) / 2
    assert observed["gen_loss"] == pytest.approx(expected, rel=1e-12)
    sampled = np.mean((model.data.fresh @ deviation) ** 2, axis=1)
    assert abs(sampled.mean() - expected) < 5 * sampled.std() / np.sqrt(n_gen)


def test_initial_loss_is_one_over_d_out():
    # L_gen(0) averages to (1+α²)/(2 d_out); five standard errors.
    for alpha, d_out in [(1.0, 1), (1.0, 5), (2.0, 5)]:
        losses = []
        for seed in range(200):
            model, student = draw(alpha=alpha, d_out=d_out, seed=seed, n_train=1, n_gen=1)
            losses.append(model.observables(student)["gen_loss"])
        error = np.std(losses) / np.sqrt(len(losses))
        assert abs(np.mean(losses) - (1 + alpha**2) / (2 * d_out)) < 5 * error


def test_realizations_lead_in_numpy_and_torch():
    import torch

    single = [draw(seed=seed, noise=0.1) for seed in range(3)]
    for convert in (np.asarray, torch.as_tensor):
        data = stacked([model.data for model, _ in single], convert)
        batch = LinearModel(data, epsilon=0.1)
        (gradient,) = batch.gradient(data.student)
        observed = batch.observables(data.student)
        for k, (model, student) in enumerate(single):
            np.testing.assert_allclose(gradient[k], model.gradient(student)[0], rtol=1e-12)
            for name, value in model.observables(student).items():
                assert float(observed[name][k]) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, np.inf, np.nan])
def test_threshold_is_checked(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        draw(epsilon=epsilon)


@pytest.mark.parametrize("gamma", [-0.1, np.inf, np.nan])
def test_weight_decay_is_checked(gamma):
    with pytest.raises(ValueError, match=r"gamma = .*must be a finite number, at least 0"):
        draw(gamma=gamma)


def test_weight_decay_is_shared_by_the_outputs():
    model, student = draw(gamma=0.6, d_out=3)
    assert model.weight_decay == pytest.approx(0.2, rel=1e-15)
    without, _ = draw(d_out=3)
    assert without.weight_decay == 0
    # The solver adds the force: neither loss nor gradient knows of it.
    np.testing.assert_array_equal(model.gradient(student)[0], without.gradient(student)[0])
    assert model.loss(student) == without.loss(student)


@pytest.mark.parametrize(("epsilon", "precision"), [(1e-7, np.float32), (1e-8, np.float64)])
def test_inputs_are_as_narrow_as_the_threshold_allows(epsilon, precision):
    model, _ = draw(epsilon=epsilon, noise=0.1)
    narrow = model.in_working_precision()
    assert type(narrow) is LinearModel and narrow.working_precision is precision
    for name in ("inputs", "fresh"):
        wide, found = (getattr(each.data, name) for each in (model, narrow))
        np.testing.assert_array_equal(found, wide.astype(precision))
        assert found.dtype == precision
        assert np.shares_memory(found, wide) == (precision is np.float64)
    assert narrow.data.label_noise is model.data.label_noise
    assert narrow.data.teacher is model.data.teacher
    assert (narrow.epsilon, narrow.gamma) == (model.epsilon, model.gamma)
