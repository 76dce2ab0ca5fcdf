"""Jobs of Paper B's model on sets whose inputs are drawn only as far as training needs them."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.data.deferred import deferred_classification
from linear_grokking.data.laws import InputLaw
from linear_grokking.jobs.dynamics import histories, solved
from linear_grokking.jobs.logistic import at_the_end, decays_of
from linear_grokking.models.contract import Params
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import Loss
from linear_grokking.models.passes.deferred_pass import DeferredPass
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint, State
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.solvers.trajectory import (
    OnRecord,
    Solver,
    Trajectory,
    with_prefix,
    with_prefixes,
)


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
    return histories(spec, realizations, context, _keeping(solve), _set_up(spec, law, loss))


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
    set_up = _set_up(spec, law, loss)
    return solved(spec, realizations, context, _keeping(solve), set_up, at_the_end)


def _set_up(
    spec: Spec, law: InputLaw, loss: Loss
) -> Callable[[Sequence[int]], tuple[LogisticModel, Params]]:
    keys = ("seed", "n_train", "d", "s0_norm", "label_fraction")
    options: dict[str, Any] = {key: spec[key] for key in keys}

    def set_up(batch: Sequence[int]) -> tuple[LogisticModel, Params]:
        drawn = [deferred_classification(law, realization=k, **options) for k in batch]
        model = LogisticModel(
            DeferredPass([each.inputs for each in drawn]),
            np.stack([each.labels for each in drawn]),
            law,
            loss=loss,
            bias=spec["bias"],
            label_fraction=spec["label_fraction"],
            decays=decays_of(spec),
        )
        weights = np.stack([each.weights for each in drawn])
        return model, (weights, np.full(len(batch), spec["b0"], np.float64))

    return set_up


class _WithInputs:
    """A solver's checkpoint that also keeps the inputs drawn so far."""

    def __init__(self, checkpoint: Checkpoint, inputs: DeferredPass) -> None:
        self._checkpoint = checkpoint
        self._inputs = inputs

    def restore(self) -> State | None:
        saved = self._checkpoint.restore()
        if saved is None:
            return None
        self._inputs.restore(with_prefix(saved, "inputs "))
        return saved

    def offer(self, state: Callable[[], State]) -> None:
        self._checkpoint.offer(lambda: {**state(), **with_prefixes(inputs=self._inputs.state())})


def _keeping(solve: Solver) -> Solver:
    """Return a solver whose checkpoints also keep the inputs drawn so far."""

    def with_inputs(
        model: LogisticModel,
        params: Params,
        *,
        eta: float,
        steps: ArrayLike,
        checkpoint: Checkpoint | None = None,
        on_record: OnRecord | None = None,
    ) -> Trajectory:
        kept = _WithInputs(checkpoint or NoCheckpoint(), cast(DeferredPass, model.data))
        return solve(model, params, eta=eta, steps=steps, checkpoint=kept, on_record=on_record)

    return with_inputs
