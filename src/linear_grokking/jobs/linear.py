"""Jobs of Paper A's one-layer model."""

from collections.abc import Mapping, Sequence
from typing import Any

from linear_grokking.data import teacher_student, test_inputs
from linear_grokking.jobs.context import JobContext, Results
from linear_grokking.jobs.records import record_steps
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.teacher_student import TeacherStudentHistory


def spectral(spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext) -> Results:
    """Yield the histories of exact GD, evaluated in the eigenbasis."""
    from linear_grokking.solvers.spectral import solve

    steps = record_steps(spec["t_max"], spec["records"])
    for realization in realizations:
        model, student = _draw(spec, realization)
        history = solve(model, student, eta=spec["eta"], gamma=spec["gamma"], steps=steps)
        yield realization, columns(history)


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
