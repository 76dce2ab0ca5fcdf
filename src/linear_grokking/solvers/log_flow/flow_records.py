"""The records of a gradient flow: measured states, and states that wait to be measured."""

from collections.abc import Mapping

import numpy as np

from linear_grokking.models.contract import Params
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.runtime.arrays import Array, like, to_numpy
from linear_grokking.runtime.memory import MOST_PENDING
from linear_grokking.shapes import Float
from linear_grokking.solvers.records import Records, not_finite
from linear_grokking.solvers.trajectory import OnRecord


class FlowRecords(Records):
    """Records of (S, b, τ), measured several at a time.

    States are (..., R, d + 2).  Overflow is noticed when states are measured.
    """

    _model: LogisticModel

    def __init__(self, model: LogisticModel, steps: np.ndarray, on_record: OnRecord | None) -> None:
        super().__init__(model, steps, on_record)
        self._logs = np.log1p(steps)
        self._pending: list[Array] = []
        # Measuring a state also takes its outputs.
        self._most_pending = MOST_PENDING // (model.realizations * (model.d + model.n_train))

    def times(self, s: float) -> Float[np.ndarray, " k"]:
        """Return log(1 + t) of the records still to come, up to log time s."""
        return self._logs[self._count : np.searchsorted(self._logs, s, side="right")]

    def joined(self, params: Params, clocks: Mapping[str, Array]) -> Float[Array, "R width"]:
        """Return parameters and conformal time as one new array (R, d + 2)."""
        weights, bias = params
        columns = [weights, bias[:, None], clocks["conformal_time"][:, None]]
        return self._model.xp.concat(columns, axis=-1)

    def add(self, params: Params, clocks: Mapping[str, Array]) -> None:
        """See `Records.add`."""
        self.add_states(self.joined(params, clocks)[None])

    def add_states(self, states: Float[Array, "k R width"]) -> None:
        """Record the next k steps from states (k, R, d + 2)."""
        if self._on_record is not None:
            for step, state in zip(self._steps[self._count :], states, strict=False):
                self._on_record(float(step), (state[:, :-2], state[:, -2]))
        self._pending.append(states)
        self._count += len(states)
        if sum(map(len, self._pending)) >= self._most_pending:
            self._measure()

    def stay(self, state: Float[Array, "R width"], t: float) -> None:
        """Record the minimum (S, b, τ) that was reached by time t at all steps to come."""
        xp = self._model.xp
        weights_bias, clock = state[:, :-1], state[:, -1:]
        rate = xp.exp(weights_bias[:, -1:])
        while self.left:
            tau = clock + rate * (self.next - t)
            self.add_states(xp.concat([weights_bias, tau], axis=-1)[None])

    def _measure(self) -> None:
        """Reduce the pending states to the few numbers that are kept, up to the first overflow."""
        states = self._model.xp.concat(self._pending)
        self._pending.clear()
        measured = self._model.measure(states[..., :-2], states[..., -2])
        measured["conformal_time"] = to_numpy(states[..., -1])
        count, realizations = states.shape[:2]
        rows = [values.reshape(count, realizations, -1) for values in measured.values()]
        rows = np.concatenate(rows, axis=-1)
        kept = min(not_finite(rows), default=count)
        if kept < count:
            self.failed = self.failed or not_finite(rows[kept])
        self._count -= count - kept
        if kept:
            for name, values in measured.items():
                self._rows.setdefault(name, []).extend(values[:kept])

    def observables(self) -> dict[str, Float[np.ndarray, "R T"]]:
        """See `Records.observables`."""
        if self._pending:
            self._measure()
        return super().observables()

    def state(self) -> dict[str, np.ndarray]:
        """See `Records.state`.

        Pending states stay pending, so that they are measured in the same batches later.
        """
        state = super().state()
        if self._pending:
            state["states"] = to_numpy(self._model.xp.concat(self._pending))
        return state

    def restore(self, state: Mapping[str, np.ndarray], beside: Array | None = None) -> None:
        """See `Records.restore`; states go to the device of the array ``beside``."""
        super().restore(state)
        if "states" in state:
            self._pending = [like(beside, state["states"])]
