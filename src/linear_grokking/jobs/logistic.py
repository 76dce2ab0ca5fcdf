"""Jobs of Paper B's model: dynamics, and the training outputs at their end."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from linear_grokking.arrays import to_numpy
from linear_grokking.costs import BATCH_BYTES, device_bytes, realization_cost
from linear_grokking.data import ClassificationData, classification
from linear_grokking.jobs.context import Columns, JobContext, Results
from linear_grokking.jobs.device import mover
from linear_grokking.jobs.laws import input_law
from linear_grokking.jobs.records import record_steps
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.randomness import generator
from linear_grokking.solvers.trajectory import Trajectory

Solve = Callable[..., Trajectory]


def gradient_flow(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the results of literal steps at first, then the stabilized flow."""
    from linear_grokking.solvers.gradient_flow import gradient_flow as solve

    yield from _results(
        spec, realizations, context, partial(solve, rtol=spec["rtol"], gd_steps=spec["gd_steps"])
    )


def gradient_descent(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the results of literal gradient descent."""
    from linear_grokking.solvers.gradient_descent import gradient_descent as solve

    yield from _results(spec, realizations, context, solve)


def adam(spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext) -> Results:
    """Yield the results of literal Adam."""
    from linear_grokking.solvers.adam import adam as solve

    betas = (spec["beta1"], spec["beta2"])
    yield from _results(
        spec, realizations, context, partial(solve, betas=betas, epsilon=spec["adam_epsilon"])
    )


def _results(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext, solve: Solve
) -> Results:
    """Yield each realization's columns: one at a time on a CPU, in batches on a device."""
    if context.device == "cpu":
        for realization in realizations:
            yield from _solve_batch(spec, [realization], context, solve)
        return
    from linear_grokking.batches import FittingBatches

    on_host = realization_cost(spec).data_bytes
    largest = max(1, min(len(realizations), int(BATCH_BYTES // on_host)))
    batches = FittingBatches(context.device, device_bytes(spec), largest)
    work = partial(_solve_batch, spec, context=context, solve=solve)
    for _, results in batches.run(list(realizations), work):
        yield from results


def _solve_batch(
    spec: Mapping[str, Any], batch: Sequence[int], context: JobContext, solve: Solve
) -> list[tuple[int, Columns]]:
    """Return the columns of realizations that are solved together."""
    model, params = _set_up(spec, batch, context)
    trajectory = solve(
        model,
        params,
        eta=spec["eta"],
        steps=context.steps(record_steps(spec["t_max"], spec["records"])),
        checkpoint=context.checkpoint(batch),
        on_record=context.on_record,
    ).require_completed()
    if spec["measure"] == "outputs":
        first = {"sample": np.arange(spec["n_train"], dtype=np.int32)}
        columns = _outputs(model, *trajectory.params)
    else:
        first, columns = {"step": trajectory.steps}, trajectory.observables
    return [
        (realization, first | {name: v[position] for name, v in columns.items()})
        for position, realization in enumerate(batch)
    ]


def _set_up(
    spec: Mapping[str, Any], batch: Sequence[int], context: JobContext
) -> tuple[LogisticModel, tuple[Any, Any]]:
    """Draw the batch's sets and put the model on them, on the job's device."""
    law = input_law(spec)
    dtype = np.dtype(spec["dtype"])
    sizes = {"n_train": spec["n_train"], "d": spec["d"]}
    drawn = [
        classification(
            law,
            seed=spec["seed"],
            realization=realization,
            s0_norm=spec["s0_norm"],
            label_fraction=spec["label_fraction"],
            dtype=dtype.type,
            **sizes,
        )
        for realization in batch
    ]
    test = _test_inputs(spec, batch, dtype) if spec["n_gen"] else None
    to_device = mover(context.device)
    model = LogisticModel(
        to_device(_stack(drawn, "inputs")),
        to_device(_stack(drawn, "labels")),
        law,
        loss=spec["loss"],
        bias=spec["bias"],
        label_fraction=spec["label_fraction"],
        test_inputs=None if test is None else to_device(test),
        threads=context.threads,
    )
    weights = _stack(drawn, "weights").astype(np.float64)
    bias = np.full(len(batch), spec["b0"], np.float64)
    return model, (to_device(weights), to_device(bias))


def _stack(drawn: Sequence[ClassificationData], name: str) -> np.ndarray:
    """Put one array of each realization on a leading axis; a single one is not copied."""
    arrays = [getattr(data, name) for data in drawn]
    return arrays[0][np.newaxis] if len(arrays) == 1 else np.stack(arrays)


def _test_inputs(spec: Mapping[str, Any], batch: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Draw fresh inputs of the same law, (R, n_gen, d)."""
    law = input_law(spec)
    inputs = np.empty((len(batch), spec["n_gen"], spec["d"]), dtype)
    for position, realization in enumerate(batch):
        key = {**law.key(), "n_gen": spec["n_gen"], "d": spec["d"]}
        law.draw(generator(spec["seed"], key, realization, "test inputs"), inputs[position])
    return inputs


def _outputs(model: LogisticModel, weights: Any, bias: Any) -> dict[str, np.ndarray]:
    """Return the training outputs and two coordinates of the training points, each (R, N).

    ``output`` is f; ``along`` is x·e₁, the axis on which some laws have their centres, and
    ``across`` is x·u, u the direction of S across that axis (0 where S has no such part).
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
    return {name: to_numpy(values) for name, values in columns.items()}
