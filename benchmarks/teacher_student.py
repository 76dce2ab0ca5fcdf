"""Rows of Paper A's models: exact steps in the eigenbasis, flow of two layers."""

from collections.abc import Iterator

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks import baselines
from benchmarks.rows import Row, alternate
from linear_grokking.data.draws import TeacherStudentData, stacked, teacher_student
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.solvers.spectral import spectral
from linear_grokking.solvers.trajectory import Trajectory, record_steps
from linear_grokking.solvers.two_layer_flow import gradient_flow

ETA, D_IN, T_MAX, RECORDS, N_GEN = 0.01, 1000, 1e5, 100, 500


def rows() -> Iterator[Row]:
    """Yield the rows of this group."""
    torch.set_num_threads(1)
    with threadpool_limits(1, user_api="blas"):
        yield _one_output()
        yield _many_outputs()
        yield _two_layers()


def _draw(n_train: int, *widths: int) -> TeacherStudentData:
    sizes = {"n_train": n_train, "n_gen": N_GEN, "widths": (D_IN, *widths)}
    return teacher_student(seed=0, realization=0, **sizes)


def _spectral(data: TeacherStudentData, gamma: float) -> None:
    batch = stacked([data])
    model = LinearModel(batch, 1e-3, gamma)
    spectral(model, batch.student, eta=ETA, steps=record_steps(T_MAX, RECORDS))


def _one_output() -> Row:
    gamma, steps = 1e-3, 1000
    data = _draw(500, 1)
    fresh = data.fresh
    naive = baselines.NaiveLinear(data.inputs, data.teacher[0], data.student[0], fresh, ETA, gamma)
    timings = alternate(5, ours=lambda: _spectral(data, gamma), naive=lambda: naive.steps(steps))
    return Row(
        "linear d=1000, N=500, d_out=1, 1e5 steps with weight decay",
        "nn.Linear, SGD, backward, step",
        timings.ratio("naive", "ours", T_MAX / steps),
        target=100,
        ours=timings.spread("ours"),
        theirs=timings.spread("naive", T_MAX / steps),
        note=f"{RECORDS} records with accuracies; baseline extrapolated from {steps} steps",
    )


def _many_outputs() -> Row:
    gamma, steps = 1e-3, 100
    data = _draw(500, 50)
    gram = baselines.GramDescent(data.inputs, data.teacher[0], data.student[0], ETA, gamma)
    timings = alternate(3, ours=lambda: _spectral(data, gamma), gram=lambda: gram.steps(steps))
    return Row(
        "linear d=1000, N=500, d_out=50, 1e5 steps with weight decay",
        "tuned GD with the covariance, float64",
        timings.ratio("gram", "ours", T_MAX / steps),
        target=500,
        ours=timings.spread("ours"),
        theirs=timings.spread("gram", T_MAX / steps),
        note=f"{RECORDS} records with accuracies; baseline extrapolated from {steps} steps",
    )


def _two_layers() -> Row:
    data = _draw(round(D_IN / 0.9), 200, 5)
    batch = stacked([data])

    def flow(steps: np.ndarray) -> Trajectory:
        return gradient_flow(TwoLayerModel(batch, 1e-4), batch.student, eta=ETA, steps=steps)

    steps = record_steps(1e4, 100)
    (accuracy,) = flow(steps).observables["train_accuracy"]
    reached = float(steps[np.argmax(accuracy >= 0.95)])
    naive = baselines.NaiveTwoLayer(data.inputs, data.teacher, data.student, ETA)
    taken = 50
    timings = alternate(
        3, ours=lambda: flow(record_steps(reached, 50)), naive=lambda: naive.steps(taken)
    )
    return Row(
        "two layers 1000-200-5 (linear), to 95 % training accuracy",
        "literal GD, torch in float32",
        timings.ratio("naive", "ours", reached / taken),
        target=75,
        ours=timings.spread("ours"),
        theirs=timings.spread("naive", reached / taken),
        note=f"{reached:g} steps, baseline extrapolated from {taken}, one thread",
    )
