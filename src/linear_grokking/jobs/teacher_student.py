"""Jobs of Paper A's models, of one layer and of two."""

from collections.abc import Sequence
from typing import Any

from linear_grokking.data.draws import TeacherStudentData, stacked, teacher_student
from linear_grokking.data.streams import generator
from linear_grokking.jobs.dynamics import histories
from linear_grokking.models.contract import Params
from linear_grokking.models.linear import LinearModel, SampledLinearModel
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.runtime.devices import mover
from linear_grokking.solvers.trajectory import Solver


def one_layer(
    spec: Spec, realizations: Sequence[int], context: JobContext, *, solve: Solver
) -> Results:
    """Yield the histories of linear regression."""

    def set_up(batch: Sequence[int]) -> tuple[LinearModel, Params]:
        data = _regression(spec, batch, context)
        return LinearModel(data, spec["epsilon"], spec["gamma"]), data.student

    return histories(spec, realizations, context, solve, set_up)


def one_layer_in_batches(
    spec: Spec, realizations: Sequence[int], context: JobContext, *, solve: Solver
) -> Results:
    """Yield the histories of linear regression on mini-batches, each with a stream of its own."""
    batches = {"law": "batches", "n_train": spec["n_train"], "batch_size": spec["batch_size"]}

    def set_up(batch: Sequence[int]) -> tuple[SampledLinearModel, Params]:
        data = _regression(spec, batch, context)
        streams = tuple(generator(spec["seed"], batches, each, "batches") for each in batch)
        return SampledLinearModel(data, spec["epsilon"], spec["gamma"], streams), data.student

    return histories(spec, realizations, context, solve, set_up)


def two_layers(
    spec: Spec, realizations: Sequence[int], context: JobContext, *, solve: Solver
) -> Results:
    """Yield the histories of two-layer nets."""

    def set_up(batch: Sequence[int]) -> tuple[TwoLayerModel, Params]:
        data = _drawn(spec, batch, context, (spec["d_in"], spec["d_h"], spec["d_out"]), {})
        model = TwoLayerModel(data, spec["epsilon"], spec["gamma"], spec["activation"])
        return model, data.student

    return histories(spec, realizations, context, solve, set_up)


def _regression(spec: Spec, batch: Sequence[int], context: JobContext) -> TeacherStudentData:
    """Draw a batch of linear regression problems."""
    options = {"alpha": spec["alpha"], "noise": spec["noise"]}
    # The inputs are isotropic unless the spec says otherwise.
    options["spectral_exponent"] = spec.get("spectral_exponent")
    return _drawn(spec, batch, context, (spec["d_in"], spec["d_out"]), options)


def _drawn(
    spec: Spec,
    batch: Sequence[int],
    context: JobContext,
    widths: tuple[int, ...],
    options: dict[str, Any],
) -> TeacherStudentData:
    """Draw a batch, on the job's device."""
    sizes = {"n_train": spec["n_train"], "n_gen": spec["n_gen"], "widths": widths}
    drawn = [
        teacher_student(seed=spec["seed"], realization=realization, **sizes, **options)
        for realization in batch
    ]
    return stacked(drawn, mover(context.device))
