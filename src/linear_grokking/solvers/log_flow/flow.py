"""Gradient flow of the logistic model, dθ/dt = -η(∇L + wθ), to very long times (Paper B).

The curvature of the loss falls like 1/t, so that in s = log(1 + t) the stiffness of the flow
stays constant, and a stabilized explicit method (`rkc.RKC2`) needs a few hundred gradients to
reach any time.  Gradient descent differs from the flow only through its first steps: if these
are taken literally, the difference that is left falls like one over their number.

Weight decay w adds ηwt to the stiffness at times beyond 1/(ηw).  From then on a run without a
minimum (one label, and decay of the weights alone) gets ever more expensive.

A batch of realizations takes common steps, chosen for the worst of them.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Params
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.runtime.arrays import like, to_numpy
from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint, State
from linear_grokking.solvers.gradient_descent import descent, walk
from linear_grokking.solvers.log_flow.flow_records import FlowRecords
from linear_grokking.solvers.log_flow.log_time import LogTimeFlow
from linear_grokking.solvers.log_flow.rkc import RKC2, Point, StepSizeError
from linear_grokking.solvers.records import not_finite
from linear_grokking.solvers.trajectory import (
    OnRecord,
    Outcome,
    Trajectory,
    checked_steps,
    with_prefix,
    with_prefixes,
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
    """Integrate gradient flow and record the observables (Paper B, Sec. 3.1).

    See `trajectory.Solver`; parameters are S₀ (R, d) and b₀ (R,) in float64.  Records cost next
    to nothing, as states between steps of the flow are interpolated to third order; beyond
    ``gd_steps`` they need not be at whole numbers.  The observables include ``conformal_time``,
    τ = ∫e^b dt.

    Parameters
    ----------
    gd_steps
        Number of literal GD steps before the flow takes over; 0 for the pure flow.  With
        η = 0.01, σ = 5 the largest later difference from GD is 6e-4 of S after 100
        steps, 3e-4 after 200, 2e-4 after 300 (and of order 1e-2 of S at t < 10 for the
        pure flow).
    rtol
        Tolerated error of a step: of S relative to ‖S‖ plus the weight norm that gives outputs
        of order 1, of b relative to 1 + |b|, and of τ relative to 1 + τ.
    max_gradients
        Bound on the number of gradients.
    """
    if not 0 < rtol < 1:
        raise ValueError(f"rtol={rtol}: must lie between 0 and 1")
    if gd_steps < 0:
        raise ValueError(f"gd_steps={gd_steps}: must be 0 or larger")
    records = FlowRecords(model, checked_steps(steps, whole_until=gd_steps), on_record)
    walker = descent(model, params, eta)
    checkpoint = checkpoint or NoCheckpoint()
    saved = checkpoint.restore() or {}
    if saved:
        walker.restore(with_prefix(saved, "walker "))
        records.restore(with_prefix(saved, "records "), walker.params[0])

    def steps_and_records() -> State:
        return with_prefixes(walker=walker.state(), records=records.state())

    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        walk(walker, records, gd_steps, lambda: checkpoint.offer(steps_and_records))
        if not records.left:
            return records.trajectory(Outcome.COMPLETED, walker.params, walker.step)
        system = LogTimeFlow(model, eta, rtol)
        state = records.joined(walker.params, walker.clocks)
        saved = with_prefix(saved, "flow ")
        if saved:
            y, rate, outputs = (like(state, saved[name]) for name in ("y", "rate", "outputs"))
            stepper = RKC2(system, Point(float(saved["s"]), y, rate, outputs))
            stepper.restore_control(saved["control"])
            system.curvature.restore(with_prefix(saved, "curvature "), y)
        else:
            stepper = RKC2(system, system.at(math.log1p(walker.step), system.pack(state)))
            records.failed = not_finite(to_numpy(stepper.end.rate))
            if records.failed:
                return records.trajectory(Outcome.DIVERGED, walker.params, walker.step)
            if records.next == walker.step:
                records.add_states(state[None])

        def snapshot() -> State:
            flow = {
                "s": np.array(stepper.end.s),
                "y": to_numpy(stepper.end.y),
                "rate": to_numpy(stepper.end.rate),
                "outputs": to_numpy(stepper.end.known),
                "control": stepper.control(),
                **with_prefixes(curvature=system.curvature.state()),
            }
            return {**steps_and_records(), **with_prefixes(flow=flow)}

        outcome = _integrate(
            stepper, system, records, max_gradients, lambda: checkpoint.offer(snapshot)
        )
        y = stepper.end.y
        gradients = walker.step + stepper.rates + system.curvature.products
        return records.trajectory(outcome, (y[:, :-2], y[:, -2]), gradients)


def _integrate(
    stepper: RKC2,
    system: LogTimeFlow,
    records: FlowRecords,
    max_gradients: int,
    offer: Callable[[], None],
) -> Outcome:
    """Take steps of the flow to the last record, or to a minimum that lasts until then."""
    s_end = math.log1p(records.last)
    while records.left:
        if stepper.rates + system.curvature.products > max_gradients:
            return Outcome.STEP_LIMIT
        try:
            stepper.advance(s_end)
        except StepSizeError:
            return Outcome.STEP_TOO_SHORT
        times = records.times(stepper.end.s)
        if times.size:
            records.add_states(system.interpolate(stepper.start, stepper.end, times))
        if system.has_arrived(stepper.end, records.last):
            records.stay(system.unpack(stepper.end.y), math.expm1(stepper.end.s))
            break
        offer()
    return Outcome.COMPLETED
