"""The two-layer model against automatic differentiation, sampling and limits."""

from dataclasses import replace

import numpy as np
import pytest

from linear_grokking.data.draws import stacked, teacher_student
from linear_grokking.models.two_layer import TwoLayerModel

WIDTHS = (12, 7, 3)


def draw(activation, *, n_train=20, n_gen=50, epsilon=0.005, gamma=0.0, seed=2):
    sizes = {"n_train": n_train, "n_gen": n_gen, "widths": WIDTHS}
    data = teacher_student(seed=seed, realization=0, **sizes)
    return TwoLayerModel(data, epsilon, gamma, activation), data.student


def changed(model, **data):
    """Return the model on other data."""
    return replace(model, data=replace(model.data, **data))


def output(params, inputs, activation):
    hidden = inputs @ params[0]
    return (np.tanh(hidden) if activation == "tanh" else hidden) @ params[1]


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize("n_train", [5, 20])
def test_gradient_is_that_of_automatic_differentiation(activation, n_train):
    import torch

    model, student = draw(activation, n_train=n_train)
    params = [torch.tensor(layer, requires_grad=True) for layer in student]
    inputs, *teacher = map(torch.tensor, (model.data.inputs, *model.data.teacher))
    phi = torch.tanh if activation == "tanh" else lambda x: x
    residual = phi(inputs @ params[0]) @ params[1] - phi(inputs @ teacher[0]) @ teacher[1]
    loss = (residual**2).mean()
    loss.backward()
    assert model.loss(student) == pytest.approx(loss.item(), rel=1e-12)
    for ours, theirs in zip(model.gradient(student), params, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_observables_sample_by_sample(activation):
    model, student = draw(activation)
    observed = model.observables(student)
    for name, inputs in (("train", model.data.inputs), ("gen", model.data.fresh)):
        errors = [
            np.mean(
                (output(student, x, activation) - output(model.data.teacher, x, activation)) ** 2
            )
            for x in inputs
        ]
        accuracy = np.mean(np.array(errors) <= model.epsilon)
        assert 0 < accuracy < 1
        assert observed[f"{name}_accuracy"] == accuracy
        if name == "train" or activation == "tanh":
            assert observed[f"{name}_loss"] == pytest.approx(np.mean(errors), rel=1e-12)
        else:  # the expectation; five standard errors: false alarm 1e-6
            spread = np.std(errors) / np.sqrt(len(errors))
            assert abs(observed["gen_loss"] - np.mean(errors)) < 5 * spread


def test_generalization_loss_of_the_linear_net_is_exact():
    model, student = draw("identity")
    deviation = student[0] @ student[1] - model.data.teacher[0] @ model.data.teacher[1]
    observed = model.observables(student)
    assert observed["gen_loss"] == pytest.approx(np.sum(deviation**2) / 3, rel=1e-12)
    assert observed["gen_loss_error"] == 0


def test_generalization_error_of_tanh_covers_the_truth():
    # The truth from 100 times as many samples; 5.5 standard errors: false alarm 4e-8.
    model, student = draw("tanh", n_gen=2000)
    many = np.random.default_rng(8).standard_normal((200_000, WIDTHS[0]))
    truth = changed(model, fresh=many).observables(student)["gen_loss"]
    observed = model.observables(student)
    assert abs(observed["gen_loss"] - truth) < 5.5 * observed["gen_loss_error"]
    assert observed["gen_loss_error"] < 0.1 * truth


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_the_teacher_makes_no_error(activation):
    model, _ = draw(activation)
    observed = model.observables(model.data.teacher)
    assert observed["train_loss"] == observed["gen_loss"] == 0
    assert observed["train_accuracy"] == observed["gen_accuracy"] == 1
    assert all(np.all(layer == 0) for layer in model.gradient(model.data.teacher))


def test_tanh_of_small_weights_is_linear():
    linear, student = draw("identity")
    small = 1e-4
    teacher = (small * linear.data.teacher[0], linear.data.teacher[1])
    student = (small * student[0], student[1])
    linear = changed(linear, teacher=teacher)
    tanh = replace(linear, activation="tanh")
    assert tanh.loss(student) == pytest.approx(linear.loss(student), rel=1e-6)
    for one, other in zip(tanh.gradient(student), linear.gradient(student), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * np.abs(other).max())


def test_initial_loss_is_one_over_twice_the_widths():
    # L(0) averages to 1/(2 d_h d_out) in the linear net; five standard errors.
    losses = []
    for seed in range(300):
        model, student = draw("identity", seed=seed, n_train=1, n_gen=1)
        losses.append(model.observables(student)["gen_loss"])
    error = np.std(losses) / np.sqrt(len(losses))
    assert abs(np.mean(losses) - 1 / (2 * 7 * 3)) < 5 * error


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_realizations_lead_in_numpy_and_torch(activation):
    import torch

    single = [draw(activation, seed=seed) for seed in range(3)]
    for convert in (np.asarray, torch.as_tensor):
        data = stacked([model.data for model, _ in single], convert)
        batch = TwoLayerModel(data, epsilon=0.005, activation=activation)
        gradient, observed, loss = (
            measure(data.student) for measure in (batch.gradient, batch.observables, batch.loss)
        )
        for k, (model, student) in enumerate(single):
            for ours, alone in zip(gradient, model.gradient(student), strict=True):
                np.testing.assert_allclose(ours[k], alone, rtol=1e-10, atol=1e-14)
            assert float(loss[k]) == pytest.approx(model.loss(student), rel=1e-12)
            for name, value in model.observables(student).items():
                assert float(observed[name][k]) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_narrow_inputs_take_wide_weights(activation):
    model, student = draw(activation)
    narrow = changed(model, inputs=model.data.inputs.astype(np.float32))
    for one, other in zip(narrow.gradient(student), model.gradient(student), strict=True):
        assert not np.array_equal(one, other)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max())


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"activation = 'relu': must be identity or tanh"):
        draw("relu")
    with pytest.raises(ValueError, match=r"epsilon = 0"):
        draw("tanh", epsilon=0)
    with pytest.raises(ValueError, match=r"gamma = -1"):
        draw("tanh", gamma=-1)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_weight_decay_is_shared_by_the_outputs(activation):
    model, _ = draw(activation, gamma=0.6)
    assert model.weight_decay == pytest.approx(0.2, rel=1e-15)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_narrow_models_compute_from_their_own_inputs(activation):
    # What a model keeps of its data must not outlive a change of precision.
    model, student = draw(activation)
    model.observables(student), model.gradient(student)
    narrow = model.in_working_precision()
    assert narrow.activation == activation
    fresh = changed(
        model,
        inputs=model.data.inputs.astype(np.float32),
        fresh=model.data.fresh.astype(np.float32),
    )
    for one, other in zip(narrow.gradient(student), fresh.gradient(student), strict=True):
        np.testing.assert_array_equal(one, other)
    assert narrow.observables(student) == fresh.observables(student)
    assert narrow.observables(student)["train_loss"] != model.observables(student)["train_loss"]
