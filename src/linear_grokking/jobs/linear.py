"""Jobs of Paper A's one-layer model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from linear_grokking.data import teacher_student, test_inputs
from linear_grokking.jobs.context import JobContext, Results
from linear_grokking.jobs.device import mover
from linear_grokking.jobs.records import record_steps
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.teacher_student import TeacherStudentHistory


def spectral(spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext) -> Results:
    """Yield the histories of exact GD, evaluated in the eigenbasis."""
    from linear_grokking.solvers.spectral import solve

    steps = context.steps(record_steps(spec["t_max"], spec["records"]))
    for realization in realizations:
        model, student = _draw(spec, realization)
        history = solve(
            model,
            student,
            eta=spec["eta"],
            gamma=spec["gamma"],
            steps=steps,
            on_record=context.on_record,
        )
        yield realization, columns(history)


def gradient_descent(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the histories of literal gradient descent."""
    from linear_grokking.solvers.gradient_descent import gradient_descent as solve

    steps = context.steps(record_steps(spec["t_max"], spec["records"]))
    to_device = mover(context.device)
    for realization in realizations:
        model, student = _draw(spec, realization)
        # A batch of one: the solver wants realizations on the leading axis.
        arrays = {
            name: to_device(array[np.newaxis])
            for name in ("inputs", "label_noise", "teacher", "test_inputs")
            if (array := getattr(model, name)) is not None
        }
        trajectory = solve(
            replace(model, **arrays),
            (to_device(student[np.newaxis]),),
            eta=spec["eta"],
            weight_decay=spec["gamma"] / spec["d_out"],
            steps=steps,
            checkpoint=context.checkpoint(realization),
            on_record=context.on_record,
        ).require_completed()
        rows = {name: values[0] for name, values in trajectory.observables.items()}
        yield realization, {"step": trajectory.steps, **rows}


def _draw(spec: Mapping[str, Any], realization: int) -> tuple[LinearModel, Any]:
    data = teacher_student(
        seed=spec["seed"],
        realization=realization,
        n_train=spec["n_train"],
        widths=(spec["d_in"], spec["d_out"]),
        alpha=spec["alpha"],
        noise=spec["noise"],
    )
    fresh = test_inputs(
        seed=spec["seed"], realization=realization, n_gen=spec["n_gen"], d_in=spec["d_in"]
    )
    return LinearModel.from_data(data, fresh, spec["epsilon"]), data.student[0]


def columns(history: TeacherStudentHistory) -> dict[str, Any]:
    """Return a history's columns under their names in the file."""
    names = ["step", "train_loss", "gen_loss", "train_accuracy", "gen_accuracy"]
    values = [history.steps, *(getattr(history, name) for name in names[1:])]
    return dict(zip(names, values, strict=True))
