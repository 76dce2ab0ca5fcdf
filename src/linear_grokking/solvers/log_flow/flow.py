"""Gradient flow of the logistic model, dθ/dt = -η∇L(θ), to very long times (Paper B).

The curvature of the loss falls like 1/t, so in s = log(1 + t) the stiffness of the flow
stays what it is, and a stabilized explicit method (`rkc.RKC2`) needs a few hundred
gradients to any time.  Gradient descent differs from the flow by its first steps only:
taken literally, they leave a difference that falls like one over their number.

A batch of realizations takes common steps, chosen for the worst of them.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Params
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.runtime.arrays import Array, like, to_numpy
from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint
from linear_grokking.solvers.gradient_descent import descent, walk
from linear_grokking.solvers.log_flow.log_time import LogTimeFlow
from linear_grokking.solvers.log_flow.records import FlowRecords
from linear_grokking.solvers.log_flow.rkc import RKC2, Point, StepSizeError
from linear_grokking.solvers.trajectory import (
    OnRecord,
    Outcome,
    Trajectory,
    checked_steps,
    with_prefix,
)


def gradient_flow(
    model: LogisticModel,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    gd_steps: int = 200,
    rtol: float = 1e-4,
    max_gradients: int = 100_000,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Integrate gradient flow and record the observables (Paper B, Sec. 2).

    See `trajectory.Solver`; parameters are S₀ (R, d) and b₀ (R,) in float64.  Records cost next
    to nothing, states in between steps of the flow coming from interpolation of third order;
    beyond ``gd_steps`` they need not be at whole numbers.  With the observables comes
    ``conformal_time``, τ = ∫e^b dt.

    Parameters
    ----------
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
    """
    if not 0 < rtol < 1:
        raise ValueError(f"rtol={rtol}: must lie between 0 and 1")
    if gd_steps < 0:
        raise ValueError(f"gd_steps={gd_steps}: must be 0 or larger")
    records = FlowRecords(model, checked_steps(steps, whole_until=gd_steps), on_record)
    run = _Run(model, params, eta, records, rtol, checkpoint or NoCheckpoint())
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        return run.trajectory(run.to_the_end(gd_steps, max_gradients))


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
        self._model = model
        self._eta = eta
        self._rtol = rtol
        self._checkpoint = checkpoint
        self._saved = checkpoint.restore() or {}
        self._records = records
        self._walker = descent(model, params, eta)
        self._state: Array | None = None
        self._failed: tuple[int, ...] = ()
        self._flow_gradients = 0
        if self._saved:
            self._walker.restore(with_prefix(self._saved, "walker "))
            records.restore(with_prefix(self._saved, "records "), self._walker.params[0])

    def to_the_end(self, gd_steps: int, max_gradients: int) -> Outcome:
        """Take the literal steps, and integrate the flow from there to the last record."""
        self._failed = walk(
            self._walker,
            self._records,
            gd_steps,
            lambda: self._checkpoint.offer(self._snapshot),
        )
        if self._failed:
            return Outcome.DIVERGED
        return self._flow(max_gradients) if self._records.left else Outcome.COMPLETED

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Return the state between two GD steps."""
        parts = {"walker": self._walker.state(), "records": self._records.state()}
        return {f"{name} {k}": v for name, part in parts.items() for k, v in part.items()}

    def _flow(self, max_gradients: int) -> Outcome:
        """Integrate the flow from the GD step reached to the last record."""
        records = self._records
        system = LogTimeFlow(self._model, self._eta, self._rtol)
        state = records.joined(self._walker.params, self._walker.clocks)
        s_end = math.log1p(records.last)
        saved = with_prefix(self._saved, "flow ")
        if saved:
            y, rate, outputs = (like(state, saved[name]) for name in ("y", "rate", "outputs"))
            stepper = RKC2(system, Point(float(saved["s"]), y, rate, outputs))
            stepper.restore_control(saved["control"])
            system.curvature.restore(with_prefix(saved, "curvature "), y)
        else:
            start = math.log1p(self._walker.step)
            stepper = RKC2(system, system.at(start, system.pack(state)))
            finite = np.isfinite(to_numpy(stepper.end.rate)).all(axis=-1)
            if not finite.all():
                self._failed = tuple(np.flatnonzero(~finite).tolist())
                return Outcome.DIVERGED
            if records.next == self._walker.step:
                records.add_states(state[None])

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
        while records.left:
            if stepper.rates + system.products > max_gradients:
                outcome = Outcome.STEP_LIMIT
                break
            try:
                stepper.advance(s_end)
            except StepSizeError:
                outcome = Outcome.STEP_TOO_SHORT
                break
            times = records.times(stepper.end.s)
            if times.size:
                records.add_states(system.interpolate(stepper.start, stepper.end, times))
            arrived = system.has_arrived(stepper.end, records.last)
            if arrived:
                break
            self._checkpoint.offer(snapshot)
        self._state = system.unpack(stepper.end.y)
        if arrived:
            self._state = self._stay(self._state, math.expm1(stepper.end.s))
        self._flow_gradients = stepper.rates + system.products
        return outcome

    def _stay(self, state: Array, t: float) -> Array:
        """Record the minimum that was reached by time t at all steps to come."""
        xp = self._model.xp
        weights_bias, clock = state[:, :-1], state[:, -1:]
        rate = xp.exp(weights_bias[:, -1:])
        while self._records.left:
            tau = clock + rate * (self._records.next - t)
            state = xp.concat([weights_bias, tau], axis=-1)
            self._records.add_states(state[None])
        return state

    def trajectory(self, outcome: Outcome) -> Trajectory:
        """Return what was recorded, and where the run ended."""
        observables = self._records.observables()
        params = self._walker.params
        if self._state is not None:
            params = self._state[:, :-2], self._state[:, -2]
        failed = self._failed or self._records.failed
        return Trajectory(
            outcome=Outcome.DIVERGED if failed else outcome,
            steps=self._records.recorded,
            observables=observables,
            params=params,
            gradients=self._walker.step + self._flow_gradients,
            failed=failed,
        )
