"""Compiled mini-batch steps against literal ones on the same batches, and their streams."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from linear_grokking.data.draws import stacked, teacher_student
from linear_grokking.data.streams import generator
from linear_grokking.models.linear import SampledLinearModel
from linear_grokking.solvers import mini_batches
from linear_grokking.solvers.mini_batches import sgd

N, D_IN, ETA, GAMMA = 11, 6, 0.03, 0.2


def sampled(realizations=(3, 0), d_out=1, noise=0.0):
    sizes = {"n_train": N, "n_gen": 20, "widths": (D_IN, d_out), "noise": noise}
    data = stacked([teacher_student(seed=5, realization=k, **sizes) for k in realizations])
    streams = tuple(generator(5, {"law": "batches"}, k, "batches") for k in realizations)
    return SampledLinearModel(data, epsilon=0.1, gamma=GAMMA, streams=streams), data.student


def batches_of(stream, size, steps):
    """Yield the batches that Floyd's algorithm makes of a copy of a stream."""
    stream = deepcopy(stream)
    for _ in range(steps):
        batch = []
        for last in range(N - size, N):
            drawn = int(stream.integers(last + 1))
            batch.append(last if drawn in batch else drawn)
        assert len(set(batch)) == size
        yield batch


@pytest.mark.parametrize("size", [1, 3, 4, 6, N])
@pytest.mark.parametrize(("d_out", "noise"), [(1, 0.0), (2, 0.3)])
def test_steps_are_gradients_on_the_drawn_batches(size, d_out, noise):
    model, (students,) = sampled(d_out=d_out, noise=noise)
    data, steps = model.data, 40
    found = sgd(model, (students,), eta=ETA, batch_size=size, steps=[0, 1, steps])
    for k, stream in enumerate(model.streams):
        student = students[k].copy()
        for batch in batches_of(stream, size, steps):
            x = data.inputs[k][batch]
            residual = x @ (student - data.teacher[0][k])
            if data.label_noise is not None:
                residual = residual - data.label_noise[k][batch]
            slope = 2.0 / (size * d_out) * x.T @ residual
            student = student - ETA * (slope + GAMMA / d_out * student)
        np.testing.assert_allclose(found.params[0][k], student, rtol=1e-12, atol=1e-14)


def test_a_batch_of_all_samples_is_gradient_descent():
    model, (student,) = sampled()
    found = sgd(model, (student,), eta=ETA, batch_size=N, steps=[1])
    expected = student - ETA * (model.gradient((student,))[0] + model.weight_decay * student)
    np.testing.assert_allclose(found.params[0], expected, rtol=1e-12)


def test_every_set_of_samples_is_as_likely():
    size, steps = 2, 20_000
    counts = np.zeros((N, N))
    (stream,) = sampled([1])[0].streams
    for batch in batches_of(stream, size, steps):
        counts[tuple(sorted(batch))] += 1
    expected = steps / (N * (N - 1) / 2)
    of_pairs = counts[np.triu_indices(N, 1)]
    assert np.all(np.abs(of_pairs - expected) < 4.5 * np.sqrt(expected))


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
def test_neither_records_nor_calls_change_a_bit(monkeypatch, at_once):
    model, params = sampled()
    options = {"eta": ETA, "batch_size": 3}
    expected = sgd(model, params, steps=[100], **options)
    monkeypatch.setattr(mini_batches, "_DRAWS_AT_ONCE", at_once)
    found = sgd(model, params, steps=[0, 1, 2, 7, 50, 100], **options)
    np.testing.assert_array_equal(found.params[0], expected.params[0])


def test_the_models_own_streams_and_students_are_left_alone():
    model, (student,) = sampled()
    before = student.copy()
    first, again = (
        sgd(model, (student,), eta=ETA, batch_size=3, steps=[30]).params[0] for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(student, before)
    other = replace(model, streams=sampled([8, 9])[0].streams)
    assert np.any(sgd(other, (student,), eta=ETA, batch_size=3, steps=[30]).params[0] != first)
