"""The job of addition modulo p."""

from collections.abc import Sequence

from linear_grokking.data.draws import modular_addition, stacked
from linear_grokking.jobs.dynamics import histories
from linear_grokking.models.contract import Params
from linear_grokking.models.modular import ModularModel
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.runtime.devices import mover
from linear_grokking.solvers.trajectory import Solver


def dynamics(
    spec: Spec, realizations: Sequence[int], context: JobContext, *, solve: Solver
) -> Results:
    """Yield the histories of nets, each with a training set and initial weights of its own."""
    sizes = {key: spec[key] for key in ("p", "n_train", "d_h", "alpha")}

    def set_up(batch: Sequence[int]) -> tuple[ModularModel, Params]:
        drawn = [modular_addition(seed=spec["seed"], realization=k, **sizes) for k in batch]
        data = stacked(drawn, mover(context.device))
        return ModularModel(data, spec["gamma"]), data.weights

    return histories(spec, realizations, context, solve, set_up)
