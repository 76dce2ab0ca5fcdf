"""Jobs of Paper B's model: dynamics, and the training outputs at their end."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from linear_grokking.data.draws import classification, stacked
from linear_grokking.data.laws import InputLaw
from linear_grokking.jobs.dynamics import histories, solved
from linear_grokking.models.contract import Params
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import Loss
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.arrays import Array, to_host
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.runtime.devices import mover
from linear_grokking.shapes import Columns
from linear_grokking.solvers.trajectory import Solver, Trajectory


def dynamics(
    spec: Spec,
    realizations: Sequence[int],
    context: JobContext,
    *,
    solve: Solver,
    law: InputLaw,
    loss: Loss,
) -> Results:
    """Yield the histories."""
    return histories(spec, realizations, context, solve, _set_up(spec, context, law, loss))


def outputs(
    spec: Spec,
    realizations: Sequence[int],
    context: JobContext,
    *,
    solve: Solver,
    law: InputLaw,
    loss: Loss,
) -> Results:
    """Yield f at the last record, and where the training points lie."""
    set_up = _set_up(spec, context, law, loss)
    return solved(spec, realizations, context, solve, set_up, at_the_end)


def _set_up(
    spec: Spec, context: JobContext, law: InputLaw, loss: Loss
) -> Callable[[Sequence[int]], tuple[LogisticModel, Params]]:
    put = mover(context.device)
    keys = ("seed", "n_train", "d", "s0_norm", "label_fraction", "n_gen")
    options: dict[str, Any] = {key: spec[key] for key in keys}

    def set_up(batch: Sequence[int]) -> tuple[LogisticModel, Params]:
        dtype = np.dtype(spec["dtype"])
        drawn = [classification(law, realization=k, dtype=dtype, **options) for k in batch]
        data = stacked(drawn, put)
        model = LogisticModel(
            data.inputs,
            data.labels,
            law,
            loss=loss,
            bias=spec["bias"],
            label_fraction=spec["label_fraction"],
            fresh=data.fresh,
            decays=decays_of(spec),
            threads=context.threads,
        )
        weights = np.stack([each.weights for each in drawn]).astype(np.float64)
        return model, (put(weights), put(np.full(len(batch), spec["b0"], np.float64)))

    return set_up


def decays_of(spec: Spec) -> tuple[float, float]:
    """Return the weight decay of S and of b, 0 unless the spec says otherwise."""
    gamma = spec.get("gamma", 0.0)
    return gamma, gamma if spec.get("decay") == "all" else 0.0


def at_the_end(model: LogisticModel, found: Trajectory) -> tuple[Columns, Columns]:
    """Return the columns of the outputs at the last record, as `dynamics.ReadOff` does."""
    return {"sample": np.arange(model.n_train, dtype=np.int32)}, _outputs(model, *found.params)


def _outputs(model: LogisticModel, weights: Array, bias: Array) -> dict[str, np.ndarray]:
    """Return the training outputs and two coordinates of the training points, each (R, N).

    ``output`` is f; ``along`` is x·e₁, along the axis on which some laws have their centres;
    ``across`` is x·u, with u the direction of S across that axis (0 where S has no such part).
    """
    xp = model.xp
    axis = xp.zeros_like(weights)
    axis[:, 0] = 1.0
    across = weights * (1.0 - axis)
    length = xp.linalg.vector_norm(across, axis=-1, keepdims=True)
    across = across / xp.where(length > 0, length, 1.0)
    none = xp.zeros_like(bias)
    columns = {
        "output": model.outputs(weights, bias),
        "along": model.outputs(axis, none),
        "across": model.outputs(across, none),
    }
    return to_host(columns)
