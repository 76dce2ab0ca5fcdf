"""What the physics leaves unchanged, and how the rest scales, for drawn problems of any kind.

Each solver and each theory is asked the same question twice, in two ways that the equations
make equal.  The exact ones must agree to rounding; the integrated flows to a few times
their tolerance, as their steps need not be the same.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from linear_grokking import data
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.solvers import spectral, two_layer_flow
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.gradient_flow import gradient_flow
from linear_grokking.theory import linear, linear_grokking_time
from linear_grokking.theory.two_point_solution import (
    log_time_to_weight,
    solution,
    weight_at_conformal_time,
)

SEEDS = st.integers(0, 2**31)
FACTORS = st.floats(0.05, 20.0)
LAMBDAS = st.sampled_from([0.3, 0.8, 1.0, 1.25, 3.0])
D_IN = 20
STEPS = np.array([0.0, 1.0, 7.0, 60.0, 500.0, 4000.0])
ACTIVATIONS = st.sampled_from(["identity", "tanh"])

few = settings(max_examples=12, deadline=None)
many = settings(max_examples=40, deadline=None)


# ---- Paper A's models ----


def linear_problem(seed, lambda_, *, d_out=2, noise=0.02, alpha=1.0, epsilon=0.01):
    drawn = data.teacher_student(
        seed=seed,
        realization=0,
        n_train=round(D_IN / lambda_),
        widths=(D_IN, d_out),
        noise=noise,
        alpha=alpha,
    )
    fresh = data.test_inputs(seed=seed, realization=0, n_gen=30, d_in=D_IN)
    return LinearModel.from_data(drawn, fresh, epsilon), drawn.student[0]


def two_layer_problem(seed, activation, n_train=30):
    drawn = data.teacher_student(seed=seed, realization=0, n_train=n_train, widths=(D_IN, 5, 2))
    fresh = data.test_inputs(seed=seed, realization=0, n_gen=30, d_in=D_IN)
    return TwoLayerModel.from_data(drawn, fresh, 1e-9, activation), drawn.student


def assert_same_losses(one, other, rtol, factor=1.0):
    for name in ("train_loss", "gen_loss"):
        expected = factor * getattr(one, name)
        atol = 1e-14 * expected.max()
        np.testing.assert_allclose(getattr(other, name), expected, rtol=rtol, atol=atol)


def assert_same_accuracies(one, other):
    for name in ("train_accuracy", "gen_accuracy"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name))


def moved(model, seed):
    """Return the model with its inputs rotated and its samples in another order."""
    rng = np.random.default_rng(seed)
    rotation = ortho_group.rvs(D_IN, random_state=rng)
    order, test_order = (rng.permutation(len(x)) for x in (model.inputs, model.test_inputs))
    changes = {
        "inputs": (model.inputs @ rotation)[order],
        "test_inputs": (model.test_inputs @ rotation)[test_order],
    }
    return rotation, order, changes


@many
@given(SEEDS, LAMBDAS, st.sampled_from([0.0, 0.05]))
def test_linear_model_rotated_and_reordered(seed, lambda_, gamma):
    model, student = linear_problem(seed, lambda_)
    rotation, order, changes = moved(model, seed)
    turned = replace(
        model,
        **changes,
        teacher=rotation.T @ model.teacher,
        label_noise=model.label_noise[order],
    )
    one = spectral.solve(model, student, eta=0.03, gamma=gamma, steps=STEPS)
    other = spectral.solve(turned, rotation.T @ student, eta=0.03, gamma=gamma, steps=STEPS)
    assert_same_losses(one, other, rtol=1e-8)
    assert_same_accuracies(one, other)


@many
@given(SEEDS, LAMBDAS, FACTORS)
def test_linear_model_in_other_units_of_its_outputs(seed, lambda_, factor):
    """Outputs in units c times smaller: ε and the losses are c² times larger."""
    model, student = linear_problem(seed, lambda_)
    scaled = replace(
        model,
        teacher=factor * model.teacher,
        label_noise=factor * model.label_noise,
        epsilon=factor**2 * model.epsilon,
    )
    one = spectral.solve(model, student, eta=0.03, steps=STEPS)
    other = spectral.solve(scaled, factor * student, eta=0.03, steps=STEPS)
    assert_same_losses(one, other, rtol=1e-9, factor=factor**2)
    assert_same_accuracies(one, other)


@many
@given(SEEDS, st.floats(0.0, 5.0))
def test_scale_of_the_initial_student(seed, alpha):
    """S₀ → αS₀ acts on the student's part of D alone, which is linear in it."""
    histories = []
    for factor in (0.0, 1.0, alpha):
        model, student = linear_problem(seed, 0.8, noise=0.0, alpha=factor)
        path = spectral.SpectralPath.of(model, student, eta=0.03)
        histories.append(path.deviation(STEPS))
    without, whole, scaled = histories
    np.testing.assert_allclose(scaled, without + alpha * (whole - without), atol=1e-12)


@few
@given(SEEDS, ACTIVATIONS)
def test_two_layer_flow_rotated_and_reordered(seed, activation):
    model, (first, second) = two_layer_problem(seed, activation)
    rotation, _, changes = moved(model, seed)
    turned = replace(model, **changes, teacher=(rotation.T @ model.teacher[0], model.teacher[1]))
    one = two_layer_flow.solve(model, (first, second), eta=0.01, steps=STEPS, rtol=1e-8)
    other = two_layer_flow.solve(
        turned, (rotation.T @ first, second), eta=0.01, steps=STEPS, rtol=1e-8
    )
    assert_same_losses(one, other, rtol=1e-6)


@few
@given(SEEDS, ACTIVATIONS, st.sampled_from([0.1, 0.5, 2.0, 10.0]))
def test_two_layer_flow_at_another_learning_rate_only_takes_longer(seed, activation, factor):
    model, student = two_layer_problem(seed, activation)
    steps = np.array([0.0, 10.0, 100.0, 3000.0])
    one = two_layer_flow.solve(model, student, eta=0.01 * factor, steps=steps, rtol=1e-8)
    other = two_layer_flow.solve(model, student, eta=0.001 * factor, steps=10 * steps, rtol=1e-8)
    assert_same_losses(one, other, rtol=1e-6)


@few
@given(SEEDS, ACTIVATIONS)
def test_two_layer_flow_with_hidden_neurons_in_another_order(seed, activation):
    model, (first, second) = two_layer_problem(seed, activation)
    order = np.random.default_rng(seed).permutation(first.shape[1])
    one = two_layer_flow.solve(model, (first, second), eta=0.01, steps=STEPS, rtol=1e-8)
    other = two_layer_flow.solve(
        model, (first[:, order], second[order]), eta=0.01, steps=STEPS, rtol=1e-8
    )
    assert_same_losses(one, other, rtol=1e-6)


# ---- Paper A's theory ----

TIMES = st.floats(0.0, 1e5)
DIMENSIONS = st.integers(1, 60)
GAMMAS = st.sampled_from([0.0, 1e-3, 0.3])
THEORY = {"lambda_": LAMBDAS, "gamma": GAMMAS, "noise": st.sampled_from([0.0, 0.05])}
LOSSES = pytest.mark.parametrize("loss", [linear.train_loss, linear.gen_loss])


@LOSSES
@many
@given(t=TIMES, factor=FACTORS, **THEORY)
def test_theory_depends_on_the_product_of_rate_and_time(loss, t, factor, **options):
    assert loss(t / factor, eta=0.01 * factor, **options) == pytest.approx(
        loss(t, eta=0.01, **options), rel=1e-11
    )


@LOSSES
@many
@given(t=TIMES, d_out=DIMENSIONS, lambda_=LAMBDAS, gamma=GAMMAS)
def test_theory_of_more_outputs_is_slower_and_smaller_by_their_number(
    loss, t, d_out, lambda_, gamma
):
    assert d_out * loss(d_out * t, lambda_, 0.01, gamma=gamma, d_out=d_out) == pytest.approx(
        loss(t, lambda_, 0.01, gamma=gamma), rel=1e-11, abs=1e-300
    )


@LOSSES
@many
@given(t=TIMES, alpha=st.floats(0.0, 10.0), lambda_=LAMBDAS)
def test_theory_of_another_initial_scale(loss, t, alpha, lambda_):
    assert loss(t, lambda_, 0.01, alpha=alpha) == pytest.approx(
        (1 + alpha**2) / 2 * loss(t, lambda_, 0.01), rel=1e-11, abs=1e-300
    )


TIME_LAWS = pytest.mark.parametrize(
    "time", [linear_grokking_time.train_time, linear_grokking_time.gen_time]
)


@TIME_LAWS
@many
@given(factor=FACTORS, alpha=st.floats(0.0, 5.0), d_out=DIMENSIONS, epsilon=st.floats(1e-6, 0.1))
def test_grokking_times_depend_on_epsilon_over_the_initial_loss(
    time, factor, alpha, d_out, epsilon
):
    expected = time(0.8, 0.01, epsilon, d_out=d_out)
    loss = (1 + alpha**2) / 2
    assert time(0.8, 0.01, loss * epsilon, d_out=d_out, alpha=alpha) == pytest.approx(
        expected, rel=1e-7
    )
    assert factor * time(0.8, 0.01 * factor, epsilon, d_out=d_out) == pytest.approx(
        expected, rel=1e-7
    )


@LOSSES
@many
@given(lambda_=LAMBDAS, gamma=GAMMAS, alpha=st.floats(0.0, 3.0))
def test_noiseless_theory_never_rises(loss, lambda_, gamma, alpha):
    if loss is linear.gen_loss and gamma > 0 and alpha < 1:
        return  # a small student first has to grow: decay and teacher pull apart
    t = np.concatenate([[0.0], np.geomspace(0.1, 1e7, 200)])
    losses = loss(t, lambda_, 0.01, gamma=gamma, alpha=alpha)
    assert np.all(np.diff(losses) <= 1e-12 * losses[:-1])


@many
@given(t=st.floats(1.0, 1e4), lambda_=LAMBDAS)
def test_generalization_falls_at_the_rate_of_the_training_loss(t, lambda_):
    """dL_gen/dt = -4η L_tr, by a central difference of fourth order."""
    h = 0.25 / (1.0 + np.sqrt(lambda_)) ** 2  # a hundredth of the fastest mode's time
    at = [linear.gen_loss(t + k * h, lambda_, 0.01) for k in (-2, -1, 1, 2)]
    slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
    expected = -0.04 * linear.train_loss(t, lambda_, 0.01)
    assert slope == pytest.approx(expected, rel=1e-6, abs=1e-13 * at[0] / h)


# ---- Paper B's model ----


def logistic_problem(seed, *, d=12, n_train=40, sigma=3.0, **options):
    law = data.Gaussian(sigma)
    drawn = data.classification(
        law, seed=seed, realization=0, n_train=n_train, d=d, s0_norm=0.1, label_fraction=0.9
    )
    model = LogisticModel(drawn.inputs[None], drawn.labels[None], law, **options)
    return model, (drawn.weights[None].astype(float), np.zeros(1)), drawn


def follow(model, params, *, eta, steps, rtol=1e-6):
    flow = gradient_flow(model, params, eta=eta, steps=steps, gd_steps=0, rtol=rtol)
    return flow.require_completed()


def assert_same_flows(one, other, names, rtol=1e-4, atol=1e-5):
    for name in names:
        np.testing.assert_allclose(
            other.observables[name], one.observables[name], rtol=rtol, atol=atol
        )


@few
@given(SEEDS)
def test_logistic_flow_rotated_and_reordered(seed):
    model, (weights, bias), drawn = logistic_problem(seed)
    rng = np.random.default_rng(seed)
    rotation, order = ortho_group.rvs(12, random_state=rng), rng.permutation(40)
    turned = LogisticModel(
        (drawn.inputs[order] @ rotation)[None], drawn.labels[order][None], data.Gaussian(3.0)
    )
    one = follow(model, (weights, bias), eta=0.01, steps=STEPS)
    other = follow(turned, (weights @ rotation, bias), eta=0.01, steps=STEPS)
    assert_same_flows(one, other, ["train_loss", "gen_loss", "weight_norm", "bias"])


@few
@given(SEEDS, FACTORS)
def test_logistic_flow_at_another_learning_rate_only_takes_longer(seed, factor):
    model, params, _ = logistic_problem(seed)
    one = follow(model, params, eta=0.01, steps=STEPS)
    other = follow(model, params, eta=0.01 * factor, steps=STEPS / factor)
    assert_same_flows(one, other, ["train_loss", "gen_loss", "weight_norm", "bias"])


@few
@given(SEEDS, st.floats(0.1, 10.0))
def test_without_bias_the_scale_of_the_inputs_is_one_of_time(seed, sigma):
    """σS obeys the equations of σ = 1 at the learning rate ησ² (Paper B)."""
    unit, (weights, bias), drawn = logistic_problem(seed, sigma=1.0, bias=False)
    scaled = LogisticModel(
        sigma * drawn.inputs[None], drawn.labels[None], data.Gaussian(sigma), bias=False
    )
    one = follow(unit, (weights, bias), eta=0.1, steps=STEPS)
    other = follow(scaled, (weights / sigma, bias), eta=0.1 / sigma**2, steps=STEPS)
    assert_same_flows(one, other, ["train_loss", "gen_loss", "train_accuracy", "gen_accuracy"])
    norms = one.observables["weight_norm"], other.observables["weight_norm"]
    np.testing.assert_allclose(sigma * norms[1], norms[0], rtol=1e-4)


@few
@given(SEEDS, st.floats(-2.0, 2.0))
def test_path_in_conformal_time_knows_no_bias(seed, b0):
    """With the exponential loss and one label S(τ) is the path without a bias (Paper B)."""
    law = data.Gaussian(3.0)
    drawn = data.classification(law, seed=seed, realization=0, n_train=40, d=12, s0_norm=0.1)
    inputs, labels = drawn.inputs[None], drawn.labels[None]
    weights = drawn.weights[None].astype(float)
    biased = LogisticModel(inputs, labels, law, loss="exponential")
    free = LogisticModel(inputs, labels, law, loss="exponential", bias=False)
    one = follow(biased, (weights, np.array([b0])), eta=0.01, steps=np.array([0.0, 30.0, 1e4]))
    tau = one.observables["conformal_time"][0, -1]
    other = follow(free, (weights, np.zeros(1)), eta=0.01, steps=np.array([tau]))
    np.testing.assert_allclose(one.params[0], other.params[0], rtol=1e-3, atol=1e-4)


@few
@given(SEEDS, st.sampled_from(["cross_entropy", "exponential"]), st.sampled_from([5, 12, 30]))
def test_logistic_training_loss_never_rises(seed, loss, d):
    model, params, _ = logistic_problem(seed, d=d, loss=loss)
    steps = np.concatenate([[0.0], np.geomspace(0.1, 1e8, 150)])
    losses = follow(model, params, eta=0.01, steps=steps, rtol=1e-4).observables["train_loss"]
    assert np.all(np.diff(losses) <= 1e-6 * losses[:, :-1])


@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_descent_converges_to_the_flow_at_first_order(kind):
    """The distance at a fixed ηt is a straight line of slope 1 in log η."""
    t, etas = 6.4, np.array([0.04, 0.02, 0.01, 0.005])
    if kind == "logistic":
        model, params, _ = logistic_problem(3, sigma=1.0)
        flow = follow(model, params, eta=1.0, steps=np.array([t]), rtol=1e-9).params
    else:
        single, student = linear_problem(3, 0.8)
        fields = ("inputs", "label_noise", "teacher", "test_inputs")
        model = replace(single, **{name: getattr(single, name)[None] for name in fields})
        params = (student[None],)
        # Exact, and the flow to 1e-9: descent at a rate so small.
        path = spectral.SpectralPath.of(single, student, eta=1e-9)
        flow = ((single.teacher + path.deviation(np.array([t * 1e9]))[0])[None],)
    errors = []
    for eta in etas:
        found = gradient_descent(model, params, eta=eta, steps=np.array([round(t / eta)])).params
        squares = [np.sum((a - b) ** 2) for a, b in zip(found, flow, strict=True)]
        errors.append(np.sqrt(sum(squares)))
    slope = np.polyfit(np.log(etas), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)


# ---- the two-point model, exactly ----

START = {"s0": st.floats(-3.0, 3.0), "b0": st.floats(-3.0, 3.0)}
TWO_POINT = {"lambda_": st.sampled_from([0.0, 0.1, 0.45, 0.5, 0.6, 1.0]), **START}
LOG_TIMES = st.floats(-5.0, 200.0)


@many
@given(log_t=LOG_TIMES, factor=FACTORS, **TWO_POINT)
def test_two_point_solution_at_another_learning_rate_only_takes_longer(log_t, factor, **start):
    one = solution(log_t, eta=0.01, sigma=2.0, **start)
    other = solution(log_t - np.log(factor), eta=0.01 * factor, sigma=2.0, **start)
    assert other.weight == pytest.approx(one.weight, rel=1e-8, abs=1e-9)
    assert other.bias == pytest.approx(one.bias, rel=1e-8, abs=1e-8)
    assert other.log_conformal_time + np.log(factor) == pytest.approx(
        one.log_conformal_time, rel=1e-7, abs=1e-7
    )


@many
@given(log_t=LOG_TIMES, **TWO_POINT)
def test_two_point_weight_in_conformal_time_knows_no_bias(log_t, lambda_, s0, b0):
    at = solution(log_t, lambda_, 2.0, 0.01, s0, b0)
    free = weight_at_conformal_time(np.exp(at.log_conformal_time), lambda_, 2.0, 0.01, s0)
    assert free == pytest.approx(float(at.weight), rel=1e-6, abs=1e-7)


@many
@given(tau=st.floats(0.0, 1e6), sigma=FACTORS, lambda_=TWO_POINT["lambda_"], s0=START["s0"])
def test_two_point_scale_of_the_inputs_is_one_of_conformal_time(tau, sigma, lambda_, s0):
    unit = weight_at_conformal_time(tau, lambda_, 1.0, 0.01, s0)
    scaled = weight_at_conformal_time(tau, lambda_, sigma, 0.01 / sigma**2, s0 / sigma)
    assert sigma * scaled == pytest.approx(float(unit), rel=1e-8, abs=1e-9)


@many
@given(shift=st.floats(-5.0, 5.0), fraction=st.floats(0.05, 0.95), **TWO_POINT)
def test_two_point_shift_of_the_bias_is_one_of_log_time(shift, fraction, lambda_, s0, b0):
    """b → b + c and t → e^{-c}t leave the equations unchanged."""
    end = solution(20.0, lambda_, 2.0, 0.01, s0, b0).weight
    assume(abs(end - s0) > 1e-9)
    weight = s0 + fraction * (float(end) - s0)
    times = [log_time_to_weight(weight, lambda_, 2.0, 0.01, s0, b) for b in (b0, b0 + shift)]
    assert times[1] + shift == pytest.approx(float(times[0]), rel=1e-8, abs=1e-8)
