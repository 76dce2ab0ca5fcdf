"""What every solver of dynamics returns, and how a run can end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from linear_grokking.arrays import Array


class SolverError(RuntimeError):
    """A run did not reach its last record; the message says why and what to do."""


class Outcome(Enum):
    """How a run ended; the value says what to do about it."""

    COMPLETED = "completed"
    DIVERGED = (
        "the parameters or the loss overflowed: the steps are too long for this curvature; "
        "lower eta (or sigma), or use the gradient flow with gd_steps = 0"
    )
    STEP_TOO_SHORT = (
        "no step of the flow, however short, meets the tolerance: raise rtol, or use float64"
    )
    STEP_LIMIT = (
        "max_gradients was spent before the last record: raise it, raise rtol, or lower t_max"
    )


@dataclass(frozen=True)
class Trajectory:
    """Observables at the recorded steps, and the state at the last of them.

    Attributes
    ----------
    outcome
        How the run ended.  Where it is not `Outcome.COMPLETED`, the records stop before
        the failure: no entry is ever NaN or infinite.
    steps : (T,)
        Recorded times, in steps.
    observables : mapping of (R, T) float64 NumPy arrays
        One entry per history column.
    params : tuple of arrays (R, ...)
        Parameters at the end, in the namespace they came in.
    gradients
        Gradients of the full training set that were computed, matrix products of equal
        cost (curvature estimates, rejected steps) included.
    failed : tuple of int
        Realizations of the batch that overflowed.
    """

    outcome: Outcome
    steps: np.ndarray
    observables: Mapping[str, np.ndarray]
    params: tuple[Array, ...]
    gradients: int
    failed: tuple[int, ...] = ()

    def require_completed(self) -> "Trajectory":
        """Return the trajectory itself.

        Raises
        ------
        SolverError
            Unless the run reached its last record.
        """
        if self.outcome is Outcome.COMPLETED:
            return self
        last = f"last record at step {self.steps[-1]:g}" if len(self.steps) else "no record"
        which = f" (realizations {list(self.failed)} of the batch)" if self.failed else ""
        raise SolverError(f"{self.outcome.name}{which}, {last}: {self.outcome.value}")


def whole_steps(steps: np.ndarray) -> np.ndarray:
    """Return recorded step numbers as integers.

    Raises
    ------
    ValueError
        Where they are not increasing whole numbers, 0 or larger.
    """
    steps = np.asarray(steps)
    if steps.ndim != 1 or not np.all(np.isfinite(steps)) or np.any(steps < 0):
        raise ValueError(f"steps={steps}: must be a list of whole numbers, 0 or larger")
    whole = np.rint(steps).astype(np.int64)
    if np.any(whole != steps) or np.any(np.diff(whole) <= 0):
        raise ValueError(f"steps={steps}: must be whole numbers that increase")
    return whole


def with_prefix(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Return the entries of a saved state whose names start with a prefix, without it."""
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
