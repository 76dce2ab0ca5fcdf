"""All solvers of dynamics keep one contract: realizations lead, and each goes its own way."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from stopping import Stopping

from linear_grokking.data.draws import (
    classification,
    modular_addition,
    stacked,
    teacher_student,
)
from linear_grokking.data.laws import Gaussian
from linear_grokking.data.streams import generator
from linear_grokking.jobs.kinds import KINDS, PACKAGE
from linear_grokking.models.linear import LinearModel, SampledLinearModel
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.modular import ModularModel
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.solvers import log_flow, two_layer_flow
from linear_grokking.solvers.adam import adam
from linear_grokking.solvers.adamw import adamw
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.linear_methods import grokfast, with_momentum
from linear_grokking.solvers.mini_batches import sgd
from linear_grokking.solvers.spectral import spectral
from linear_grokking.solvers.trajectory import (
    Outcome,
    SolverError,
    Trajectory,
    check_rate,
    checked_steps,
    record_steps,
)

STEPS = np.array([0.0, 1.0, 10.0, 60.0, 500.0])
REALIZATIONS = (4, 0, 7)
LAW = Gaussian(2.0)
OF_TEACHER_STUDENT = {"train_loss", "gen_loss", "train_accuracy", "gen_accuracy"}
OF_LOGISTIC = OF_TEACHER_STUDENT | {"weight_norm", "bias", "conformal_time"}


def linear(realizations):
    sizes = {"n_train": 15, "n_gen": 40, "widths": (12, 2), "noise": 0.05}
    data = stacked([teacher_student(seed=2, realization=k, **sizes) for k in realizations])
    return LinearModel(data, epsilon=0.05, gamma=0.02), data.student


def sampled(realizations):
    model, params = linear(realizations)
    streams = tuple(generator(2, {"law": "batches"}, k, "batches") for k in realizations)
    return SampledLinearModel(model.data, model.epsilon, model.gamma, streams), params


def structured(realizations):
    sizes = {"n_train": 9, "n_gen": 40, "widths": (12, 2), "spectral_exponent": 1.5}
    data = stacked([teacher_student(seed=2, realization=k, **sizes) for k in realizations])
    return LinearModel(data, epsilon=0.05, gamma=0.02), data.student


def two_layer(realizations, activation="identity"):
    sizes = {"n_train": 15, "n_gen": 40, "widths": (12, 5, 2)}
    data = stacked([teacher_student(seed=2, realization=k, **sizes) for k in realizations])
    return TwoLayerModel(data, 0.01, 0.02, activation), data.student


def tanh(realizations):
    return two_layer(realizations, "tanh")


def without_decay(problem):
    """Return a problem as Adam takes it."""

    def changed(realizations):
        model, params = problem(realizations)
        return replace(model, gamma=0.0), params

    return changed


def logistic(realizations, loss="cross_entropy", decays=(0.0, 0.0)):
    sizes = {"n_train": 30, "d": 12, "s0_norm": 0.1}
    data = stacked([classification(LAW, seed=2, realization=k, **sizes) for k in realizations])
    model = LogisticModel(data.inputs, data.labels, LAW, loss=LOSSES[loss], decays=decays)
    return model, (data.weights, np.linspace(0.1, 0.3, 10)[list(realizations)])


def decaying_weights(realizations):
    return logistic(realizations, decays=(0.02, 0.0))


def all_decaying(realizations):
    return logistic(realizations, decays=(0.02, 0.02))


def modular(realizations):
    sizes = {"p": 5, "n_train": 12, "d_h": 8, "alpha": 0.3}
    data = stacked([modular_addition(seed=2, realization=k, **sizes) for k in realizations])
    return ModularModel(data, gamma=0.5), data.weights


@dataclass(frozen=True)
class Case:
    """A solver with a problem for it, and how well realizations agree with single runs."""

    problem: Any
    solver: Any
    observables: set
    tolerance: float = 1e-9
    options: tuple = ()

    def __call__(self, realizations, **options):
        model, params = self.problem(realizations)
        options = {"eta": 0.01, "steps": STEPS, **dict(self.options), **options}
        return self.solver(model, params, **options)


# Steps of flows are common to a batch: its members agree with single runs to the tolerance.
TIGHT = (("rtol", 1e-8),)
AMPLIFIED = (("grokfast_alpha", 0.9), ("grokfast_lamb", 2.0))
WITH_ERROR = OF_TEACHER_STUDENT | {"gen_loss_error"}
CASES = {
    "linear spectral": Case(linear, spectral, OF_TEACHER_STUDENT),
    "linear gradient_descent": Case(linear, gradient_descent, OF_TEACHER_STUDENT),
    "linear adam": Case(without_decay(linear), adam, OF_TEACHER_STUDENT),
    "linear momentum": Case(
        linear, with_momentum, OF_TEACHER_STUDENT, options=(("momentum", 0.7),)
    ),
    "linear grokfast": Case(linear, grokfast, OF_TEACHER_STUDENT, options=AMPLIFIED),
    "linear sgd": Case(sampled, sgd, OF_TEACHER_STUDENT, options=(("batch_size", 4),)),
    "two_layer gradient_flow": Case(
        two_layer, two_layer_flow.gradient_flow, WITH_ERROR, 1e-5, TIGHT
    ),
    "tanh gradient_flow": Case(tanh, two_layer_flow.gradient_flow, WITH_ERROR, 1e-5, TIGHT),
    "two_layer gradient_descent": Case(two_layer, gradient_descent, WITH_ERROR),
    "tanh gradient_descent": Case(tanh, gradient_descent, WITH_ERROR),
    "two_layer adam": Case(without_decay(two_layer), adam, WITH_ERROR),
    "tanh adam": Case(without_decay(tanh), adam, WITH_ERROR),
    "logistic gradient_flow": Case(
        logistic, log_flow.gradient_flow, OF_LOGISTIC, 1e-5, (("gd_steps", 20), *TIGHT)
    ),
    "decaying weights gradient_flow": Case(
        decaying_weights, log_flow.gradient_flow, OF_LOGISTIC, 1e-5, (("gd_steps", 20), *TIGHT)
    ),
    "all decaying gradient_flow": Case(
        all_decaying, log_flow.gradient_flow, OF_LOGISTIC, 1e-5, (("gd_steps", 20), *TIGHT)
    ),
    "all decaying gradient_descent": Case(all_decaying, gradient_descent, OF_LOGISTIC),
    "logistic gradient_descent": Case(logistic, gradient_descent, OF_LOGISTIC),
    "logistic adam": Case(logistic, adam, OF_LOGISTIC),
    "structured spectral": Case(structured, spectral, OF_TEACHER_STUDENT),
    "structured gradient_descent": Case(structured, gradient_descent, OF_TEACHER_STUDENT),
    "modular adamw": Case(modular, adamw, OF_TEACHER_STUDENT),
}


EXACT = (spectral, with_momentum, grokfast)


def test_every_solver_of_dynamics_is_a_case():
    tried = {f"{case.solver.__module__}:{case.solver.__qualname__}" for case in CASES.values()}
    missing = {
        kind.solve
        for kind in KINDS
        if kind.measure == "dynamics" and kind.solve and f"{PACKAGE}.{kind.solve}" not in tried
    }
    # It has no learning rate.
    assert missing == {"solvers.linear_methods:conjugate_gradients"}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request):
    return request.param


def test_realizations_lead_everywhere(case):
    found = case(REALIZATIONS)
    assert type(found) is Trajectory
    assert found.outcome is Outcome.COMPLETED and found.failed == ()
    assert found.require_completed() is found
    np.testing.assert_array_equal(found.steps, STEPS)
    assert found.observables.keys() == case.observables
    for values in found.observables.values():
        assert type(values) is np.ndarray and values.dtype == np.float64
        assert values.shape == (3, len(STEPS)) and np.all(np.isfinite(values))
    _, start = case.problem(REALIZATIONS)
    assert [theta.shape for theta in found.params] == [theta.shape for theta in start]
    assert (found.gradients == 0) == (case.solver in EXACT)


def test_each_realization_is_what_it_is_alone(case):
    together = case(REALIZATIONS)
    differ = False
    for k, realization in enumerate(REALIZATIONS):
        alone = case([realization])
        tolerance = {"rtol": case.tolerance, "atol": 1e-3 * case.tolerance}
        for name, values in alone.observables.items():
            np.testing.assert_allclose(together.observables[name][[k]], values, **tolerance)
        for whole, part in zip(together.params, alone.params, strict=True):
            scale = np.abs(part).max()
            np.testing.assert_allclose(whole[[k]] / scale, part / scale, atol=case.tolerance)
        differ |= not np.allclose(together.params[0][[k - 1]], alone.params[0])
    assert differ


def test_the_last_record_is_of_the_parameters_at_the_end(case):
    found = case(REALIZATIONS)
    model, _ = case.problem(REALIZATIONS)
    for name, values in model.observables(found.params).items():
        # Flows of two layers and accuracies of spectral runs take narrow products.
        np.testing.assert_allclose(found.observables[name][:, -1], values, rtol=1e-5, atol=1e-9)


def test_the_first_record_is_of_the_initial_parameters_which_stay_as_they_are(case):
    model, params = case.problem(REALIZATIONS)
    copies = tuple(theta.copy() for theta in params)
    found = case.solver(model, params, eta=0.01, steps=STEPS, **dict(case.options))
    for theta, copy in zip(params, copies, strict=True):
        np.testing.assert_array_equal(theta, copy)
    for name, values in model.observables(copies).items():
        np.testing.assert_allclose(found.observables[name][:, 0], values, rtol=1e-5)


def test_every_record_is_shown_in_order_with_all_realizations(case):
    seen = []
    model, _ = case.problem(REALIZATIONS)

    def look(step, params):
        seen.append((step, {name: np.array(v) for name, v in model.observables(params).items()}))

    found = case(REALIZATIONS, on_record=look)
    assert [step for step, _ in seen] == STEPS.tolist()
    for k, (_, observed) in enumerate(seen):
        for name, values in observed.items():
            np.testing.assert_allclose(found.observables[name][:, k], values, rtol=1e-5, atol=1e-9)


def test_a_single_realization_is_shown_at_every_record(case):
    seen = []
    found = case([4], on_record=lambda step, params: seen.append((step, params[0].copy())))
    assert [step for step, _ in seen] == STEPS.tolist()
    _, start = case.problem([4])
    np.testing.assert_allclose(seen[0][1], start[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(seen[-1][1], found.params[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("offers", [1, 3])
def test_a_batch_that_was_stopped_goes_on_with_the_same_bits(case, offers):
    expected = case(REALIZATIONS)
    checkpoint = Stopping(offers)
    if case.solver not in EXACT:  # which are never half done
        with pytest.raises(Interrupted):
            case(REALIZATIONS, checkpoint=checkpoint)
        assert checkpoint.saved
    found = case(REALIZATIONS, checkpoint=checkpoint)
    for name, values in expected.observables.items():
        np.testing.assert_array_equal(found.observables[name], values)
    for one, other in zip(found.params, expected.params, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("steps", [[], [-1.0], [2.0, 1.0], [1.0, 1.0], [0.5], [0.0, np.nan]])
def test_steps_are_checked(case, steps):
    with pytest.raises(ValueError, match=r"steps=.*must"):
        case([0], steps=np.array(steps))


@pytest.mark.parametrize("eta", [0.0, -0.1, np.inf, np.nan])
def test_the_learning_rate_is_checked(case, eta):
    with pytest.raises(ValueError, match=f"eta = {eta}: the learning rate must be positive"):
        case([0], eta=eta)


# ---- what cannot be followed ----


def with_huge_inputs(model, realization):
    """Return the teacher-student model with one realization's inputs a thousand times larger."""
    inputs = model.data.inputs.copy()
    inputs[realization] *= 1e3
    return replace(model, data=replace(model.data, inputs=inputs))


def huge_linear():
    model, params = linear(REALIZATIONS)
    return model, with_huge_inputs(model, 1), params


def huge_two_layer():
    model, params = two_layer(REALIZATIONS)
    return model, with_huge_inputs(model, 1), params


def huge_logistic(put=np.asarray):
    model, (weights, bias) = logistic(REALIZATIONS, "exponential")
    sizes = {"n_train": 30, "d": 12}
    data = stacked([classification(LAW, seed=2, realization=k, **sizes) for k in REALIZATIONS])
    data.inputs[1] *= 1e3
    huge = LogisticModel(put(data.inputs), put(data.labels), LAW, loss=LOSSES["exponential"])
    return model, huge, (put(weights), put(bias))


def huge_logistic_in_torch():
    torch = pytest.importorskip("torch")
    _, huge, params = huge_logistic(torch.from_numpy)
    return huge_logistic()[0], huge, params


@pytest.mark.parametrize(
    "problem", [huge_linear, huge_two_layer, huge_logistic, huge_logistic_in_torch]
)
@pytest.mark.parametrize("steps", [STEPS, STEPS[[0, -1]]], ids=["many records", "few records"])
def test_a_batch_that_diverges_names_the_realization(problem, steps):
    sound, huge, params = problem()
    found = gradient_descent(huge, params, eta=0.01, steps=steps)
    assert found.outcome is Outcome.DIVERGED
    assert found.failed == (1,)
    recorded = len(found.steps)
    assert recorded < len(steps)
    np.testing.assert_array_equal(found.steps, steps[:recorded])
    with pytest.raises(SolverError, match=r"DIVERGED \(realizations \[1\] of the batch\)"):
        found.require_completed()
    with pytest.raises(SolverError, match=r"DIVERGED \(realizations \[4\]\)"):
        found.require_completed([3, 4, 5])
    numpy_params = tuple(np.asarray(theta) for theta in params)
    expected = gradient_descent(sound, numpy_params, eta=0.01, steps=steps).require_completed()
    for name, values in found.observables.items():
        assert values.shape == (3, recorded) and np.all(np.isfinite(values))
        np.testing.assert_allclose(
            values[[0, 2]], expected.observables[name][[0, 2], :recorded], rtol=1e-9
        )


def test_a_logistic_flow_that_diverges_names_the_realization():
    _, huge, params = huge_logistic()
    found = log_flow.gradient_flow(huge, params, eta=0.01, steps=STEPS, gd_steps=10)
    assert found.outcome is Outcome.DIVERGED and found.failed == (1,)
    assert len(found.steps) < len(STEPS)
    assert all(np.all(np.isfinite(values)) for values in found.observables.values())


def test_a_two_layer_flow_from_weights_that_overflow_names_the_realization():
    model, (first, second) = two_layer(REALIZATIONS)
    first[1] *= 1e300
    with np.errstate(over="ignore", invalid="ignore"):
        found = two_layer_flow.gradient_flow(model, (first, second), eta=0.01, steps=STEPS)
    assert found.outcome is Outcome.DIVERGED and found.failed == (1,)
    assert not len(found.steps) and not found.observables


def test_a_batch_beyond_the_largest_learning_rate_is_refused_by_the_exact_solver():
    _, huge, params = huge_linear()
    with pytest.raises(ValueError, match="gradient descent diverges on this training set"):
        spectral(huge, params, eta=0.01, steps=STEPS)


# ---- what solvers share ----


def test_recorded_steps_are_whole_and_log_spaced_from_zero_to_the_last():
    steps = record_steps(1e6, 60)
    assert steps[0] == 0 and steps[1] == 1 and steps[-1] == 1e6
    np.testing.assert_array_equal(steps, np.rint(steps))
    ratios = steps[steps > 1e3][1:] / steps[steps > 1e3][:-1]
    np.testing.assert_allclose(ratios, 1e6 ** (1 / 59), rtol=2e-3)
    np.testing.assert_array_equal(checked_steps(steps), steps)
    assert record_steps(1e100, 30)[-1] == 1e100


def test_steps_may_be_broken_beyond_the_literal_ones_only():
    np.testing.assert_array_equal(checked_steps([0, 3, 7.5], whole_until=5), [0, 3, 7.5])
    with pytest.raises(ValueError, match=r"whole numbers up to 5"):
        checked_steps([0, 3.5, 7], whole_until=5)
    with pytest.raises(ValueError, match="list of finite numbers"):
        checked_steps(3.0)


def test_learning_rates_are_positive_and_finite():
    check_rate(1e-300)
    for eta in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="eta"):
            check_rate(eta)
