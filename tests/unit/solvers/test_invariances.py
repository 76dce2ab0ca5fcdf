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

from linear_grokking.data.draws import classification, stacked, teacher_student
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.solvers import two_layer_flow
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.log_flow.flow import gradient_flow
from linear_grokking.solvers.separability import assess
from linear_grokking.solvers.spectral import GradientDescent, SpectralPath, spectral
from linear_grokking.theory import linear, linear_grokking_time
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.two_point import TwoPoint
from linear_grokking.theory.two_point_orbit import (
    coordinate,
    log_conformal_time,
    log_time,
    point,
)
from linear_grokking.theory.two_point_solution import first_root, orbits, solution

SEEDS = st.integers(0, 2**31)
FACTORS = st.floats(0.05, 20.0)
LAMBDAS = st.sampled_from([0.3, 0.8, 1.0, 1.25, 3.0])
D_IN = 20
STEPS = np.array([0.0, 1.0, 7.0, 60.0, 500.0, 4000.0])
ACTIVATIONS = st.sampled_from(["identity", "tanh"])

few = settings(max_examples=12, deadline=None)
many = settings(max_examples=40, deadline=None)


# ---- Paper A's models ----


def linear_problem(seed, lambda_, *, noise=0.02, alpha=1.0, gamma=0.0):
    n_train = round(D_IN / lambda_)
    data = draw(seed, n_train=n_train, widths=(D_IN, 2), noise=noise, alpha=alpha)
    return LinearModel(data, 0.01, gamma), data.student[0]


def two_layer_problem(seed, activation):
    data = draw(seed, n_train=30, widths=(D_IN, 5, 2))
    return TwoLayerModel(data, 1e-9, activation=activation), data.student


def draw(seed, **sizes):
    return stacked([teacher_student(seed=seed, realization=0, n_gen=30, **sizes)])


def changed(model, **data):
    """Return the model on other data."""
    return replace(model, data=replace(model.data, **data))


def descend(model, student, eta=0.03):
    return spectral(model, (student,), eta=eta, steps=STEPS).require_completed()


def flow_of(model, student, *, eta=0.01, steps=STEPS):
    found = two_layer_flow.gradient_flow(model, student, eta=eta, steps=steps, rtol=1e-8)
    return found.require_completed()


def path_of(model, student, eta):
    """Return the exact path of the only realization."""
    (inputs,), (teacher,), (start,) = model.data.inputs, model.teacher, student
    noise = None if model.data.label_noise is None else model.data.label_noise[0]
    return SpectralPath(inputs, noise, (teacher, start), GradientDescent(eta), model.gamma)


def assert_same_losses(one, other, rtol, factor=1.0):
    for name in ("train_loss", "gen_loss"):
        expected = factor * one.observables[name]
        atol = 1e-14 * expected.max()
        np.testing.assert_allclose(other.observables[name], expected, rtol=rtol, atol=atol)


def assert_same_accuracies(one, other):
    for name in ("train_accuracy", "gen_accuracy"):
        np.testing.assert_array_equal(other.observables[name], one.observables[name])


def moved(model, seed):
    """Return how to rotate the model's inputs and reorder its samples, and those inputs."""
    rng = np.random.default_rng(seed)
    rotation = ortho_group.rvs(D_IN, random_state=rng)
    inputs, fresh = model.data.inputs, model.data.fresh
    order, fresh_order = (rng.permutation(x.shape[1]) for x in (inputs, fresh))
    changes = {
        "inputs": (inputs @ rotation)[:, order],
        "fresh": (fresh @ rotation)[:, fresh_order],
    }
    return rotation, order, changes


@many
@given(SEEDS, LAMBDAS, st.sampled_from([0.0, 0.05]))
def test_linear_model_rotated_and_reordered(seed, lambda_, gamma):
    model, student = linear_problem(seed, lambda_, gamma=gamma)
    rotation, order, changes = moved(model, seed)
    turned = changed(
        model,
        **changes,
        teacher=(rotation.T @ model.teacher,),
        label_noise=model.data.label_noise[:, order],
    )
    one, other = descend(model, student), descend(turned, rotation.T @ student)
    assert_same_losses(one, other, rtol=1e-8)
    assert_same_accuracies(one, other)


@many
@given(SEEDS, LAMBDAS, FACTORS)
def test_linear_model_in_other_units_of_its_outputs(seed, lambda_, factor):
    """Outputs in units c times smaller: ε and the losses are c² times larger."""
    model, student = linear_problem(seed, lambda_)
    scaled = changed(
        replace(model, epsilon=factor**2 * model.epsilon),
        teacher=(factor * model.teacher,),
        label_noise=factor * model.data.label_noise,
    )
    one, other = descend(model, student), descend(scaled, factor * student)
    assert_same_losses(one, other, rtol=1e-9, factor=factor**2)
    assert_same_accuracies(one, other)


@many
@given(SEEDS, st.floats(0.0, 5.0))
def test_scale_of_the_initial_student(seed, alpha):
    """S₀ → αS₀ acts on the student's part of D alone, which is linear in it."""
    histories = []
    for factor in (0.0, 1.0, alpha):
        model, student = linear_problem(seed, 0.8, noise=0.0, alpha=factor)
        histories.append(path_of(model, student, eta=0.03).deviation(STEPS))
    without, whole, scaled = histories
    np.testing.assert_allclose(scaled, without + alpha * (whole - without), atol=1e-12)


@few
@given(SEEDS, ACTIVATIONS)
def test_two_layer_flow_rotated_and_reordered(seed, activation):
    model, (first, second) = two_layer_problem(seed, activation)
    rotation, _, changes = moved(model, seed)
    teacher = rotation.T @ model.data.teacher[0], model.data.teacher[1]
    turned = changed(model, **changes, teacher=teacher)
    one, other = flow_of(model, (first, second)), flow_of(turned, (rotation.T @ first, second))
    assert_same_losses(one, other, rtol=1e-6)


@few
@given(SEEDS, ACTIVATIONS, st.sampled_from([0.1, 0.5, 2.0, 10.0]))
def test_two_layer_flow_at_another_learning_rate_only_takes_longer(seed, activation, factor):
    model, student = two_layer_problem(seed, activation)
    steps = np.array([0.0, 10.0, 100.0, 3000.0])
    one = flow_of(model, student, eta=0.01 * factor, steps=steps)
    other = flow_of(model, student, eta=0.001 * factor, steps=10 * steps)
    assert_same_losses(one, other, rtol=1e-6)


@few
@given(SEEDS, ACTIVATIONS)
def test_two_layer_flow_with_hidden_neurons_in_another_order(seed, activation):
    model, (first, second) = two_layer_problem(seed, activation)
    order = np.random.default_rng(seed).permutation(first.shape[-1])
    one = flow_of(model, (first, second))
    other = flow_of(model, (first[:, :, order], second[:, order]))
    assert_same_losses(one, other, rtol=1e-6)


# ---- Paper A's theory ----

TIMES = st.floats(0.0, 1e5)
DIMENSIONS = st.integers(1, 60)
GAMMAS = st.sampled_from([0.0, 1e-3, 0.3])
THEORY = {"lambda_": LAMBDAS, "gamma": GAMMAS, "noise": st.sampled_from([0.0, 0.05])}
LOSS_LAWS = pytest.mark.parametrize("loss", [linear.train_loss, linear.gen_loss])


@LOSS_LAWS
@many
@given(t=TIMES, factor=FACTORS, **THEORY)
def test_theory_depends_on_the_product_of_rate_and_time(loss, t, factor, **options):
    assert loss(t / factor, Problem(eta=0.01 * factor, **options)) == pytest.approx(
        loss(t, Problem(eta=0.01, **options)), rel=1e-11
    )


@LOSS_LAWS
@many
@given(t=TIMES, d_out=DIMENSIONS, lambda_=LAMBDAS, gamma=GAMMAS)
def test_theory_of_more_outputs_is_slower_and_smaller_by_their_number(
    loss, t, d_out, lambda_, gamma
):
    one, many_outputs = (Problem(lambda_, 0.01, gamma, n) for n in (1, d_out))
    assert d_out * loss(d_out * t, many_outputs) == pytest.approx(
        loss(t, one), rel=1e-11, abs=1e-300
    )


@LOSS_LAWS
@many
@given(t=TIMES, alpha=st.floats(0.0, 10.0), lambda_=LAMBDAS)
def test_theory_of_another_initial_scale(loss, t, alpha, lambda_):
    assert loss(t, Problem(lambda_, 0.01, alpha=alpha)) == pytest.approx(
        (1 + alpha**2) / 2 * loss(t, Problem(lambda_, 0.01)), rel=1e-11, abs=1e-300
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
    problem = Problem(0.8, 0.01, d_out=d_out)
    expected = time(problem, epsilon)
    loss = (1 + alpha**2) / 2
    assert time(replace(problem, alpha=alpha), loss * epsilon) == pytest.approx(expected, rel=1e-7)
    assert factor * time(replace(problem, eta=0.01 * factor), epsilon) == pytest.approx(
        expected, rel=1e-7
    )


@LOSS_LAWS
@many
@given(lambda_=LAMBDAS, gamma=GAMMAS, alpha=st.floats(0.0, 3.0))
def test_noiseless_theory_never_rises(loss, lambda_, gamma, alpha):
    if loss is linear.gen_loss and gamma > 0 and alpha < 1:
        return  # a small student first has to grow: decay and teacher pull apart
    t = np.concatenate([[0.0], np.geomspace(0.1, 1e7, 200)])
    losses = loss(t, Problem(lambda_, 0.01, gamma, alpha=alpha))
    assert np.all(np.diff(losses) <= 1e-12 * losses[:-1])


@many
@given(t=st.floats(1.0, 1e4), lambda_=LAMBDAS)
def test_generalization_falls_at_the_rate_of_the_training_loss(t, lambda_):
    """dL_gen/dt = -4η L_tr, by a central difference of fourth order."""
    h = 0.25 / (1.0 + np.sqrt(lambda_)) ** 2  # a hundredth of the fastest mode's time
    problem = Problem(lambda_, 0.01)
    at = [linear.gen_loss(t + k * h, problem) for k in (-2, -1, 1, 2)]
    slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
    expected = -0.04 * linear.train_loss(t, problem)
    assert slope == pytest.approx(expected, rel=1e-6, abs=1e-13 * at[0] / h)


# ---- Paper B's model ----


def logistic_problem(seed, *, d=12, sigma=3.0, label_fraction=0.9, **options):
    sizes = {"n_train": 40, "d": d, "s0_norm": 0.1, "label_fraction": label_fraction}
    data = stacked([classification(Gaussian(sigma), seed=seed, realization=0, **sizes)])
    model = logistic_model(data.inputs, data.labels, sigma, **options)
    return model, (data.weights, np.zeros(1)), data


def logistic_model(inputs, labels, sigma=3.0, *, loss="cross_entropy", bias=True):
    return LogisticModel(inputs, labels, Gaussian(sigma), loss=LOSSES[loss], bias=bias)


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
    model, (weights, bias), data = logistic_problem(seed)
    rng = np.random.default_rng(seed)
    rotation, order = ortho_group.rvs(12, random_state=rng), rng.permutation(40)
    turned = logistic_model(data.inputs[:, order] @ rotation, data.labels[:, order])
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
    unit, (weights, bias), data = logistic_problem(seed, sigma=1.0, bias=False)
    scaled = logistic_model(sigma * data.inputs, data.labels, sigma, bias=False)
    one = follow(unit, (weights, bias), eta=0.1, steps=STEPS)
    other = follow(scaled, (weights / sigma, bias), eta=0.1 / sigma**2, steps=STEPS)
    assert_same_flows(one, other, ["train_loss", "gen_loss", "train_accuracy", "gen_accuracy"])
    norms = one.observables["weight_norm"], other.observables["weight_norm"]
    np.testing.assert_allclose(sigma * norms[1], norms[0], rtol=1e-4)


@few
@given(SEEDS, st.floats(0.5, 5.0))
def test_with_bias_the_scale_of_the_inputs_is_one_of_the_rate_of_the_weights(seed, sigma):
    """σS and b obey the equations of σ = 1, the rate of S alone times σ² (Paper B, App. F.1)."""
    unit, (weights, _), data = logistic_problem(seed, sigma=1.0)
    scaled = logistic_model(sigma * data.inputs, data.labels, sigma)
    bias = np.array([-0.3])
    one, other = unit.gradient((weights, bias)), scaled.gradient((weights / sigma, bias))
    np.testing.assert_allclose(sigma * other[0], sigma**2 * one[0], rtol=1e-12)
    np.testing.assert_allclose(other[1], one[1], rtol=1e-12)
    seen = (
        model.observables(p)
        for model, p in ((unit, (weights, bias)), (scaled, (weights / sigma, bias)))
    )
    of_one, of_other = seen
    for name in ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy", "bias"):
        np.testing.assert_allclose(of_other[name], of_one[name], rtol=1e-12)


@few
@given(SEEDS, st.floats(-2.0, 2.0))
def test_path_in_conformal_time_knows_no_bias(seed, b0):
    """With the exponential loss and one label S(τ) is the path without a bias (Paper B)."""
    options = {"label_fraction": 1.0, "loss": "exponential"}
    biased, (weights, _), _ = logistic_problem(seed, **options)
    free, _, _ = logistic_problem(seed, **options, bias=False)
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
        model, student = linear_problem(3, 0.8)
        params = (student,)
        # Exact, and the flow to 1e-9: descent at a rate so small.
        path = path_of(model, student, eta=1e-9)
        flow = (model.teacher + path.deviation(np.array([t * 1e9])),)
    errors = []
    for eta in etas:
        found = gradient_descent(model, params, eta=eta, steps=np.array([round(t / eta)])).params
        squares = [np.sum((a - b) ** 2) for a, b in zip(found, flow, strict=True)]
        errors.append(np.sqrt(sum(squares)))
    slope = np.polyfit(np.log(etas), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.05)


# ---- Linear maps of the inputs, draw by draw ----


@few
@given(SEEDS, st.floats(1.0, 30.0))
def test_limit_direction_knows_no_metric(seed, condition):
    """Under x → Ax outputs, C_∞ and the deviation of fresh outputs stay, S_∞ is A^{-T}S_∞."""
    rng = np.random.default_rng(seed)
    d = 12
    x = classification(Gaussian(1.0), seed=seed, realization=0, n_train=48, d=d).inputs
    left, right = (ortho_group.rvs(d, random_state=rng) for _ in range(2))
    matrix = left @ np.diag(np.geomspace(1.0, condition, d)) @ right
    here, there = (assess(points, margin=False) for points in (x, x @ matrix.T))
    assert here.separable == there.separable
    assume(not here.separable)
    np.testing.assert_allclose(there.direction @ matrix, here.direction, rtol=1e-6, atol=1e-8)
    outputs = x @ here.direction
    np.testing.assert_allclose(x @ matrix.T @ there.direction, outputs, rtol=1e-6, atol=1e-8)
    losses = (np.exp(f).mean() for f in (outputs, x @ matrix.T @ there.direction))
    assert next(losses) == pytest.approx(next(losses), rel=1e-9)
    fresh = np.sqrt(there.direction @ matrix @ matrix.T @ there.direction)
    assert fresh == pytest.approx(here.s_inf_norm, rel=1e-6)
    assert there.positive_fraction == here.positive_fraction
    assume(condition > 2.0)
    # The length itself is no invariant.
    assert there.s_inf_norm != pytest.approx(here.s_inf_norm, rel=0.05)


# ---- the two-point model, exactly ----

START = {"s0": st.floats(-3.0, 3.0), "b0": st.floats(-3.0, 3.0)}
TWO_POINT = {"lambda_": st.sampled_from([0.0, 0.1, 0.45, 0.5, 0.6, 1.0]), **START}
LOG_TIMES = st.floats(-5.0, 200.0)


def weight_at_conformal_time(tau, problem):
    """Return S at τ, where b does not enter."""
    shape, tau, orbit = orbits(problem, t=tau)

    def late(y, target, orbit):
        return np.logaddexp(0.0, log_conformal_time(y, orbit)) - target

    y = first_root(late, orbit, np.log1p(orbit.eta * tau))
    y = np.maximum(y, coordinate(orbit.u0, orbit.distance))
    return (point(y, orbit).u / orbit.sigma).reshape(shape)


def log_time_to_weight(weight, problem):
    """Return ln t at which the orbit passes S."""
    shape, orbit = orbits(problem)
    y = coordinate(orbit.sigma * weight, orbit.distance)
    return (log_time(y, orbit) - np.log(orbit.eta)).reshape(shape)


@many
@given(log_t=LOG_TIMES, factor=FACTORS, **TWO_POINT)
def test_two_point_solution_at_another_learning_rate_only_takes_longer(log_t, factor, **start):
    one = solution(log_t, TwoPoint.at_lambda(eta=0.01, sigma=2.0, **start))
    faster = TwoPoint.at_lambda(eta=0.01 * factor, sigma=2.0, **start)
    other = solution(log_t - np.log(factor), faster)
    assert other.weight == pytest.approx(one.weight, rel=1e-8, abs=1e-9)
    assert other.bias == pytest.approx(one.bias, rel=1e-8, abs=1e-8)
    assert other.log_conformal_time + np.log(factor) == pytest.approx(
        one.log_conformal_time, rel=1e-7, abs=1e-7
    )


@many
@given(log_t=LOG_TIMES, **TWO_POINT)
def test_two_point_weight_in_conformal_time_knows_no_bias(log_t, lambda_, s0, b0):
    at = solution(log_t, TwoPoint.at_lambda(lambda_, 2.0, 0.01, s0, b0))
    unbiased = TwoPoint.at_lambda(lambda_, 2.0, 0.01, s0, 0.0)
    free = weight_at_conformal_time(np.exp(at.log_conformal_time), unbiased)
    assert free == pytest.approx(float(at.weight), rel=1e-6, abs=1e-7)


@many
@given(tau=st.floats(0.0, 1e6), sigma=FACTORS, lambda_=TWO_POINT["lambda_"], s0=START["s0"])
def test_two_point_scale_of_the_inputs_is_one_of_conformal_time(tau, sigma, lambda_, s0):
    unit, scaled = (
        weight_at_conformal_time(tau, TwoPoint.at_lambda(lambda_, c, 0.01 / c**2, s0 / c, 0.0))
        for c in (1.0, sigma)
    )
    assert sigma * scaled == pytest.approx(float(unit), rel=1e-8, abs=1e-9)


@many
@given(shift=st.floats(-5.0, 5.0), fraction=st.floats(0.05, 0.95), **TWO_POINT)
def test_two_point_shift_of_the_bias_is_one_of_log_time(shift, fraction, lambda_, s0, b0):
    """b → b + c and t → e^{-c}t leave the equations unchanged."""
    problems = [TwoPoint.at_lambda(lambda_, 2.0, 0.01, s0, b) for b in (b0, b0 + shift)]
    end = solution(20.0, problems[0]).weight
    assume(abs(end - s0) > 1e-9)
    weight = s0 + fraction * (float(end) - s0)
    times = [log_time_to_weight(weight, problem) for problem in problems]
    assert times[1] + shift == pytest.approx(float(times[0]), rel=1e-8, abs=1e-8)
