"""What the jobs of Paper A's models share: drawing a realization, and literal steps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linear_grokking.arrays import Array
from linear_grokking.data import TeacherStudentData, teacher_student, test_inputs
from linear_grokking.jobs.context import Columns, JobContext
from linear_grokking.jobs.device import mover
from linear_grokking.jobs.records import record_steps
from linear_grokking.models.teacher_student import Params, TeacherStudentHistory
from linear_grokking.solvers.gradient_descent import Model

_OBSERVABLES = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")


def draw(
    spec: Mapping[str, Any], realization: int, **options: Any
) -> tuple[TeacherStudentData, np.ndarray]:
    """Draw the training problem of a realization, and its fresh inputs.

    ``options`` are those of `data.teacher_student`: widths, alpha, noise.
    """
    drawn = {"seed": spec["seed"], "realization": realization}
    data = teacher_student(n_train=spec["n_train"], **drawn, **options)
    return data, test_inputs(n_gen=spec["n_gen"], d_in=spec["d_in"], **drawn)


def as_batch(
    data: TeacherStudentData, fresh: np.ndarray, device: str
) -> tuple[TeacherStudentData, Array]:
    """Return the arrays on the device, as a batch of one realization: with a leading axis."""
    put = mover(device)

    def batch(array: np.ndarray) -> Array:
        return put(array[np.newaxis])

    moved = TeacherStudentData(
        inputs=batch(data.inputs),
        label_noise=None if data.label_noise is None else batch(data.label_noise),
        teacher=tuple(batch(layer) for layer in data.teacher),
        student=tuple(batch(layer) for layer in data.student),
    )
    return moved, batch(fresh)


def literal_descent(
    spec: Mapping[str, Any], model: Model, student: Params, realization: int, context: JobContext
) -> Columns:
    """Return the columns of literal gradient descent, of a batch of one realization.

    Raises
    ------
    SolverError
        Where the steps diverge.
    """
    from linear_grokking.solvers.gradient_descent import gradient_descent

    trajectory = gradient_descent(
        model,
        student,
        eta=spec["eta"],
        weight_decay=spec["gamma"] / spec["d_out"],
        steps=context.steps(record_steps(spec["t_max"], spec["records"])),
        checkpoint=context.checkpoint(realization),
        on_record=context.on_record,
    ).require_completed()
    rows = {name: values[0] for name, values in trajectory.observables.items()}
    return {"step": trajectory.steps, **rows}


def columns(history: TeacherStudentHistory) -> Columns:
    """Return a history's columns under their names in the file."""
    return {"step": history.steps, **{name: getattr(history, name) for name in _OBSERVABLES}}
