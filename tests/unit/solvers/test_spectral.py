"""Exact GD in the eigenbasis against literal GD, closed forms and symmetries."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ive

from linear_grokking.data.draws import stacked, teacher_student
from linear_grokking.models.linear import LinearModel
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.spectral import GradientDescent, SpectralPath, spectral

D_IN = 24
OBSERVABLES = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")
STEPS = np.array([0, 1, 2, 3, 10, 100, 1500])


def draw(
    lambda_=0.9,
    *,
    d_in=D_IN,
    d_out=1,
    noise=0.0,
    alpha=1.0,
    epsilon=0.02,
    n_gen=40,
    realization=0,
    spectral_exponent=None,
):
    data = teacher_student(
        seed=3,
        realization=realization,
        n_train=round(d_in / lambda_),
        n_gen=n_gen,
        widths=(d_in, d_out),
        noise=noise,
        alpha=alpha,
        spectral_exponent=spectral_exponent,
    )
    return LinearModel(data, epsilon), data.student[0]


def changed(model, **data):
    """Return the model on other data."""
    return replace(model, data=replace(model.data, **data))


def path_of(model, student, *, eta, gamma=0.0):
    data = model.data
    return SpectralPath(
        data.inputs, data.label_noise, (model.teacher, student), GradientDescent(eta), gamma
    )


def solve(model, student, *, eta, steps, gamma=0.0):
    """Return the observables (records,) of one realization."""
    batch = LinearModel(stacked([model.data]), model.epsilon, gamma)
    found = spectral(batch, (student[None],), eta=eta, steps=steps).require_completed()
    return {name: values[0] for name, values in found.observables.items()}


def literal_gradient_descent(model, student, eta, gamma, steps):
    """Yield the student at the steps, by the update of Paper A written out."""
    inputs = model.data.inputs
    covariance = inputs.T @ inputs / len(inputs)
    noise = 0.0
    if model.data.label_noise is not None:
        noise = inputs.T @ model.data.label_noise / len(inputs)
    scale = eta / model.d_out
    done = 0
    for step in steps:
        while done < step:
            deviation = student - model.teacher
            student = student - scale * (2 * (covariance @ deviation - noise) + gamma * student)
            done += 1
        yield student


def assert_same_as_literal(model, student, eta, gamma=0.0, steps=STEPS):
    history = solve(model, student, eta=eta, gamma=gamma, steps=steps)
    path = path_of(model, student, eta=eta, gamma=gamma)
    deviations = path.deviation(np.asarray(steps, float))
    literal = literal_gradient_descent(model, student, eta, gamma, steps)
    for k, weights in enumerate(literal):
        np.testing.assert_allclose(deviations[k], weights - model.teacher, rtol=0, atol=1e-10)
        for name, value in model.observables((weights,)).items():
            assert history[name][k] == pytest.approx(value, rel=1e-10, abs=1e-12), name


@pytest.mark.parametrize("lambda_", [0.3, 0.9, 1.0, 1.5, 6.0])
@pytest.mark.parametrize("gamma", [0.0, 0.03])
@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("d_out", [1, 3])
def test_agrees_with_literal_gradient_descent(lambda_, gamma, noise, d_out):
    model, student = draw(lambda_, d_out=d_out, noise=noise, alpha=2.0)
    assert_same_as_literal(model, student, eta=0.05, gamma=gamma)


@pytest.mark.parametrize("lambda_", [0.9, 1.5])
@pytest.mark.parametrize("gamma", [0.0, 0.03])
@pytest.mark.parametrize("d_out", [1, 3])
def test_structured_inputs_agree_with_literal_gradient_descent(lambda_, gamma, d_out):
    model, student = draw(lambda_, d_out=d_out, noise=0.05, alpha=2.0, spectral_exponent=1.5)
    assert_same_as_literal(model, student, eta=0.05, gamma=gamma)


def test_exponent_0_is_isotropic():
    isotropic, structured = (
        solve(*draw(1.5, d_out=2, spectral_exponent=p), eta=0.05, gamma=0.03, steps=STEPS)
        for p in (None, 0.0)
    )
    for name in OBSERVABLES:
        np.testing.assert_allclose(structured[name], isotropic[name], rtol=1e-12)


def test_agrees_with_the_gradient_descent_solver():
    single = [draw(0.9, d_out=2, noise=0.05, realization=k) for k in range(3)]
    data = stacked([model.data for model, _ in single])
    model = LinearModel(data, epsilon=0.02, gamma=0.03)
    literal, exact = (
        solver(model, data.student, eta=0.05, steps=STEPS).require_completed()
        for solver in (gradient_descent, spectral)
    )
    assert exact.observables.keys() == literal.observables.keys() == set(OBSERVABLES)
    for name in OBSERVABLES:
        np.testing.assert_allclose(exact.observables[name], literal.observables[name], rtol=1e-10)
    np.testing.assert_allclose(exact.params[0], literal.params[0], rtol=1e-10, atol=1e-12)
    for k, (alone, student) in enumerate(single):
        history = solve(alone, student, eta=0.05, gamma=0.03, steps=STEPS)
        for name in OBSERVABLES:
            np.testing.assert_array_equal(exact.observables[name][k], history[name])


def test_agrees_with_literal_gradient_descent_in_float64_residuals():
    model, student = draw(0.5, epsilon=1e-9, n_gen=300)
    assert_same_as_literal(model, student, eta=0.05, steps=[0, 100, 250, 300, 350, 1000])


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_large_learning_rates_oscillate_as_literal_ones(fraction, gamma):
    model, student = draw(0.5, d_out=2)
    inputs = model.data.inputs
    largest = np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[-1]
    eta = fraction * model.d_out / (largest + gamma / 2)
    assert_same_as_literal(model, student, eta, gamma)


def test_rank_deficient_inputs():
    model, student = draw(0.5, d_out=2, noise=0.05)
    inputs = model.data.inputs.copy()
    inputs[:, 5] = inputs[:, 6]
    assert_same_as_literal(changed(model, inputs=inputs), student, eta=0.05, gamma=0.01)
    model, student = draw(1.5, noise=0.05)
    inputs = model.data.inputs.copy()
    inputs[3] = inputs[4]
    assert_same_as_literal(changed(model, inputs=inputs), student, eta=0.05)


@pytest.mark.parametrize("lambda_", [0.9, 1.5])
def test_continuing_is_the_same_as_going_on(lambda_):
    model, student = draw(lambda_, d_out=2, noise=0.01)
    long, middle = 1e7, 4e6
    whole = path_of(model, student, eta=0.01, gamma=1e-6)
    halfway = model.teacher + whole.deviation(np.array([middle]))[0]
    rest = path_of(model, halfway, eta=0.01, gamma=1e-6)
    np.testing.assert_allclose(
        rest.deviation(np.array([long - middle])),
        whole.deviation(np.array([long])),
        rtol=0,
        atol=1e-10,
    )


def test_limits_of_long_training():
    forever = np.array([1e12])
    # λ > 1: what the inputs do not span stays as it was.
    model, student = draw(1.5)
    null = np.eye(D_IN) - np.linalg.pinv(model.data.inputs) @ model.data.inputs
    history = solve(model, student, eta=0.01, steps=forever)
    assert history["gen_loss"][0] == pytest.approx(
        np.sum((null @ (student - model.teacher)) ** 2), rel=1e-12
    )
    assert history["train_loss"][0] < 1e-25
    # Weight decay: ridge regression, wherever it starts.
    inputs = model.data.inputs
    labels = inputs @ model.teacher
    ridge = np.linalg.solve(
        inputs.T @ inputs + 0.5e-3 * len(inputs) * np.eye(D_IN),
        inputs.T @ labels,
    )
    history = solve(model, student, eta=0.01, gamma=1e-3, steps=forever)
    expected = model.observables((ridge,))
    for name in OBSERVABLES:
        assert history[name][0] == pytest.approx(expected[name], rel=1e-9)
    # Noisy labels, λ < 1: least squares, with the residual that it leaves.
    model, student = draw(0.5, d_out=2, noise=0.1)
    inputs = model.data.inputs
    labels = inputs @ model.teacher + model.data.label_noise
    expected = model.observables((np.linalg.lstsq(inputs, labels)[0],))
    history = solve(model, student, eta=0.01, steps=forever)
    for name in OBSERVABLES:
        assert history[name][0] == pytest.approx(expected[name], rel=1e-9)
    # Noisy labels, λ > 1: the noise is fitted as well.
    model, student = draw(1.5, noise=0.1)
    assert solve(model, student, eta=0.01, steps=forever)["train_loss"][0] < 1e-25


def test_outputs_train_as_single_outputs_with_a_smaller_rate():
    model, student = draw(0.8, d_out=4, noise=0.01)
    together = solve(model, student, eta=0.08, gamma=0.01, steps=STEPS)
    alone = []
    for k in range(4):
        column = changed(
            model,
            teacher=(model.teacher[:, [k]],),
            label_noise=model.data.label_noise[:, [k]],
        )
        alone.append(solve(column, student[:, [k]], eta=0.02, gamma=0.01, steps=STEPS))
    for name in ("train_loss", "gen_loss"):
        mean = np.mean([history[name] for history in alone], axis=0)
        np.testing.assert_allclose(together[name], mean, rtol=1e-11)


@pytest.mark.parametrize("lambda_", [0.9, 1.5])
def test_rotating_the_inputs_changes_nothing(lambda_):
    model, student = draw(lambda_, d_out=2, noise=0.01)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((D_IN, D_IN)))
    turned = changed(
        model,
        inputs=model.data.inputs @ rotation,
        fresh=model.data.fresh @ rotation,
        teacher=(rotation.T @ model.teacher,),
    )
    one = solve(model, student, eta=0.05, gamma=0.01, steps=STEPS)
    other = solve(turned, rotation.T @ student, eta=0.05, gamma=0.01, steps=STEPS)
    for name in OBSERVABLES:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-10)


def test_average_is_the_large_size_formula():
    # L_tr = e^{-4η(1+λ)t} I₁(z)/(z/2), z = 8ηt√λ (Paper A, Sec. 3).  Five standard errors
    # over the draws, 6 comparisons: false alarm 4e-6; the O(1/d_in) correction is below one.
    steps = np.array([1, 100, 1000])
    for lambda_ in (0.5, 2.0):
        losses = []
        for k in range(150):
            model, student = draw(lambda_, d_in=120, n_gen=1, realization=k)
            losses.append(solve(model, student, eta=0.001, steps=steps)["train_loss"])
        time = 0.001 * steps
        z = 8 * time * np.sqrt(lambda_)
        theory = np.exp(z - 4 * (1 + lambda_) * time) * ive(1, z) / (z / 2)
        error = np.std(losses, axis=0) / np.sqrt(len(losses))
        assert np.all(np.abs(np.mean(losses, axis=0) - theory) < 5 * error)


def test_training_loss_never_rises_without_weight_decay():
    model, student = draw(0.9, d_out=3, noise=0.05)
    history = solve(model, student, eta=0.05, steps=np.unique(np.geomspace(1, 1e12, 300).round()))
    assert np.all(np.diff(history["train_loss"]) <= 1e-15)
    assert all(np.all(np.isfinite(history[name])) for name in OBSERVABLES)


def test_diverging_learning_rate_is_named_with_its_limit():
    model, student = draw(0.5)
    inputs = model.data.inputs
    largest = np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[-1]
    limit = 1 / (largest + 0.05)
    with pytest.raises(ValueError, match=rf"eta = .*diverges.*{limit:.6g}"):
        solve(model, student, eta=1.001 * limit, gamma=0.1, steps=STEPS)
    solve(model, student, eta=0.999 * limit, gamma=0.1, steps=STEPS)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"eta": 0.0}, "eta"),
        ({"eta": np.nan}, "eta"),
        ({"gamma": -0.1}, "gamma"),
        ({"gamma": np.inf}, "gamma"),
        ({"steps": []}, "steps"),
        ({"steps": [0.5]}, "steps"),
        ({"steps": [-1]}, "steps"),
        ({"steps": [2, 1]}, "steps"),
        ({"steps": [0, np.inf]}, "steps"),
    ],
)
def test_arguments_are_checked(arguments, name):
    model, student = draw()
    with pytest.raises(ValueError, match=name):
        solve(model, student, **{"eta": 0.01, "steps": [0, 1], **arguments})


def test_needs_no_torch():
    code = "import sys, linear_grokking.solvers.spectral; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
