"""Literal Adam against torch.optim.Adam, and its behaviour at small gradients."""

from functools import partial

import numpy as np
import pytest
from far_device import NAME, FarDevice
from stopping import Stopping

from linear_grokking.data.draws import classification, stacked, teacher_student
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.solvers.adam import adam

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


def test_the_bias_keeps_falling_at_tiny_gradients():
    # A separable set: each step moves b by up to η, unless ε outweighs the gradient.
    model, params, _ = draw(realizations=1)
    steps = np.array([5e3, 1e4])
    fall = {}
    for epsilon in (1e-150, 1e-8):
        options = {"beta1": 0.8, "beta2": 0.9, "adam_epsilon": epsilon}
        found = adam(model, params, eta=0.01, **options, steps=steps)
        fall[epsilon] = -np.diff(found.require_completed().observables["bias"][0]).item()
    assert fall[1e-150] > 0.2 * 0.01 * 5e3
    assert fall[1e-8] < 0.1 * fall[1e-150]


@pytest.mark.parametrize("array", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_a_killed_run_goes_on_with_the_same_bits(array):
    model, params, _ = draw(array=array)
    options = {"eta": 0.01, "steps": np.array([0.0, 1.0, 10.0, 100.0])}
    expected = adam(model, params, **options)
    checkpoint = Stopping(37)
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
    with pytest.raises(ValueError, match="adam_epsilon = 0: must be positive"):
        adam(model, params, eta=0.1, adam_epsilon=0, steps=steps)


def test_weight_decay_is_refused():
    data = stacked([teacher_student(seed=1, realization=0, n_train=9, n_gen=4, widths=(5, 2))])
    model = LinearModel(data, epsilon=0.1, gamma=0.3)
    with pytest.raises(ValueError, match=r"weight decay 0\.15: Adam knows none"):
        adam(model, data.student, eta=0.1, steps=np.array([1.0]))
