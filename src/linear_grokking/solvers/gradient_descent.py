"""Literal full-batch gradient descent, one step after another.

`walk` serves all literal steps: those of gradient descent, of Adam, and the first ones of the
logistic flow.  All realizations of a batch take their steps together.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Model, Params
from linear_grokking.runtime.arrays import Array, array_namespace, like, to_numpy
from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint, State
from linear_grokking.solvers.records import Records, not_finite
from linear_grokking.solvers.trajectory import (
    OnRecord,
    Outcome,
    Trajectory,
    check_rate,
    checked_steps,
    with_prefix,
    with_prefixes,
)

if TYPE_CHECKING:
    from linear_grokking.models.passes.stretches import Stretches

# Overflow is checked for at every record, and in between after so many steps: a check costs a
# synchronization on a GPU.
_STEPS_BETWEEN_LOOKS = 100

LONGEST_STRETCH = 1000
"""Most steps in one call: about a second, during which a job does not react to signals."""


class UpdateRule(Protocol):
    """How one gradient changes the parameters."""

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """Change ``params`` in place; ``step`` counts from 1."""
        ...

    def memory(self) -> Mapping[str, list[Array]]:
        """Return the arrays that the rule keeps between steps (not copies of them)."""
        ...


class Descent:
    """θ ← θ − η(∇L + w θ)."""

    def __init__(self, eta: float, decays: tuple[float, ...]) -> None:
        self.eta = eta
        self.decays = decays

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """See `UpdateRule.update`."""
        for theta, slope, decay in zip(params, gradient, self.decays, strict=True):
            if decay:
                theta *= 1.0 - self.eta * decay
            theta -= self.eta * slope

    def memory(self) -> Mapping[str, list[Array]]:
        """See `UpdateRule.memory`."""
        return {}


class SingleSteps:
    """A run of literal steps, taken one at a time by an update rule.

    The rule is given the model's gradient, or what ``gradient`` returns for the parameters.

    Attributes
    ----------
    step
        Steps taken so far.
    params, clocks
        Parameters, and the model's integrands summed over the steps.
    """

    def __init__(
        self,
        model: Model,
        params: Params,
        rule: UpdateRule,
        gradient: Callable[[Params], Params] | None = None,
    ) -> None:
        self.step = 0
        self.params = tuple(array_namespace(each).asarray(each, copy=True) for each in params)
        zeros = array_namespace(*params).zeros_like
        self.clocks = {name: zeros(rate) for name, rate in model.integrands(self.params).items()}
        self._model = model
        self._rule = rule
        self._gradient = gradient or model.gradient

    def advance(self, most: int) -> None:
        """Take one step; see `Walker.advance`."""
        for name, rate in self._model.integrands(self.params).items():
            self.clocks[name] += rate
        self.step += 1
        self._rule.update(self.params, self._gradient(self.params), self.step)

    def _arrays(self) -> dict[str, Array]:
        """Return all arrays that change, by name."""
        memory = self._rule.memory().items()
        return {
            **{f"param {k}": theta for k, theta in enumerate(self.params)},
            **{f"clock {name}": clock for name, clock in self.clocks.items()},
            **{f"{name} {k}": each for name, arrays in memory for k, each in enumerate(arrays)},
        }

    def state(self) -> State:
        """Return what `restore` needs."""
        arrays = {name: np.array(to_numpy(each)) for name, each in self._arrays().items()}
        return {"step": np.array(self.step), **arrays}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self.step = int(state["step"])
        for name, array in self._arrays().items():
            array[...] = like(array, state[name])


class CompiledSteps:
    """Like `SingleSteps`, but many steps per call: plain descent on small logistic sets."""

    def __init__(self, stretches: "Stretches", params: Params, eta: float) -> None:
        self.step = 0
        weights, bias = params
        clock = np.zeros((len(bias), 1))
        self._state = np.concatenate([weights, bias[:, None], clock], axis=-1)  # (R, d + 2)
        self.params = self._state[:, :-2], self._state[:, -2]
        self.clocks = {"conformal_time": self._state[:, -1]}
        self._stretches = stretches
        self._eta = eta

    def advance(self, most: int) -> None:
        """See `SingleSteps.advance`."""
        steps = min(most, LONGEST_STRETCH)
        self._stretches.descend(self._state, eta=self._eta, steps=steps)
        self.step += steps

    def state(self) -> State:
        """See `SingleSteps.state`."""
        return {"step": np.array(self.step), "state": self._state.copy()}

    def restore(self, state: State) -> None:
        """See `SingleSteps.restore`."""
        self.step = int(state["step"])
        self._state[...] = state["state"]


class Walker(Protocol):
    """A run of literal steps; see `SingleSteps`."""

    step: int
    params: Params
    clocks: dict[str, Array]

    def advance(self, most: int) -> None:
        """Take at least one step and at most ``most``."""
        ...

    def state(self) -> State:
        """Return what `restore` needs."""
        ...

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        ...


def gradient_descent(
    model: Model,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate θ ← θ − η(∇L + w θ) and record the observables (Paper A, Eq. 3; Paper B, Sec. 3.1).

    See `trajectory.Solver`.  Small training sets of the logistic model are trained in compiled
    loops.
    """
    return follow(model, descent(model, params, eta), steps, checkpoint, on_record)


def descent(model: Model, params: Params, eta: float) -> Walker:
    """Return the walker of gradient descent that suits the model.

    Raises
    ------
    ValueError
        If the learning rate or a weight decay is out of range.
    """
    check_rate(eta)
    if not all(0 <= decay < np.inf for decay in model.decays):
        raise ValueError(f"decays = {model.decays}: must be finite and not negative")
    stretches = model.stretches()
    if stretches is not None:
        return CompiledSteps(stretches, params, eta)
    return SingleSteps(model, params, Descent(eta, model.decays))


def follow(
    model: Model,
    walker: Walker,
    steps: ArrayLike,
    checkpoint: Checkpoint | None,
    on_record: OnRecord | None,
) -> Trajectory:
    """Take literal steps to the last record, resuming from the checkpoint if it holds a state.

    Raises
    ------
    ValueError
        If ``steps`` are not increasing whole numbers.
    """
    records = Records(model, checked_steps(steps), on_record)
    checkpoint = checkpoint or NoCheckpoint()
    saved = checkpoint.restore()
    if saved is not None:
        walker.restore(with_prefix(saved, "walker "))
        records.restore(with_prefix(saved, "records "))

    def snapshot() -> State:
        return with_prefixes(walker=walker.state(), records=records.state())

    with np.errstate(over="ignore", invalid="ignore"):  # overflow is checked for
        walk(walker, records, np.inf, lambda: checkpoint.offer(snapshot))
        return records.trajectory(Outcome.COMPLETED, walker.params, walker.step)


def walk(walker: Walker, records: Records, until: float, offer: Callable[[], None]) -> None:
    """Take steps and record, up to ``until``, the last record or an overflow."""
    looked = walker.step
    while records.left and walker.step < until:
        if records.next == walker.step:
            records.add(walker.params, walker.clocks)
            continue
        walker.advance(int(min(until, records.next)) - walker.step)
        if walker.step - looked >= _STEPS_BETWEEN_LOOKS:
            looked = walker.step
            records.failed = _overflowed(walker.params)
        if not records.failed:
            offer()


def _overflowed(params: Params) -> tuple[int, ...]:
    """Return the realizations with a parameter that is not finite."""
    xp = array_namespace(*params)
    total = sum(xp.sum(xp.reshape(theta, (theta.shape[0], -1)), axis=-1) for theta in params)
    return not_finite(to_numpy(total))
