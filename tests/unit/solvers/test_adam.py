"""Literal Adam against torch.optim.Adam, and its behaviour at small gradients."""

from functools import partial

import mpmath
import numpy as np
import pytest
from far_device import NAME, FarDevice
from scipy.optimize import linprog
from stopping import Stopping

from linear_grokking.data.draws import classification, stacked, teacher_student
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.solvers.adam import adam
from linear_grokking.solvers.trajectory import Outcome
from linear_grokking.theory.adam_limit import bias_speed

torch = pytest.importorskip("torch")

LAW = Gaussian(1.0)
N, D = 60, 20


def draw(realizations=2, array=np.asarray):
    sets = [
        classification(LAW, seed=7, realization=k, n_train=N, d=D, s0_norm=0.1)
        for k in range(realizations)
    ]
    data = stacked(sets, array)
    model = LogisticModel(data.inputs, data.labels, LAW, loss=LOSSES["cross_entropy"])
    return model, (data.weights, array(np.zeros(realizations))), stacked(sets).inputs


@pytest.mark.parametrize("betas", [(0.8, 0.9), (0.9, 0.999)])
@pytest.mark.parametrize("array", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_steps_are_those_of_torch(betas, array):
    # Short, since the signs that Adam takes of small gradients magnify rounding errors.
    model, params, inputs = draw(array=array)
    steps = np.array([0.0, 1.0, 100.0])
    decay = {"beta1": betas[0], "beta2": betas[1]}
    found = adam(model, params, eta=0.01, **decay, adam_epsilon=1e-30, steps=steps)
    for k in range(2):
        x = torch.from_numpy(inputs[k])
        s = torch.tensor(np.asarray(params[0][k]), requires_grad=True)
        b = torch.zeros((), dtype=torch.float64, requires_grad=True)
        reference = torch.optim.Adam([s, b], lr=0.01, betas=betas, eps=1e-30)
        for _ in range(100):
            reference.zero_grad()
            torch.nn.functional.softplus(x @ s + b).mean().backward()
            reference.step()
        np.testing.assert_allclose(
            np.asarray(found.params[0][k]), s.detach(), rtol=1e-8, atol=1e-10
        )
        np.testing.assert_allclose(np.asarray(found.params[1][k]), b.item(), rtol=1e-8)


@pytest.mark.parametrize("epsilon", [1e-2, 1e-8])
def test_epsilon_is_that_of_torch(epsilon):
    model, params, inputs = draw(realizations=1)
    found = adam(model, params, eta=0.01, adam_epsilon=epsilon, steps=[200])
    x = torch.from_numpy(inputs[0])
    s = torch.tensor(params[0][0], requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    reference = torch.optim.Adam([s, b], lr=0.01, eps=epsilon)
    for _ in range(200):
        reference.zero_grad()
        torch.nn.functional.softplus(x @ s + b).mean().backward()
        reference.step()
    np.testing.assert_allclose(found.params[0][0], s.detach(), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.params[1][0], b.item(), rtol=1e-6)


def literally(inputs, weights, bias, slope, steps, *, eta, beta1, beta2, epsilon):
    """Take Adam's steps as they are written, in numbers that have any exponent."""
    n, d = inputs.shape
    theta = [mpmath.mpf(each) for each in (*weights, bias)]
    points = [[mpmath.mpf(each) for each in (*row, 1.0)] for row in inputs]
    first = second = [mpmath.mpf(0)] * (d + 1)
    for step in range(1, steps + 1):
        slopes = [slope(mpmath.fdot(theta, point)) for point in points]
        gradient = [mpmath.fdot(slopes, (point[j] for point in points)) / n for j in range(d + 1)]
        first = [beta1 * m + (1 - beta1) * g for m, g in zip(first, gradient, strict=True)]
        second = [beta2 * v + (1 - beta2) * g**2 for v, g in zip(second, gradient, strict=True)]
        for j in range(d + 1):
            size = mpmath.sqrt(second[j] / (1 - mpmath.mpf(beta2) ** step)) + epsilon
            theta[j] -= eta * first[j] / (1 - mpmath.mpf(beta1) ** step) / size
    return np.array([float(each) for each in theta])


@pytest.mark.parametrize("array", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
@pytest.mark.parametrize(
    ("start", "epsilon"),
    [(-0.5, 1e-3), (-300.0, 0.0), (-360.0, 1e-160), (-597.0, 0.0), (-2000.0, 0.0)],
)
def test_steps_are_those_of_exact_arithmetic_however_small_the_gradient(
    array, loss, start, epsilon
):
    # Squares of gradients underflow from b = -355 on, gradients from -745 on; compiled loops
    # give up at -600.
    drawn = classification(LAW, seed=3, realization=0, n_train=9, d=3, s0_norm=0.1)
    data = stacked([drawn], array)
    model = LogisticModel(data.inputs, data.labels, LAW, loss=LOSSES[loss])
    options = {"eta": 0.3, "beta1": 0.6, "beta2": 0.7}
    params = (data.weights, array(np.array([start])))
    found = adam(model, params, **options, adam_epsilon=epsilon, steps=[25]).require_completed()
    slope = mpmath.exp if loss == "exponential" else lambda m: 1 / (1 + mpmath.exp(-m))
    expected = literally(drawn.inputs, drawn.weights, start, slope, 25, **options, epsilon=epsilon)
    assert abs(expected[-1] - start) > 0.3
    np.testing.assert_allclose(np.asarray(found.params[0][0]), expected[:-1], rtol=1e-7)
    assert float(found.params[1][0]) == pytest.approx(expected[-1], rel=1e-9)


def test_the_bias_falls_for_ever_unless_epsilon_stops_it():
    # Below λ = ½, as fast as Adam's moments allow; the gradients end at e^-700.
    drawn = classification(LAW, seed=7, realization=0, n_train=N, d=10, s0_norm=0.1)
    data = stacked([drawn])
    model = LogisticModel(data.inputs, data.labels, LAW, loss=LOSSES["cross_entropy"])
    steps = np.array([1e4, 1.6e4])
    fall = {}
    for epsilon in (0.0, 1e-8):
        options = {"eta": 0.08, "beta1": 0.8, "beta2": 0.9, "adam_epsilon": epsilon}
        found = adam(model, (data.weights, np.zeros(1)), **options, steps=steps)
        bias = found.require_completed().observables["bias"][0]
        fall[epsilon] = -np.diff(bias).item() / 6e3
    assert bias[-1] > -40 and fall[1e-8] < 1e-3
    assert fall[0.0] == pytest.approx(bias_speed(0.08, 0.8, 0.9), rel=0.02)


def test_a_bias_that_is_not_trained_stays_where_it_is():
    drawn = classification(LAW, seed=7, realization=0, n_train=N, d=D, s0_norm=0.1)
    data = stacked([drawn])
    model = LogisticModel(data.inputs, data.labels, LAW, loss=LOSSES["exponential"], bias=False)
    found = adam(model, (data.weights, np.full(1, 0.25)), eta=0.01, steps=[50])
    assert found.params[1][0] == 0.25
    assert not np.allclose(found.params[0], data.weights)


def test_small_steps_tend_to_the_largest_margin_in_the_box():
    # λ = 0.8: separable.  The direction from a linear programme that is not the solver's.
    law = Gaussian(2.0)
    drawn = classification(law, seed=5, realization=0, n_train=40, d=32, s0_norm=0.1)
    data = stacked([drawn])
    model = LogisticModel(data.inputs, data.labels, law, loss=LOSSES["cross_entropy"])
    options = {"eta": 0.003, "beta1": 0.8, "beta2": 0.9}
    (weights, bias) = adam(model, (data.weights, np.zeros(1)), **options, steps=[12_000]).params
    equal = np.vstack([np.hstack([drawn.inputs.T, -np.eye(32), np.eye(32)]), np.zeros(104)])
    equal[-1, :40] = 1.0
    cost = np.append(np.zeros(40), np.ones(64))
    dual = linprog(cost, A_eq=equal, b_eq=np.append(np.zeros(32), 1.0), bounds=(0, None))
    largest = max(-bias[0], np.abs(weights).max())
    # The margin of (S, b) is that of S plus that of b.
    margin = -(drawn.inputs @ weights[0] + bias[0]).max() / largest
    assert 0.98 * (dual.fun + 1) < margin < dual.fun + 1
    norm = np.linalg.norm(dual.eqlin.marginals[:32])
    assert np.linalg.norm(weights) / -bias[0] == pytest.approx(norm, rel=0.02)


@pytest.fixture
def one_step_at_a_time(monkeypatch):
    """Return what leaves compiled stretches aside, as for sets beyond the cache."""
    return lambda: monkeypatch.setattr(LogisticModel, "stretches", lambda _: None)


def small(loss="cross_entropy", bias=True, dtype="float64", realizations=3):
    sizes = {"n_train": 30, "d": 8, "s0_norm": 0.1, "dtype": np.dtype(dtype)}
    sets = [classification(LAW, seed=4, realization=k, **sizes) for k in range(realizations)]
    data = stacked(sets)
    return LogisticModel(data.inputs, data.labels, LAW, loss=LOSSES[loss], bias=bias), data.weights


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("start", "epsilon"), [(0.3, 0.0), (-598.0, 0.0), (0.3, 1e-3)])
def test_compiled_and_single_steps_lead_to_the_same_place(
    one_step_at_a_time, dtype, loss, bias, start, epsilon
):
    # The second start is where one set after another leaves the compiled loop.
    steps = np.array([0.0, 1.0, 2.0, 17.0, 60.0])
    options = {"eta": 0.1, "beta1": 0.8, "beta2": 0.9, "adam_epsilon": epsilon, "steps": steps}
    model, weights = small(loss, bias, dtype)
    params = weights.astype(float), start + np.array([0.0, 0.5, -3.0])
    compiled = adam(model, params, **options).require_completed()
    one_step_at_a_time()
    single = adam(model, params, **options).require_completed()
    assert compiled.gradients == single.gradients == 60
    assert compiled.observables.keys() == single.observables.keys()
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    for name, values in single.observables.items():
        np.testing.assert_allclose(compiled.observables[name], values, rtol=tolerance)
    for one, other in zip(compiled.params, single.params, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert np.all(np.abs(compiled.params[0] - params[0]).max(axis=-1) > 0.1)
    np.testing.assert_array_equal(compiled.params[1] == params[1], not bias)


def test_compiled_steps_do_not_depend_on_records_nor_on_other_realizations():
    options = {"eta": 0.02, "beta1": 0.8, "beta2": 0.9}
    model, weights = small()
    many = adam(model, (weights, np.zeros(3)), **options, steps=np.arange(0, 2400, 7))
    few = adam(model, (weights, np.zeros(3)), **options, steps=[2394])
    for one, other in zip(many.params, few.params, strict=True):
        np.testing.assert_array_equal(one, other)
    data = model.data._inputs
    alone = LogisticModel(data[1:2], -np.ones((1, 30)), LAW, loss=LOSSES["cross_entropy"])
    found = adam(alone, (weights[1:2], np.zeros(1)), **options, steps=[2394])
    np.testing.assert_array_equal(found.params[0][0], few.params[0][1])


def test_an_overflow_is_reported(one_step_at_a_time):
    model, weights = small("exponential")
    options = {"eta": 300.0, "steps": [1, 2000]}
    outcomes = [adam(model, (weights, np.zeros(3)), **options)]
    one_step_at_a_time()
    outcomes.append(adam(model, (weights, np.zeros(3)), **options))
    for found in outcomes:
        assert found.outcome is Outcome.DIVERGED
        assert found.failed == outcomes[0].failed
        assert all(np.isfinite(values).all() for values in found.observables.values())


@pytest.mark.parametrize(
    ("array", "offers"),
    [(np.asarray, 1), (np.asarray, 3), (torch.from_numpy, 37)],
    ids=["numpy", "numpy later", "torch"],
)
@pytest.mark.parametrize("start", [0.0, -598.0])
def test_a_killed_run_goes_on_with_the_same_bits(array, offers, start):
    model, params, _ = draw(array=array)
    params = params[0], params[1] + start
    options = {"eta": 0.05, "steps": np.array([0.0, 1.0, 10.0, 100.0])}
    expected = adam(model, params, **options)
    checkpoint = Stopping(offers)
    with pytest.raises(Interrupted):
        adam(model, params, **options, checkpoint=checkpoint)
    found = adam(model, params, **options, checkpoint=checkpoint)
    for name, values in expected.observables.items():
        np.testing.assert_array_equal(found.observables[name], values)
    np.testing.assert_array_equal(np.asarray(found.params[0]), np.asarray(expected.params[0]))


@pytest.mark.parametrize(
    ("model", "widths"),
    [
        (LinearModel, (8, 2)),
        (TwoLayerModel, (8, 5, 2)),
        (partial(TwoLayerModel, activation="tanh"), (8, 5, 2)),
    ],
)
def test_teacher_student_models_take_the_same_steps_on_a_device(model, widths):
    sizes = {"n_train": 10, "n_gen": 15, "widths": widths}
    drawn = [teacher_student(seed=1, realization=k, **sizes) for k in range(3)]

    def observed(device):
        data = stacked(drawn, lambda array: torch.from_numpy(array).to(device))
        steps = np.array([0.0, 1.0, 40.0])
        return adam(model(data, epsilon=0.1), data.student, eta=0.01, steps=steps).observables

    expected = observed("cpu")
    with FarDevice() as device:
        found = observed(NAME)
    assert device.waits == 3  # one for each record
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        assert name == "gen_loss_error" or not np.array_equal(values[:, 0], values[:, 2])


def test_arguments_out_of_range_are_named():
    model, params, _ = draw()
    steps = np.array([1.0])
    with pytest.raises(ValueError, match="eta = -1: the learning rate must be positive"):
        adam(model, params, eta=-1, steps=steps)
    for name, beta in (("beta1", 1.0), ("beta2", 1.0), ("beta1", -0.1), ("beta2", np.nan)):
        with pytest.raises(ValueError, match=rf"{name} = {beta}: must lie between 0"):
            adam(model, params, eta=0.1, **{name: beta}, steps=steps)
    with pytest.raises(ValueError, match="adam_epsilon = -1: must be finite"):
        adam(model, params, eta=0.1, adam_epsilon=-1, steps=steps)


def test_weight_decay_is_refused():
    data = stacked([teacher_student(seed=1, realization=0, n_train=9, n_gen=4, widths=(5, 2))])
    model = LinearModel(data, epsilon=0.1, gamma=0.3)
    with pytest.raises(ValueError, match=r"weight decay 0\.15: Adam knows none"):
        adam(model, data.student, eta=0.1, steps=np.array([1.0]))
