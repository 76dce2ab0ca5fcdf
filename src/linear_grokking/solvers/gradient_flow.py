"""Gradient flow of the logistic model, dθ/dt = -η∇L(θ), to very long times (Paper B).

The curvature of the loss falls like 1/t, so in s = log(1 + t) the stiffness of the flow
stays what it is, and a stabilized explicit method (`rkc.RKC2`) needs a few hundred
gradients to any time.  Gradient descent differs from the flow by its first steps only:
taken literally, they leave a difference that falls like one over their number.

A batch of realizations takes common steps, chosen for the worst of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from linear_grokking.arrays import Array, like, to_numpy
from linear_grokking.models.logistic import LogisticModel, Params
from linear_grokking.resume import Checkpoint, NoCheckpoint
from linear_grokking.solvers.curvature import LargestCurvature
from linear_grokking.solvers.rkc import RKC2, Point, StepSizeError
from linear_grokking.solvers.trajectory import (
    Outcome,
    Trajectory,
    whole_steps,
    with_prefix,
)

_CURVATURE_MARGIN = 1.05
"""Factor on the estimated largest curvature, which grows along a step."""

_LARGEST_PENDING = 2**19
"""Numbers that records may keep waiting, to be measured together."""


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
    records = _Records(model, steps, on_record)
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
        records: "_Records",
        rtol: float,
        checkpoint: Checkpoint,
    ) -> None:
        weights, bias = params
        xp = model.xp
        self._model = model
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
        d = self._model.d
        while self._step < gd_steps and self.records.left:
            weights, bias = self._state[:, :d], self._state[:, d]
            gradient = self._model.gradient_and_outputs(weights, bias)
            if self.records.next == self._step:
                # What overflowed stays so: looking in between would only make a GPU wait.
                finite = xp.isfinite(self._state[:, : d + 1]), xp.isfinite(gradient.weights)
                if not bool(xp.all(finite[0]) & xp.all(finite[1])):
                    return Outcome.DIVERGED
                self.records.add(xp.asarray(self._state[None], copy=True), gradient.outputs[None])
            self._state[:, d + 1] += xp.exp(bias)
            weights -= self._eta * gradient.weights
            bias -= self._eta * gradient.bias
            self._step += 1
            self._checkpoint.offer(self._snapshot)
        return Outcome.COMPLETED

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
        system = _LogFlow(self._model, self._eta, self._rtol)
        s_end = math.log1p(self.records.last)
        saved = with_prefix(self._saved or {}, "flow ")
        if saved:
            y = like(self._state, saved["y"])
            stepper = RKC2(system, float(saved["s"]), y)
            stepper.restore_control(saved["control"])
            system.curvature.restore(with_prefix(saved, "curvature "), y)
        else:
            stepper = RKC2(system, math.log1p(self._step), system.pack(self._state))
            if not bool(xp.all(xp.isfinite(stepper.end.rate))):
                return Outcome.DIVERGED
            if self.records.next == self._step:
                self.records.add(self._state[None], stepper.end.known.outputs[None])

        def snapshot() -> dict[str, np.ndarray]:
            """Return the state between two steps of the flow."""
            flow = {
                "s": np.array(stepper.end.s),
                "y": to_numpy(stepper.end.y),
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
                self.records.add(*system.interpolate(stepper.start, stepper.end, times))
            arrived = system.has_arrived(stepper.end, self.records.last)
            if arrived:
                break
            self._checkpoint.offer(snapshot)
        self._state = system.unpack(stepper.end.y)
        if arrived:
            self._stay(math.expm1(stepper.end.s), stepper.end.known.outputs)
        self._flow_gradients = stepper.rates + system.products
        return outcome

    def _stay(self, t: float, outputs: Array) -> None:
        """Record the minimum that was reached by time t at all steps to come."""
        xp = self._model.xp
        weights_bias, clock = self._state[:, :-1], self._state[:, -1:]
        rate = xp.exp(weights_bias[:, -1:])
        while self.records.left:
            tau = clock + rate * (self.records.next - t)
            self._state = xp.concat([weights_bias, tau], axis=-1)
            self.records.add(self._state[None], outputs[None])

    def trajectory(self, outcome: Outcome) -> Trajectory:
        """Return what was recorded, and where the run ended."""
        d = self._model.d
        return Trajectory(
            outcome=outcome,
            steps=self.records.recorded,
            observables=self.records.observables(),
            params=(self._state[:, :d], self._state[:, d]),
            gradients=self._step + self._flow_gradients,
        )


class _LogFlow:
    """The flow in s = log(1 + t), y = (S, b, log(1 + τ)) of each realization, flattened.

    In the logarithm conformal time is smooth however it grows: like t while b stays,
    like a power of t, or like log t.
    """

    def __init__(self, model: LogisticModel, eta: float, rtol: float) -> None:
        self.curvature = LargestCurvature(model)
        self._model = model
        self._eta = eta
        self._rtol = rtol
        self._shape = (model.realizations, model.d + 2)
        self._xp = model.xp
        self._unit_norm = 1.0 / model.input_size

    @property
    def products(self) -> int:
        """Matrix products, each as dear as a gradient, besides those of `rate`."""
        return self.curvature.products

    def pack(self, state: Array) -> Array:
        """Return y from (S, b, τ) of shape (R, d + 2)."""
        xp = self._xp
        return xp.concat([state[:, :-1], xp.log1p(state[:, -1:])], axis=-1).reshape(-1)

    def unpack(self, y: Array) -> Array:
        """Return (S, b, τ) of shape (..., R, d + 2) from y (...)."""
        xp = self._xp
        rows = y.reshape((*y.shape[:-1], *self._shape))
        return xp.concat([rows[..., :-1], xp.expm1(rows[..., -1:])], axis=-1)

    def rate(self, s: float, y: Array) -> tuple[Array, "_Outputs"]:
        """See `rkc.System.rate`."""
        xp = self._xp
        rows = y.reshape(self._shape)
        gradient = self._model.gradient_and_outputs(rows[:, :-2], rows[:, -2])
        factor = -self._eta * math.exp(s)
        clock = xp.exp(s + rows[:, -2] - rows[:, -1])
        rate = xp.empty_like(rows)
        rate[:, :-2] = factor * gradient.weights
        rate[:, -2] = factor * gradient.bias
        rate[:, -1] = clock
        return rate.reshape(-1), _Outputs(gradient.outputs)

    def spectral_radius(self, s: float, y: Array, known: "_Outputs", *, anew: bool) -> float:
        """See `rkc.System.spectral_radius`."""
        xp = self._xp
        rows = y.reshape(self._shape)
        curvature = self.curvature.estimate(known.outputs, anew=anew)
        radii = xp.stack(
            [
                (_CURVATURE_MARGIN * self._eta * math.exp(s)) * curvature,
                xp.exp(s + rows[:, -2] - rows[:, -1]),
            ]
        )
        return float(xp.max(radii))

    def error_norm(self, error: Array, y: Array, y_new: Array) -> float:
        """See `rkc.System.error_norm`; the worst realization counts."""
        error = error.reshape(self._shape)
        squares = self._parameter_change(error, y_new.reshape(self._shape)) + error[:, -1] ** 2
        return float(self._xp.max(squares)) ** 0.5 / self._rtol

    def has_arrived(self, end: Point, t_end: float) -> bool:
        """Tell whether no parameter changes any more by what is tolerated until ``t_end``.

        The loss is convex: along the flow its gradient only gets shorter.  A set that is
        not separable, without bias or with labels of both signs, has a minimum at finite
        parameters, around which the flow gets ever stiffer in log t.
        """
        if not self._model.may_have_minimum:
            return False
        left = (t_end - math.expm1(end.s)) * math.exp(-end.s)
        rate, rows = end.rate.reshape(self._shape), end.y.reshape(self._shape)
        squares = self._parameter_change(left * rate, rows)
        return float(self._xp.max(squares)) ** 0.5 < self._rtol

    def _parameter_change(self, change: Array, rows: Array) -> Array:
        """Return the squared change (R,) of S and b relative to their size."""
        xp = self._xp
        norm = xp.linalg.vector_norm
        weights = norm(change[:, :-2], axis=-1) / (norm(rows[:, :-2], axis=-1) + self._unit_norm)
        bias = change[:, -2] / (1.0 + xp.abs(rows[:, -2]))
        return weights**2 + bias**2

    def interpolate(self, start: Point, end: Point, times: np.ndarray) -> tuple[Array, Array]:
        """Return states (k, R, d + 2) and training outputs (k, R, N) inside a step.

        By Hermite's cubics, from values and derivatives at both ends.
        """
        step = end.s - start.s
        states = _hermite(
            start.y, end.y, step * start.rate, step * end.rate, (times - start.s) / step
        )
        outputs = _hermite(
            start.known.outputs,
            end.known.outputs,
            step * self._output_rate(start),
            step * self._output_rate(end),
            (times - start.s) / step,
        )
        return self.unpack(states), outputs

    def _output_rate(self, point: Point) -> Array:
        """Return df/ds on the training set, (R, N); the next step starts with it again."""
        if point.known.rate is None:
            rate = point.rate.reshape(self._shape)
            point.known.rate = self._model.outputs(rate[:, :-2], rate[:, -2])
        return point.known.rate


@dataclass
class _Outputs:
    """Training outputs (R, N) at a point, and their derivative where it was needed."""

    outputs: Array
    rate: Array | None = None


def _hermite(y0: Array, y1: Array, slope0: Array, slope1: Array, at: np.ndarray) -> Array:
    """Return cubics (k, ...) at fractions of a step, (k,), from values and slopes (...)."""
    xp = array_namespace(y0)
    left, right = (1.0 - at) ** 2, at**2
    weights = np.stack(
        [left * (1.0 + 2.0 * at), right * (3.0 - 2.0 * at), left * at, -right * (1.0 - at)], axis=-1
    )
    columns = xp.stack([y0, y1, slope0, slope1]).reshape((4, -1))
    return (like(y0, weights) @ columns).reshape((len(at), *y0.shape))


class _Records:
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
        self._pending: list[tuple[Array, Array]] = []
        self._pending_numbers = 0

    @property
    def left(self) -> bool:
        """Whether there is a record to come."""
        return self._count < len(self._steps)

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

    def add(self, states: Array, outputs: Array) -> None:
        """Record the next k steps from states (k, R, d + 2) and outputs (k, R, N)."""
        if self._on_record is not None:
            for step, state in zip(self._steps[self._count :], states, strict=False):
                self._on_record(float(step), (state[:, :-2], state[:, -2]))
        self._pending.append((states, outputs))
        self._count += len(states)
        self._pending_numbers += math.prod(states.shape) + math.prod(outputs.shape)
        if self._pending_numbers > _LARGEST_PENDING:
            self._measure()

    def _measure(self) -> None:
        """Reduce what is pending to the few numbers that are kept."""
        xp = self._model.xp
        states, outputs = (xp.concat(arrays) for arrays in zip(*self._pending, strict=True))
        self._pending.clear()
        self._pending_numbers = 0
        measured = self._model.measure(states[..., :-2], states[..., -2], outputs)
        measured["conformal_time"] = to_numpy(states[..., -1])
        for name, values in measured.items():
            self._measured.setdefault(name, []).append(values)

    def observables(self) -> dict[str, np.ndarray]:
        """Return the history columns, each (R, T)."""
        if self._pending:
            self._measure()
        measured = {name: np.concatenate(rows) for name, rows in self._measured.items()}
        observables = self._model.observables_from(measured) if measured else {}
        return {name: np.ascontiguousarray(values.T) for name, values in observables.items()}

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs.

        What is pending stays pending, so that it is measured in the same company.
        """
        xp = self._model.xp
        state = {"count": np.array(self._count)}
        for name, rows in self._measured.items():
            state[f"measured {name}"] = np.concatenate(rows)
        if self._pending:
            states, outputs = zip(*self._pending, strict=True)
            state["states"] = to_numpy(xp.concat(states))
            state["outputs"] = to_numpy(xp.concat(outputs))
        return state

    def restore(self, state: Mapping[str, np.ndarray], beside: Array) -> None:
        """Take back what `state` returned, to where the array ``beside`` lies."""
        self._count = int(state["count"])
        self._measured = {k: [rows] for k, rows in with_prefix(state, "measured ").items()}
        if "states" in state:
            self._pending = [(like(beside, state["states"]), like(beside, state["outputs"]))]
            self._pending_numbers = state["states"].size + state["outputs"].size
