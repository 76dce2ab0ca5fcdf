"""Literal stochastic gradient descent on the linear model."""

from copy import deepcopy

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Params
from linear_grokking.models.linear import SampledLinearModel
from linear_grokking.runtime.checkpoints import Checkpoint, State
from linear_grokking.solvers.gradient_descent import Descent, SingleSteps, follow
from linear_grokking.solvers.trajectory import OnRecord, Trajectory, check_rate


class _BatchSteps(SingleSteps):
    """Steps down the gradient of a batch, which each realization draws anew from its stream."""

    def __init__(
        self, model: SampledLinearModel, params: Params, eta: float, batch_size: int
    ) -> None:
        super().__init__(model, params, Descent(eta, model.decays), self._of_a_batch)
        self._sampled = model
        self._streams = deepcopy(model.streams)
        self._batch_size = batch_size

    def _of_a_batch(self, params: Params) -> Params:
        """Draw a batch for each realization, and return the gradient there."""
        n_train = self._sampled.data.inputs.shape[-2]
        size = {"size": self._batch_size, "replace": False, "shuffle": False}
        batches = np.stack([stream.choice(n_train, **size) for stream in self._streams])
        return self._sampled.batch_gradient(params, batches)

    def state(self) -> State:
        """See `SingleSteps.state`."""
        streams = {f"stream {k}": _state(each) for k, each in enumerate(self._streams)}
        return {**super().state(), **streams}

    def restore(self, state: State) -> None:
        """See `SingleSteps.restore`."""
        super().restore(state)
        for k, stream in enumerate(self._streams):
            *words, has_half, half = state[f"stream {k}"]
            stream.bit_generator.state = {
                **stream.bit_generator.state,
                "state": {"state": np.array(words)},
                "has_uint32": int(has_half),
                "uinteger": int(half),
            }


def _state(stream: np.random.Generator) -> np.ndarray:
    """Return the state of an SFC64 stream as one array."""
    state = stream.bit_generator.state
    halves = [state["has_uint32"], state["uinteger"]]
    return np.array([*state["state"]["state"], *halves], np.uint64)


def sgd(
    model: SampledLinearModel,
    params: Params,
    *,
    eta: float,
    batch_size: int,
    steps: ArrayLike,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate θ ← θ − η(∇L_B + w θ) and record the observables.

    See `trajectory.Solver`.  A step's batch B is drawn without replacement, and independently of
    the batches before it.

    Parameters
    ----------
    batch_size
        Samples in a batch.

    Raises
    ------
    ValueError
        For an argument out of range.
    """
    check_rate(eta)
    n_train = model.data.inputs.shape[-2]
    if not 1 <= batch_size <= n_train:
        raise ValueError(f"batch_size = {batch_size}: must lie in [1, {n_train}]")
    return follow(model, _BatchSteps(model, params, eta, batch_size), steps, checkpoint, on_record)
