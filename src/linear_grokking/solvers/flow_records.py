"""The records of a gradient flow: states that wait to be measured, and what they were."""

from collections.abc import Callable, Mapping

import numpy as np

from linear_grokking.arrays import Array, like, to_numpy
from linear_grokking.models.logistic import LogisticModel, Params
from linear_grokking.solvers.trajectory import with_prefix

_LARGEST_PENDING = 2**19
"""Numbers that records may keep waiting, to be measured together."""


class FlowRecords:
    """Measurements at the recorded steps, as far as they have come."""

    def __init__(
        self,
        model: LogisticModel,
        steps: np.ndarray,
        on_record: Callable[[float, Params], None] | None,
    ) -> None:
        self._model = model
        self._steps = steps
        self._on_record = on_record
        self._logs = np.log1p(steps)
        self._count = 0
        self._measured: dict[str, list[np.ndarray]] = {}
        self._pending: list[Array] = []
        self._pending_count = 0
        # Outputs come with each.
        self._most_pending = _LARGEST_PENDING // (model.realizations * (model.d + model.n_train))
        self.overflowed = False

    @property
    def left(self) -> bool:
        """Whether there is a record to come."""
        return self._count < len(self._steps) and not self.overflowed

    @property
    def next(self) -> float:
        """The step of the next record."""
        return self._steps[self._count]

    @property
    def last(self) -> float:
        """The step of the last record."""
        return self._steps[-1]

    @property
    def recorded(self) -> np.ndarray:
        """The steps recorded so far."""
        return self._steps[: self._count]

    def times(self, s: float) -> np.ndarray:
        """Return log(1 + t) of the records up to time s that are still to come."""
        return self._logs[self._count : np.searchsorted(self._logs, s, side="right")]

    def add(self, states: Array) -> None:
        """Record the next k steps from states (k, R, d + 2)."""
        if self._on_record is not None:
            for step, state in zip(self._steps[self._count :], states, strict=False):
                self._on_record(float(step), (state[:, :-2], state[:, -2]))
        self._pending.append(states)
        self._count += len(states)
        self._pending_count += len(states)
        if self._pending_count >= self._most_pending:
            self._measure()

    def _measure(self) -> None:
        """Reduce what is pending to the few numbers that are kept, up to the first overflow."""
        states = self._model.xp.concat(self._pending)
        self._pending.clear()
        self._pending_count = 0
        measured = self._model.measure(states[..., :-2], states[..., -2])
        measured["conformal_time"] = to_numpy(states[..., -1])
        finite = np.all(
            [np.isfinite(rows).reshape(len(rows), -1).all(axis=-1) for rows in measured.values()],
            axis=0,
        )
        kept = len(finite) if finite.all() else int(np.argmin(finite))
        self.overflowed = kept < len(finite)
        self._count -= len(finite) - kept
        for name, rows in measured.items():
            self._measured.setdefault(name, []).append(rows[:kept])

    def observables(self) -> dict[str, np.ndarray]:
        """Return the history columns, each (R, T)."""
        if self._pending:
            self._measure()
        if not self._count:
            return {}
        measured = {name: np.concatenate(rows) for name, rows in self._measured.items()}
        return {
            name: np.ascontiguousarray(values.T)
            for name, values in self._model.observables_from(measured).items()
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs.

        What is pending stays pending, so that it is measured in the same company.
        """
        xp = self._model.xp
        state = {"count": np.array(self._count)}
        for name, rows in self._measured.items():
            state[f"measured {name}"] = np.concatenate(rows)
        if self._pending:
            state["states"] = to_numpy(xp.concat(self._pending))
        return state

    def restore(self, state: Mapping[str, np.ndarray], beside: Array) -> None:
        """Take back what `state` returned, to where the array ``beside`` lies."""
        self._count = int(state["count"])
        self._measured = {k: [rows] for k, rows in with_prefix(state, "measured ").items()}
        if "states" in state:
            self._pending = [like(beside, state["states"])]
            self._pending_count = len(state["states"])
