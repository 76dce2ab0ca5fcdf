"""Literal full-batch gradient descent, one step after another.

The loop is shared by every rule that updates parameters from one gradient per step
(`gradient_descent` here, `adam.adam`), and by every model that follows the protocol
`Model`: parameters are a tuple of arrays (NumPy, or torch on any device), realizations on
the leading axis.  All realizations of a batch take their steps together.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from array_api_compat import array_namespace

from linear_grokking.arrays import Array, like, to_numpy
from linear_grokking.resume import Checkpoint, NoCheckpoint
from linear_grokking.solvers.trajectory import (
    Outcome,
    Trajectory,
    whole_steps,
    with_prefix,
)

Params = tuple[Array, ...]
OnRecord = Callable[[float, Params], None]

# Overflow is looked for at every record and this often in between: a look costs a
# synchronization on a GPU.
_STEPS_BETWEEN_LOOKS = 100


class Model(Protocol):
    """What literal steps ask of a model.

    Each realization of the batch is a problem of its own: row r of every gradient and
    observable depends on row r of the parameters only.  A model may also have a method
    ``integrands(params)`` with the signature of `observables`: rates whose sums over the
    steps are recorded as observables (conformal time, the integral of e^b, is one).
    """

    def gradient(self, params: Params) -> Params:
        """Return the gradient of the mean training loss, shaped like ``params``.

        Weight decay is not part of it; the solver adds that.
        """

    def observables(self, params: Params) -> Mapping[str, Array]:
        """Return the observables, each of shape (R,), at ``params``."""


class UpdateRule(Protocol):
    """How one gradient changes the parameters."""

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """Change ``params`` in place; ``step`` counts from 1."""

    def state(self) -> Mapping[str, np.ndarray]:
        """Return what the rule remembers between steps, as NumPy arrays."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take back a state that `state` returned."""


class _Descent:
    """θ ← θ − η(∇L + w θ)."""

    def __init__(self, eta: float, weight_decay: float) -> None:
        self.eta = eta
        self.weight_decay = weight_decay

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """See `UpdateRule.update`."""
        for theta, slope in zip(params, gradient, strict=True):
            if self.weight_decay:
                theta *= 1.0 - self.eta * self.weight_decay
            theta -= self.eta * slope

    def state(self) -> Mapping[str, np.ndarray]:
        """Return nothing: plain descent has no memory."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Do nothing."""


def gradient_descent(
    model: Model,
    params: Params,
    *,
    eta: float,
    steps: np.ndarray,
    weight_decay: float = 0.0,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate θ ← θ − η(∇L + w θ) and record the observables (Paper A Eq. 2; Paper B Sec. 2).

    Parameters
    ----------
    model
        The training problem; see `Model`.
    params : tuple of arrays (R, ...)
        Initial parameters; left as they are.
    eta
        Learning rate η.
    steps : (T,)
        Step numbers to record at, increasing whole numbers; 0 is the initial state.
    weight_decay
        Factor w; for Paper A's γ it is γ/d_out.
    checkpoint
        Where the state is offered after each step.
    on_record
        Called with step and parameters at each record; it must not keep or change them.

    Raises
    ------
    ValueError
        For a learning rate or weight decay out of range, or steps that are not
        increasing whole numbers.
    """
    if not 0 < eta < np.inf:
        raise ValueError(f"eta={eta}: the learning rate must be positive and finite")
    if not 0 <= weight_decay < np.inf:
        raise ValueError(f"weight_decay={weight_decay}: must be finite and not negative")
    rule = _Descent(eta, weight_decay)
    return iterate(model, params, rule, steps, checkpoint or NoCheckpoint(), on_record)


def iterate(
    model: Model,
    params: Params,
    rule: UpdateRule,
    steps: np.ndarray,
    checkpoint: Checkpoint,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Apply an update rule step by step and record the observables.

    Parameters are as for `gradient_descent`; the rule holds the learning rate.

    Raises
    ------
    ValueError
        Where ``steps`` are not increasing whole numbers.
    """
    steps = whole_steps(steps)
    xp = array_namespace(*params)
    params = tuple(xp.asarray(theta, copy=True) for theta in params)
    integrands = getattr(model, "integrands", lambda _: {})
    clocks = {name: xp.zeros_like(rate) for name, rate in integrands(params).items()}
    history: dict[str, list[np.ndarray]] = {}
    step = 0
    recorded = 0

    def snapshot() -> dict[str, np.ndarray]:
        """Return the state after the step just taken."""
        return {
            "step": np.array(step),
            **{f"param {k}": to_numpy(theta) for k, theta in enumerate(params)},
            **{f"clock {name}": to_numpy(clock) for name, clock in clocks.items()},
            **{f"rule {name}": value for name, value in rule.state().items()},
            **{f"history {name}": np.stack(rows) for name, rows in history.items()},
        }

    saved = checkpoint.restore()
    if saved is not None:
        step = int(saved["step"])
        recorded = int(np.searchsorted(steps, step))  # the state is older than its record
        for k, theta in enumerate(params):
            theta[...] = like(theta, saved[f"param {k}"])
        for name, clock in clocks.items():
            clock[...] = like(clock, saved[f"clock {name}"])
        rule.restore(with_prefix(saved, "rule "))
        history = {name: list(rows) for name, rows in with_prefix(saved, "history ").items()}

    def finish(outcome: Outcome, failed: tuple[int, ...] = ()) -> Trajectory:
        columns = {name: np.stack(rows, axis=-1) for name, rows in history.items()}
        return Trajectory(outcome, steps[:recorded].astype(float), columns, params, step, failed)

    with np.errstate(over="ignore", invalid="ignore"):  # overflow is looked for below
        while recorded < len(steps):
            if step == steps[recorded]:
                row = {
                    name: np.array(to_numpy(value), float)
                    for name, value in {**model.observables(params), **clocks}.items()
                }
                finite = np.all([np.isfinite(value) for value in row.values()], axis=0)
                if not finite.all():
                    return finish(Outcome.DIVERGED, tuple(np.flatnonzero(~finite).tolist()))
                for name, value in row.items():
                    history.setdefault(name, []).append(value)
                recorded += 1
                if on_record is not None:
                    on_record(float(step), params)
                continue
            for name, rate in integrands(params).items():
                clocks[name] += rate
            step += 1
            rule.update(params, model.gradient(params), step)
            if step % _STEPS_BETWEEN_LOOKS == 0:
                failed = _overflowed(params)
                if failed:
                    return finish(Outcome.DIVERGED, failed)
            checkpoint.offer(snapshot)
    return finish(Outcome.COMPLETED)


def _overflowed(params: Params) -> tuple[int, ...]:
    """Return the realizations with a parameter that is not finite."""
    xp = array_namespace(*params)
    total = sum(xp.sum(xp.reshape(theta, (theta.shape[0], -1)), axis=-1) for theta in params)
    return tuple(np.flatnonzero(~np.isfinite(to_numpy(total))).tolist())
