"""Literal stochastic gradient descent on the linear model."""

from copy import deepcopy

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.batch_loops import descend
from linear_grokking.models.contract import Params
from linear_grokking.models.linear import SampledLinearModel
from linear_grokking.runtime.checkpoints import Checkpoint, State
from linear_grokking.solvers.gradient_descent import follow
from linear_grokking.solvers.trajectory import OnRecord, Trajectory, check_rate

_DRAWS_AT_ONCE = 2**18
"""Most samples drawn for one call: less than a second, in which a job does not react to signals."""


class _BatchSteps:
    """A `gradient_descent.Walker` that takes many steps in one call.

    Each realization draws from its own stream, and only what its steps need, so that the numbers
    do not depend on how the steps are divided into calls.
    """

    def __init__(
        self, model: SampledLinearModel, params: Params, eta: float, batch_size: int
    ) -> None:
        data = model.data
        noise = np.zeros(1) if data.label_noise is None else data.label_noise
        shape = (*data.inputs.shape[:2], model.d_out)
        self.step = 0
        self.clocks: dict[str, np.ndarray] = {}
        self._students = _by_output(*params)
        self.params = (self._students.swapaxes(-1, -2),)
        self._sets = (
            np.ascontiguousarray(data.inputs),
            _by_output(np.broadcast_to(noise, shape)),
            _by_output(*data.teacher),
        )
        self._rates = float(eta), float(model.weight_decay)
        self._streams = deepcopy(model.streams)
        n_train = data.inputs.shape[-2]
        self._below = np.arange(n_train - batch_size, n_train) + 1
        self._longest = max(1, _DRAWS_AT_ONCE // (len(data.inputs) * batch_size))

    def advance(self, most: int) -> None:
        """Take at least one step and at most ``most``."""
        steps = min(most, self._longest)
        size = (steps, len(self._below))
        draws = np.stack([stream.integers(self._below, size=size) for stream in self._streams])
        descend(self._sets, draws, *self._rates, self._students)
        self.step += steps

    def state(self) -> State:
        """Return what `restore` needs."""
        streams = {f"stream {k}": _state(each) for k, each in enumerate(self._streams)}
        return {"step": np.array(self.step), "students": self._students.copy(), **streams}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self.step = int(state["step"])
        self._students[...] = state["students"]
        for k, stream in enumerate(self._streams):
            *words, has_half, half = state[f"stream {k}"]
            stream.bit_generator.state = {
                **stream.bit_generator.state,
                "state": {"state": np.array(words)},
                "has_uint32": int(has_half),
                "uinteger": int(half),
            }


def _by_output(array: np.ndarray) -> np.ndarray:
    """Return (R, n, d_out) as (R, d_out, n), a copy in that order."""
    return array.swapaxes(-1, -2).copy()


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

    See `trajectory.Solver`.  The batch B of each step is drawn without replacement, independently
    of earlier batches.

    Parameters
    ----------
    batch_size
        Samples in a batch.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_rate(eta)
    n_train = model.data.inputs.shape[-2]
    if not 1 <= batch_size <= n_train:
        raise ValueError(f"batch_size = {batch_size}: must lie in [1, {n_train}]")
    return follow(model, _BatchSteps(model, params, eta, batch_size), steps, checkpoint, on_record)
