"""The records of a run: what has been observed so far at the recorded steps."""

from collections.abc import Mapping

import numpy as np

from linear_grokking.models.contract import Measuring, Model, Params
from linear_grokking.runtime.arrays import Array, to_host
from linear_grokking.shapes import Float
from linear_grokking.solvers.trajectory import OnRecord, Outcome, Trajectory, with_prefix


def not_finite(values: Float[np.ndarray, "R ..."]) -> tuple[int, ...]:
    """Return the realizations with a number that is not finite."""
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=-1)
    return tuple(np.flatnonzero(~finite).tolist())


class Records:
    """Observables of a model at the recorded steps.

    A model that measures at each record (``contract.Measuring``) gives its observables at the end,
    from the measurements kept until then.

    Attributes
    ----------
    failed : tuple of int
        Realizations with a number that was not finite; that record is left out.
    """

    def __init__(self, model: Model, steps: np.ndarray, on_record: OnRecord | None) -> None:
        self.failed: tuple[int, ...] = ()
        self._model = model
        self._steps = steps
        self._on_record = on_record
        self._count = 0
        self._rows: dict[str, list[np.ndarray]] = {}

    @property
    def left(self) -> bool:
        """Whether any records are still to come."""
        return self._count < len(self._steps) and not self.failed

    @property
    def next(self) -> float:
        """The step of the next record."""
        return self._steps[self._count]

    @property
    def last(self) -> float:
        """The step of the last record."""
        return self._steps[-1]

    @property
    def recorded(self) -> Float[np.ndarray, " T"]:
        """The steps recorded so far."""
        return self._steps[: self._count]

    def add(self, params: Params, clocks: Mapping[str, Array]) -> None:
        """Record the next step: observables, and the integrals over the steps so far (clocks)."""
        if isinstance(self._model, Measuring):
            found = self._model.measure(*params)
        else:
            found = self._model.observables(params)
        row = {k: np.array(v, float) for k, v in to_host({**found, **clocks}).items()}
        columns = [value.reshape(len(value), -1) for value in row.values()]
        self.failed = not_finite(np.concatenate(columns, axis=-1))
        if self.failed:
            return
        for name, value in row.items():
            self._rows.setdefault(name, []).append(value)
        if self._on_record is not None:
            self._on_record(float(self.next), params)
        self._count += 1

    def observables(self) -> dict[str, Float[np.ndarray, "R T"]]:
        """Return the history columns, each (R, T)."""
        columns = {name: np.stack(rows) for name, rows in self._rows.items()}
        if columns and isinstance(self._model, Measuring):
            columns = self._model.observables_from(columns)
        return {name: np.ascontiguousarray(values.T) for name, values in columns.items()}

    def trajectory(self, outcome: Outcome, params: Params, gradients: int) -> Trajectory:
        """Return what was recorded, and where the run ended; see `Trajectory`."""
        observables = self.observables()
        if self.failed:
            outcome = Outcome.DIVERGED
        return Trajectory(outcome, self.recorded, observables, params, gradients, self.failed)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs."""
        rows = {f"record {name}": np.stack(rows) for name, rows in self._rows.items()}
        return {"count": np.array(self._count), **rows}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self._count = int(state["count"])
        self._rows = {name: list(rows) for name, rows in with_prefix(state, "record ").items()}
