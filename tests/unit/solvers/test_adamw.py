"""Literal AdamW against PyTorch's, and its decay against a formula."""

import numpy as np
import pytest

from linear_grokking.data.draws import modular_addition, stacked
from linear_grokking.models.modular import ModularModel
from linear_grokking.solvers.adamw import adamw


def net(gamma=0.0, realizations=(0, 1)):
    sizes = {"p": 5, "n_train": 12, "d_h": 8, "alpha": 0.4}
    data = stacked([modular_addition(seed=4, realization=k, **sizes) for k in realizations])
    return ModularModel(data, gamma), data.weights


@pytest.mark.parametrize(
    "options",
    [{}, {"beta1": 0.8, "beta2": 0.999, "adam_epsilon": 1e-3}],
    ids=["default", "other"],
)
@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_steps_are_those_of_pytorch(gamma, options):
    torch = pytest.importorskip("torch")
    model, start = net(gamma)
    found = adamw(model, start, eta=0.01, steps=[0, 7, 200], **options)
    tensors = [torch.tensor(each.copy()) for each in start]
    optimizer = torch.optim.AdamW(
        tensors,
        lr=0.01,
        betas=(options.get("beta1", 0.9), options.get("beta2", 0.98)),
        eps=options.get("adam_epsilon", 1e-8),
        weight_decay=gamma,
    )
    for _ in range(200):
        slopes = model.gradient(tuple(each.numpy() for each in tensors))
        for tensor, slope in zip(tensors, slopes, strict=True):
            tensor.grad = torch.from_numpy(slope)
        optimizer.step()
    assert found.gradients == 200
    for ours, theirs, first in zip(found.params, tensors, start, strict=True):
        assert np.abs(ours - first).max() > 0.1
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-8, atol=1e-12)


class Flat:
    """A model without slope: weight decay alone moves it."""

    decays = (0.7,)

    def gradient(self, params):
        return tuple(np.zeros_like(theta) for theta in params)

    def observables(self, params):
        return {"size": params[0][:, 0]}

    def integrands(self, params):
        return {}

    def stretches(self):
        return None


def test_decay_alone_is_geometric():
    found = adamw(Flat(), (np.array([[2.0], [-3.0]]),), eta=0.1, steps=[0, 1, 50])
    decayed = np.outer([2.0, -3.0], (1 - 0.07) ** np.array([0, 1, 50]))
    np.testing.assert_allclose(found.observables["size"], decayed, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"eta": 0.0}, "eta"),
        ({"beta1": 1.0}, "beta1"),
        ({"beta2": -0.1}, "beta2"),
        ({"adam_epsilon": 0.0}, "adam_epsilon"),
        ({"adam_epsilon": np.inf}, "adam_epsilon"),
    ],
)
def test_arguments_out_of_range_are_named(options, word):
    model, start = net()
    with pytest.raises(ValueError, match=word):
        adamw(model, start, **{"eta": 0.01, "steps": [0, 1], **options})


def test_weight_decay_out_of_range_is_named():
    model = Flat()
    model.decays = (-1.0,)
    with pytest.raises(ValueError, match="decays"):
        adamw(model, (np.ones((1, 1)),), eta=0.01, steps=[0, 1])
