"""The contract of the solvers of dynamics: what they are given, and what they return."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.models.contract import Params
from linear_grokking.runtime.checkpoints import Checkpoint, State
from linear_grokking.runtime.context import OnRecord
from linear_grokking.shapes import Float


class SolverError(LinearGrokkingError, RuntimeError):
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
        "the bound on the steps was spent before the last record: raise rtol, or lower t_max or eta"
    )


@dataclass(frozen=True)
class Trajectory:
    """Observables at the recorded steps, and the state at the last of them.

    Attributes
    ----------
    outcome
        How the run ended.  Where it is not ``Outcome.COMPLETED``, the records stop before
        the failure: no entry is ever NaN or infinite.
    steps : (T,)
        Recorded times, in steps.
    observables : mapping of (R, T) float64 NumPy arrays
        One entry per history column.
    params : tuple of arrays (R, ...)
        Parameters at the end, in the array namespace of the initial ones.
    gradients
        Number of gradients of the full training set computed, including matrix products of
        equal cost (curvature estimates, rejected steps).
    failed : tuple of int
        Positions in the batch of the realizations that failed, where known.
    """

    outcome: Outcome
    steps: Float[np.ndarray, " T"]
    observables: Mapping[str, Float[np.ndarray, "R T"]]
    params: Params
    gradients: int
    failed: tuple[int, ...] = ()

    def require_completed(self, realizations: Sequence[int] | None = None) -> "Trajectory":
        """Return the trajectory itself.

        Parameters
        ----------
        realizations
            Numbers of the batch's realizations, by which an error message names them.

        Raises
        ------
        SolverError
            If the run did not reach its last record.
        """
        if self.outcome is Outcome.COMPLETED:
            return self
        last = f"last record at step {self.steps[-1]:g}" if len(self.steps) else "no record"
        failed = [k if realizations is None else realizations[k] for k in self.failed]
        whose = " of the batch" if realizations is None else ""
        which = f" (realizations {failed}{whose})" if failed else ""
        raise SolverError(f"{self.outcome.name}{which}, {last}: {self.outcome.value}")


class Solver(Protocol):
    """A solver of dynamics; some take further options.

    Time is in steps of gradient descent, also for flows: dθ/dt = -η(∇L + wθ).
    """

    def __call__(
        self,
        model: Any,
        params: Params,
        *,
        eta: float,
        steps: ArrayLike,
        checkpoint: Checkpoint | None = None,
        on_record: OnRecord | None = None,
    ) -> Trajectory:
        """Follow a batch of realizations from initial parameters to the last record.

        Parameters
        ----------
        model
            The training problem, a `models.contract.Model` with weight decay w; some solvers
            accept only one model.
        params : tuple of arrays (R, ...)
            Initial parameters, realizations on the leading axis; not modified.
        eta
            Learning rate η.
        steps : (T,)
            Steps to record at, increasing whole numbers; 0 is the initial state.
        checkpoint
            Where the state is offered for saving, and restored from: a run that was stopped
            continues with the same bits.
        on_record
            Called at each record.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        ...


def record_steps(t_max: float, records: int) -> Float[np.ndarray, " T"]:
    """Return the recorded steps (float64): 0, then whole numbers log-spaced up to t_max."""
    spaced = np.logspace(0.0, np.log10(t_max), records)
    spaced[-1] = t_max
    return np.unique(np.concatenate([[0.0], np.rint(spaced)]))


def checked_steps(steps: ArrayLike, *, whole_until: float = math.inf) -> Float[np.ndarray, " T"]:
    """Return the steps to record at as float64.

    Raises
    ------
    ValueError
        If they are not a non-empty, increasing list of finite numbers, 0 or larger, that are
        whole up to ``whole_until``.
    """
    steps = np.asarray(steps, float)
    if steps.ndim != 1 or not len(steps) or not np.all(np.isfinite(steps)) or np.any(steps < 0):
        raise ValueError(f"steps={steps}: must be a list of finite numbers, 0 or larger")
    if np.any(np.diff(steps) <= 0):
        raise ValueError(f"steps={steps}: must increase")
    if np.any((steps != np.rint(steps)) & (steps <= whole_until)):
        limit = f" up to {whole_until:g}" if whole_until < math.inf else ""
        raise ValueError(f"steps={steps}: must be whole numbers{limit}")
    return steps


def check_rate(eta: float) -> None:
    """Raise ValueError unless the learning rate is positive and finite."""
    if not 0 < eta < math.inf:
        raise ValueError(f"eta = {eta}: the learning rate must be positive and finite")


def with_prefixes(**states: State) -> dict[str, np.ndarray]:
    """Return several states as one to save; `with_prefix` gets one back, by ``"name "``."""
    return {f"{name} {k}": v for name, state in states.items() for k, v in state.items()}


def with_prefix(state: State, prefix: str) -> dict[str, np.ndarray]:
    """Return the entries of a saved state whose names start with a prefix, without it."""
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
