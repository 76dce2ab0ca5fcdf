"""Gradient flow of the logistic model, dθ/dt = -η∇L(θ), to very long times (Paper B).

The curvature of the loss falls like 1/t, so in s = log(1 + t) the stiffness of the flow
stays what it is, and a stabilized explicit method (`rkc.RKC2`) needs a few hundred
gradients to any time.  Gradient descent differs from the flow by its first steps only:
taken literally, they leave a difference that falls like one over their number.

A batch of realizations takes common steps, chosen for the worst of them.
"""

import math
from collections.abc import Callable

import numpy as np

from linear_grokking.arrays import like, to_numpy
from linear_grokking.models.logistic import LogisticModel, Params
from linear_grokking.resume import Checkpoint, NoCheckpoint
from linear_grokking.solvers.flow_records import FlowRecords
from linear_grokking.solvers.log_time import LogTimeFlow
from linear_grokking.solvers.rkc import RKC2, Point, StepSizeError
from linear_grokking.solvers.trajectory import (
    Outcome,
    Trajectory,
    whole_steps,
    with_prefix,
)

_LONGEST_STRETCH = 1000
"""GD steps in one call: about a second, in which a job that is told to stop does not hear."""


def gradient_flow(
    model: LogisticModel,
    params: Params,
    *,
    eta: float,
    steps: np.ndarray,
    gd_steps: int = 200,
    rtol: float = 1e-4,
    max_gradients: int = 100_000,
    checkpoint: Checkpoint | None = None,
    on_record: Callable[[float, Params], None] | None = None,
) -> Trajectory:
    """Integrate gradient flow and record the observables (Paper B, Sec. 2).

    Parameters
    ----------
    model
        The training sets.
    params : (R, d), (R,)
        S₀ and b₀ in float64; left as they are.
    eta
        Learning rate η.
    steps : (T,)
        Times to record at, in GD steps, increasing; whole numbers up to ``gd_steps``.
        They cost next to nothing: states in between come from interpolation of third
        order.
    gd_steps
        Number of literal GD steps before the flow takes over; 0 for the pure flow.  With
        η = 0.01, σ = 5 the largest later difference from GD is 6e-4 of S after 100
        steps, 3e-4 after 200, 2e-4 after 300 (and of order 1e-2 of S at t < 10 for the
        pure flow).
    rtol
        Tolerated error of a step relative to ‖S‖ plus the weight norm that gives outputs
        of order 1, to 1 + |b|, and to 1 + τ.
    max_gradients
        Bound on the gradients that are spent.
    checkpoint
        Where the state is offered after each step.
    on_record
        Called with step and parameters at each record, in order.

    Returns
    -------
    Trajectory
        With the observables of `LogisticModel.observables` and ``conformal_time``,
        τ = ∫e^b dt.

    Raises
    ------
    ValueError
        For arguments out of range, or times that do not increase.
    """
    if not 0 < eta < math.inf:
        raise ValueError(f"eta={eta}: the learning rate must be positive and finite")
    if not 0 < rtol < 1:
        raise ValueError(f"rtol={rtol}: must lie between 0 and 1")
    if gd_steps < 0:
        raise ValueError(f"gd_steps={gd_steps}: must be 0 or larger")
    steps = np.asarray(steps, float)
    whole_steps(steps[steps <= gd_steps])
    if steps.ndim != 1 or np.any(np.diff(steps) <= 0) or not np.all(np.isfinite(steps)):
        raise ValueError(f"steps={steps}: must be finite and increase")
    records = FlowRecords(model, steps, on_record)
    run = _Run(model, params, eta, records, rtol, checkpoint or NoCheckpoint())
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        outcome = run.descend(gd_steps)
        if outcome is Outcome.COMPLETED and run.records.left:
            outcome = run.flow(max_gradients)
        return run.trajectory(outcome)


class _Run:
    """One call of `gradient_flow`: where it is, and what it has recorded."""

    def __init__(
        self,
        model: LogisticModel,
        params: Params,
        eta: float,
        records: FlowRecords,
        rtol: float,
        checkpoint: Checkpoint,
    ) -> None:
        weights, bias = params
        xp = model.xp
        self._model = model
        self._stretches = model.stretches()
        self._eta = eta
        self._rtol = rtol
        self._checkpoint = checkpoint
        self._saved = checkpoint.restore()
        self.records = records
        self._step = 0
        self._state = xp.concat(
            [weights, bias[:, None], xp.zeros_like(bias)[:, None]], axis=-1
        )  # (R, d + 2): S, b, τ
        self._flow_gradients = 0
        if self._saved is not None:
            self._step = int(self._saved["step"])
            self._state = like(self._state, self._saved["state"])
            self.records.restore(with_prefix(self._saved, "records "), self._state)

    def descend(self, gd_steps: int) -> Outcome:
        """Take the literal GD steps, as far as there are records."""
        xp = self._model.xp
        while self._step < gd_steps and self.records.left:
            if self.records.next == self._step:
                # What overflowed stays so: looking in between would only make a GPU wait.
                if not bool(xp.isfinite(xp.sum(self._state))):
                    return Outcome.DIVERGED
                self.records.add(xp.asarray(self._state[None], copy=True))
            else:
                self._step += self._take_steps(min(gd_steps, int(self.records.next)) - self._step)
                self._checkpoint.offer(self._snapshot)
        return Outcome.COMPLETED

    def _take_steps(self, most: int) -> int:
        """Take GD steps, one at least; return how many."""
        if self._stretches:
            steps = min(most, _LONGEST_STRETCH)
            self._stretches.descend(self._state, eta=self._eta, steps=steps)
            return steps
        weights, bias, clock = self._state[:, :-2], self._state[:, -2], self._state[:, -1]
        by_weights, by_bias = self._model.gradient((weights, bias))
        clock += self._model.xp.exp(bias)
        weights -= self._eta * by_weights
        bias -= self._eta * by_bias
        return 1

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Return the state between two GD steps."""
        return {
            "step": np.array(self._step),
            "state": to_numpy(self._state),
            **{f"records {name}": value for name, value in self.records.state().items()},
        }

    def flow(self, max_gradients: int) -> Outcome:
        """Integrate the flow from the GD step reached to the last record."""
        xp = self._model.xp
        system = LogTimeFlow(self._model, self._eta, self._rtol)
        s_end = math.log1p(self.records.last)
        saved = with_prefix(self._saved or {}, "flow ")
        if saved:
            y, rate, outputs = (like(self._state, saved[name]) for name in ("y", "rate", "outputs"))
            stepper = RKC2(system, Point(float(saved["s"]), y, rate, outputs))
            stepper.restore_control(saved["control"])
            system.curvature.restore(with_prefix(saved, "curvature "), y)
        else:
            stepper = RKC2(system, system.at(math.log1p(self._step), system.pack(self._state)))
            if not bool(xp.all(xp.isfinite(stepper.end.rate))):
                return Outcome.DIVERGED
            if self.records.next == self._step:
                self.records.add(self._state[None])

        def snapshot() -> dict[str, np.ndarray]:
            """Return the state between two steps of the flow."""
            flow = {
                "s": np.array(stepper.end.s),
                "y": to_numpy(stepper.end.y),
                "rate": to_numpy(stepper.end.rate),
                "outputs": to_numpy(stepper.end.known),
                "control": stepper.control(),
                **{f"curvature {k}": v for k, v in system.curvature.state().items()},
            }
            return self._snapshot() | {f"flow {name}": value for name, value in flow.items()}

        outcome = Outcome.COMPLETED
        arrived = False
        while self.records.left:
            if stepper.rates + system.products > max_gradients:
                outcome = Outcome.STEP_LIMIT
                break
            try:
                stepper.advance(s_end)
            except StepSizeError:
                outcome = Outcome.STEP_TOO_SHORT
                break
            times = self.records.times(stepper.end.s)
            if times.size:
                self.records.add(system.interpolate(stepper.start, stepper.end, times))
            arrived = system.has_arrived(stepper.end, self.records.last)
            if arrived:
                break
            self._checkpoint.offer(snapshot)
        self._state = system.unpack(stepper.end.y)
        if arrived:
            self._stay(math.expm1(stepper.end.s))
        self._flow_gradients = stepper.rates + system.products
        return outcome

    def _stay(self, t: float) -> None:
        """Record the minimum that was reached by time t at all steps to come."""
        xp = self._model.xp
        weights_bias, clock = self._state[:, :-1], self._state[:, -1:]
        rate = xp.exp(weights_bias[:, -1:])
        while self.records.left:
            tau = clock + rate * (self.records.next - t)
            self._state = xp.concat([weights_bias, tau], axis=-1)
            self.records.add(self._state[None])

    def trajectory(self, outcome: Outcome) -> Trajectory:
        """Return what was recorded, and where the run ended."""
        observables = self.records.observables()
        return Trajectory(
            outcome=Outcome.DIVERGED if self.records.overflowed else outcome,
            steps=self.records.recorded,
            observables=observables,
            params=(self._state[:, :-2], self._state[:, -2]),
            gradients=self._step + self._flow_gradients,
        )
