"""The net of addition modulo p against pairs taken one by one, and autograd of PyTorch."""

import numpy as np
import pytest

from linear_grokking.data.draws import modular_addition, stacked
from linear_grokking.models.modular import ModularModel

P, D_H = 5, 7


def drawn(n_train=11, realizations=(0, 3), alpha=0.5):
    sizes = {"p": P, "n_train": n_train, "d_h": D_H, "alpha": alpha}
    data = stacked([modular_addition(seed=6, realization=k, **sizes) for k in realizations])
    return ModularModel(data, gamma=0.5), data.weights


def pairs_of(inputs):
    """Return the numbers (a, b) behind one-hot inputs (N, 2p)."""
    return [(int(np.flatnonzero(row[:P])[0]), int(np.flatnonzero(row[P:])[0])) for row in inputs]


def output(embeddings, readout, a, b):
    """Return f(a, b), unit by unit."""
    total = np.zeros(P)
    for unit in range(D_H):
        total += readout[unit] * (embeddings[a, unit] + embeddings[P + b, unit]) ** 2
    return total


def test_observables_are_those_of_the_pairs_one_by_one():
    model, params = drawn()
    found = model.observables(params)
    assert set(found) == {"train_loss", "gen_loss", "train_accuracy", "gen_accuracy"}
    for k in range(2):
        for name, inputs in (("train", model.data.inputs[k]), ("gen", model.data.fresh[k])):
            losses, hits = [], []
            for a, b in pairs_of(inputs):
                outputs = output(params[0][k], params[1][k], a, b)
                wanted = [float(c == (a + b) % P) for c in range(P)]
                losses.append(np.mean((outputs - wanted) ** 2))
                hits.append(np.argmax(outputs) == (a + b) % P)
            assert found[f"{name}_loss"][k] == pytest.approx(np.mean(losses), rel=1e-12)
            assert found[f"{name}_accuracy"][k] == np.mean(hits)


def test_gradient_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    model, params = drawn()
    gradients = model.gradient(params)
    for k in range(2):
        embeddings, readout = (torch.tensor(each[k], requires_grad=True) for each in params)
        a, b = (
            torch.tensor(column) for column in zip(*pairs_of(model.data.inputs[k]), strict=True)
        )
        outputs = (embeddings[a] + embeddings[P + b]) ** 2 @ readout
        wanted = torch.nn.functional.one_hot((a + b) % P, P).double()
        torch.nn.functional.mse_loss(outputs, wanted).backward()
        for found, tensor in zip(gradients, (embeddings, readout), strict=True):
            np.testing.assert_allclose(found[k], tensor.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_known_solution_generalizes():
    # Gromov (2023): with cos 2πk(a + b + φ)/p in every unit the outputs peak at a + b.
    p = 7
    units = np.array([(k, phase) for k in range(1, p) for phase in np.arange(40) * 2 * np.pi / 40])
    k, phase = 2 * np.pi * units[:, 0] / p, units[:, 1]
    number = np.arange(p)[:, None]
    embeddings = np.cos(k * number + np.concatenate([[phase], [phase * 3]])[:, None])
    readout = np.cos(k * number + 4 * phase).T
    sizes = {"p": p, "n_train": 20, "d_h": len(units), "alpha": 1.0}
    data = stacked([modular_addition(seed=1, realization=0, **sizes)])
    params = (embeddings.reshape(1, 2 * p, -1), readout[None])
    found = ModularModel(data).observables(params)
    assert found["train_accuracy"] == found["gen_accuracy"] == 1


def test_weight_decay_is_gamma_and_no_part_of_the_gradient():
    model, params = drawn()
    assert model.decays == (0.5, 0.5)
    for plain, decayed in zip(
        ModularModel(model.data).gradient(params), model.gradient(params), strict=True
    ):
        np.testing.assert_array_equal(plain, decayed)
    for gamma in (-1e-3, np.nan, np.inf):
        with pytest.raises(ValueError, match="gamma"):
            ModularModel(model.data, gamma)
