"""The loop of literal steps against plain recursions."""

import numpy as np
import pytest
from stopping import Stopping

from linear_grokking.data.draws import classification, stacked
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.solvers.gradient_descent import (
    CompiledSteps,
    SingleSteps,
    descent,
    gradient_descent,
)
from linear_grokking.solvers.trajectory import Outcome, SolverError


class Quadratic:
    """L = ½ Σ_k h_k θ_k², of two parameter arrays, for which descent has a closed form."""

    curvatures = (np.array([0.1, 1.0, 3.0]), np.array([0.5]))

    def __init__(self, *decays):
        self.decays = decays or (0.0, 0.0)

    def gradient(self, params):
        return tuple(h * theta for h, theta in zip(self.curvatures, params, strict=True))

    def observables(self, params):
        parts = zip(self.curvatures, params, strict=True)
        return {"train_loss": sum(0.5 * np.sum(h * theta**2, axis=-1) for h, theta in parts)}

    def integrands(self, params):
        return {}

    def stretches(self):
        return None

    def exact(self, start, eta, step):
        return tuple(
            (1.0 - eta * (h + decay)) ** step * theta
            for h, decay, theta in zip(self.curvatures, self.decays, start, strict=True)
        )


def start_of(realizations=2):
    rng = np.random.default_rng(0)
    return rng.standard_normal((realizations, 3)), rng.standard_normal((realizations, 1))


def logistic(realizations=2, put=np.asarray, loss="cross_entropy", bias=True, decays=(0.0, 0.0)):
    law = Gaussian(5.0)
    sets = [
        classification(law, seed=5, realization=k, n_train=80, d=30, s0_norm=0.1)
        for k in range(realizations)
    ]
    data = stacked(sets, put)
    options = {"loss": LOSSES[loss], "bias": bias, "decays": decays}
    model = LogisticModel(data.inputs, data.labels, law, **options)
    return model, (data.weights, put(np.zeros(realizations)))


WALKERS = pytest.mark.parametrize("kind", [CompiledSteps, SingleSteps])


@pytest.fixture
def one_step_at_a_time(monkeypatch):
    """Return what leaves compiled stretches aside, as for sets beyond the cache."""
    return lambda: monkeypatch.setattr(LogisticModel, "stretches", lambda _: None)


@pytest.mark.parametrize("decays", [(0.0, 0.0), (0.3, 0.3), (0.3, 0.0)])
def test_descent_of_a_quadratic_is_its_closed_form(decays):
    model, start = Quadratic(*decays), start_of()
    steps = np.array([0.0, 1.0, 5.0, 100.0])
    found = gradient_descent(model, start, eta=0.2, steps=steps)
    assert found.require_completed().gradients == 100
    for k, step in enumerate(steps):
        expected = model.exact(start, 0.2, step)
        np.testing.assert_allclose(
            found.observables["train_loss"][:, k],
            model.observables(expected)["train_loss"],
            rtol=1e-12,
        )
    for theta, value in zip(found.params, expected, strict=True):
        np.testing.assert_allclose(theta, value, rtol=1e-12)


DECAYS = pytest.mark.parametrize("decays", [(0.0, 0.0), (0.3, 0.0), (0.3, 0.3)])
"""Of S and b: none, the weights alone, all."""


@DECAYS
@WALKERS
def test_descent_of_the_logistic_model_is_the_plain_recursion(one_step_at_a_time, kind, decays):
    model, (weights, bias) = logistic(realizations=1, decays=decays)
    inputs = classification(Gaussian(5.0), seed=5, realization=0, n_train=80, d=30).inputs
    if kind is SingleSteps:
        one_step_at_a_time()
    assert type(descent(model, (weights, bias), 0.01)) is kind
    found = gradient_descent(model, (weights, bias), eta=0.01, steps=np.array([0.0, 300.0]))
    s, b, tau = weights[0].copy(), 0.0, 0.0
    for _ in range(300):
        slopes = 1.0 / (1.0 + np.exp(-inputs @ s - b))
        tau += np.exp(b)
        by_weights, by_bias = inputs.T @ slopes / 80, slopes.mean()
        s, b = s - 0.01 * (by_weights + decays[0] * s), b - 0.01 * (by_bias + decays[1] * b)
    np.testing.assert_allclose(found.params[0][0], s, rtol=1e-11)
    np.testing.assert_allclose(found.params[1][0], b, rtol=1e-12)
    np.testing.assert_allclose(found.observables["conformal_time"][0, -1], tau, rtol=1e-12)
    np.testing.assert_allclose(
        found.observables["train_loss"][0, -1], np.log1p(np.exp(inputs @ s + b)).mean(), rtol=1e-11
    )


def test_the_initial_parameters_are_left_alone():
    for model, start in ((Quadratic(), start_of()), logistic()):
        copies = tuple(theta.copy() for theta in start)
        gradient_descent(model, start, eta=0.2, steps=np.array([10.0]))
        for theta, copy in zip(start, copies, strict=True):
            np.testing.assert_array_equal(theta, copy)


def test_torch_and_batches_give_what_numpy_gives_one_by_one():
    torch = pytest.importorskip("torch")
    steps = np.array([0.0, 10.0, 500.0])
    batch, params = logistic(realizations=3)
    together = gradient_descent(batch, params, eta=0.01, steps=steps)
    in_torch = gradient_descent(*logistic(3, torch.from_numpy), eta=0.01, steps=steps)
    for name, values in together.observables.items():
        np.testing.assert_allclose(in_torch.observables[name], values, rtol=1e-10)
    law = Gaussian(5.0)
    for k in range(3):
        one = classification(law, seed=5, realization=k, n_train=80, d=30)
        alone = gradient_descent(
            LogisticModel(one.inputs[None], one.labels[None], law, loss=LOSSES["cross_entropy"]),
            (params[0][k : k + 1], params[1][k : k + 1]),
            eta=0.01,
            steps=steps,
        )
        for name, values in alone.observables.items():
            np.testing.assert_array_equal(values[0], together.observables[name][k])


@pytest.mark.parametrize("realizations", [1, 2])
def test_divergence_stops_the_run_and_is_reported(realizations):
    start = start_of(realizations)
    start[1][-1] = 0.0
    start[0][-1] = 0.0 if realizations == 2 else 1.0  # the last of two stays at the minimum
    steps = np.array([0.0, 50.0, 1e4])
    found = gradient_descent(Quadratic(), start, eta=1.0, steps=steps)
    assert found.outcome is Outcome.DIVERGED
    assert found.failed == (0,)
    np.testing.assert_array_equal(found.steps, [0.0, 50.0])
    assert np.all(np.isfinite(found.observables["train_loss"]))
    with pytest.raises(SolverError, match=r"DIVERGED \(realizations \[0\].*50: .*lower eta"):
        found.require_completed()


COMPILED = [name for name, loss in LOSSES.items() if loss.number is not None]
LOSS_AND_BIAS = pytest.mark.parametrize(
    ("loss", "bias"), [(loss, bias) for loss in COMPILED for bias in (True, False)]
)


@DECAYS
@LOSS_AND_BIAS
def test_compiled_and_single_steps_lead_to_the_same_place(one_step_at_a_time, loss, bias, decays):
    steps = np.array([0.0, 1.0, 2.0, 50.0, 700.0, 2000.0])
    start = logistic(loss=loss, bias=bias)[1][0], np.array([0.3, -0.2])

    def run(kind):
        model, _ = logistic(loss=loss, bias=bias, decays=decays)
        assert type(descent(model, start, 0.005)) is kind
        return gradient_descent(model, start, eta=0.005, steps=steps).require_completed()

    compiled = run(CompiledSteps)
    one_step_at_a_time()
    single = run(SingleSteps)
    assert compiled.gradients == single.gradients == 2000
    for one, other in zip(compiled.params, single.params, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert compiled.observables.keys() == single.observables.keys()
    for name, values in single.observables.items():
        np.testing.assert_allclose(compiled.observables[name], values, rtol=1e-9)
    moved = np.abs(compiled.params[1] - start[1])
    assert np.all(moved > 0.1) if bias else np.all(moved == 0)


# Compiled steps are offered at records, single ones at each step.
@pytest.mark.parametrize(
    ("kind", "offers"),
    [
        *((CompiledSteps, offers) for offers in (1, 2, 4, 6)),
        *((SingleSteps, offers) for offers in (1, 10, 64, 300, 2000)),
    ],
)
@LOSS_AND_BIAS
def test_a_killed_run_goes_on_with_the_same_bits(one_step_at_a_time, kind, offers, loss, bias):
    if kind is SingleSteps:
        one_step_at_a_time()
    options = {"eta": 0.005, "steps": np.array([0.0, 1.0, 10.0, 30.0, 300.0, 2000.0])}
    expected = gradient_descent(*logistic(loss=loss, bias=bias), **options)
    checkpoint = Stopping(offers)
    model, params = logistic(loss=loss, bias=bias)
    assert type(descent(model, params, 0.005)) is kind
    with pytest.raises(Interrupted):
        gradient_descent(model, params, **options, checkpoint=checkpoint)
    found = gradient_descent(model, params, **options, checkpoint=checkpoint)
    assert found.gradients == expected.gradients
    for name, values in expected.observables.items():
        np.testing.assert_array_equal(found.observables[name], values)
    for one, other in zip(found.params, expected.params, strict=True):
        np.testing.assert_array_equal(one, other)


def test_stretches_are_short_enough_to_be_told_to_stop():
    offers = []

    class Counting(Stopping):
        def offer(self, state):
            offers.append(int(state()["walker step"]))

    gradient_descent(
        *logistic(), eta=0.01, steps=np.array([2500.0, 2600.0]), checkpoint=Counting(0)
    )
    assert offers == [1000, 2000, 2500, 2600]


def test_arguments_out_of_range_are_named():
    model, start = Quadratic(), start_of()
    for steps, message in (
        ([0.5], "whole numbers"),
        ([2.0, 1.0], "increase"),
        ([1.0, 1.0], "increase"),
        ([-1.0], "finite numbers, 0 or larger"),
        ([np.inf], "finite numbers, 0 or larger"),
        ([], "finite numbers, 0 or larger"),
    ):
        with pytest.raises(ValueError, match=rf"steps=.*must .*{message}"):
            gradient_descent(model, start, eta=0.1, steps=np.array(steps))
    with pytest.raises(ValueError, match="eta = 0: the learning rate must be positive"):
        gradient_descent(model, start, eta=0, steps=np.array([1.0]))
    with pytest.raises(ValueError, match=r"decays = \(-1, 0\): must be finite and not negative"):
        gradient_descent(Quadratic(-1, 0), start, eta=0.1, steps=np.array([1.0]))
