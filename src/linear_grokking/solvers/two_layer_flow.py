"""Gradient flow of the two-layer model by an adaptive Runge-Kutta method (Paper A, Sec. 4.1).

The flow dS/dt = -η(∇L + γS/d_out), with t in GD steps, differs from gradient descent by a
relative O(η).  SciPy's embedded pair of fifth and fourth order (Dormand and Prince) takes strides
of up to thousands of GD steps.  Records are read off its dense output, so that they cost no steps.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import RK45

from linear_grokking.models.contract import Params
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint
from linear_grokking.solvers.records import Records
from linear_grokking.solvers.trajectory import (
    OnRecord,
    Outcome,
    Trajectory,
    check_rate,
    checked_steps,
    with_prefix,
    with_prefixes,
)

MAX_STEPS = 100_000
"""Runge-Kutta steps after which the integration is given up."""


@np.errstate(over="ignore", invalid="ignore")
def gradient_flow(
    model: TwoLayerModel,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    rtol: float = 1e-5,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Integrate the gradient flow and observe it at the recorded steps.

    See `trajectory.Solver`; parameters are (R, d_in, d_h) and (R, d_h, d_out), on the host.
    Products with the inputs are taken in float32 where ε allows; the weights are float64
    throughout.  The realizations of a batch take common strides.

    Parameters
    ----------
    rtol
        Relative tolerance of a Runge-Kutta step.  The scale of a layer's weights is taken to be
        at least the root mean square of the teacher's.
    """
    steps = checked_steps(steps)
    check_rate(eta)
    if not 1e-12 <= rtol < 1:
        raise ValueError(f"rtol = {rtol}: must be at least 1e-12 and below 1")
    checkpoint = checkpoint or NoCheckpoint()
    model = model.in_working_precision()
    layers = _Layers(params)

    def force(_: float, state: np.ndarray) -> np.ndarray:
        slope = layers.join(model.gradient(layers.split(state)))
        if model.weight_decay:
            slope += model.weight_decay * state
        slope *= -eta
        return slope

    records = Records(model, steps, on_record)
    time, state, stride, gradients = 0.0, layers.join(params), None, 0
    saved = checkpoint.restore()
    if saved is not None:
        time, state, stride = float(saved["time"]), saved["state"], float(saved["stride"])
        gradients = int(saved["gradients"])
        records.restore(with_prefix(saved, "records "))

    def record_until(reached: float, interpolant: Callable[[float], np.ndarray]) -> np.ndarray:
        last = state
        while records.left and records.next <= reached:
            last = interpolant(records.next)
            records.add(layers.split(last), {})
        return last

    def end(outcome: Outcome, state: np.ndarray, gradients: int) -> Trajectory:
        return records.trajectory(outcome, layers.split(state), gradients)

    record_until(time, lambda _: state)
    if not records.left:
        return end(Outcome.COMPLETED, state, gradients)
    sizes = [np.full_like(part, np.sqrt(np.mean(part**2))) for part in model.data.teacher]
    if stride is None:
        stride = _first_stride(force, state, rtol)
        gradients += 2
    solver = RK45(
        force,
        time,
        state,
        steps[-1],
        first_step=min(stride, steps[-1] - time),
        rtol=rtol,
        atol=rtol * layers.join(tuple(sizes)),
    )
    solver.h_abs = stride  # not shortened, so that a restored run takes the same strides
    for _ in range(MAX_STEPS):
        solver.step()
        if solver.status == "failed":
            return end(Outcome.STEP_TOO_SHORT, solver.y, gradients + solver.nfev)
        last = record_until(solver.t, solver.dense_output())
        if not records.left:
            return end(Outcome.COMPLETED, last, gradients + solver.nfev)
        checkpoint.offer(
            lambda: {
                "time": np.array(solver.t),
                "state": solver.y,
                "stride": np.array(solver.h_abs),
                "gradients": np.array(gradients + solver.nfev),
                **with_prefixes(records=records.state()),
            }
        )
    return end(Outcome.STEP_LIMIT, solver.y, gradients + solver.nfev)


def _first_stride(
    force: Callable[[float, np.ndarray], np.ndarray], state: np.ndarray, rtol: float
) -> float:
    """Return a first step that a fifth-order method takes with an error of about rtol.

    SciPy's own choice is not invariant under a change of the unit of time, and costs three
    steps here.  A step that is too long is rejected; one that is too short grows.
    """
    slope = force(0.0, state)
    speed = np.linalg.norm(slope)
    if speed == 0:
        return 1.0
    probe = 0.01 * np.linalg.norm(state) / speed
    rate = np.linalg.norm(force(0.0, state + probe * slope) - slope) / (probe * speed)
    return float(2.0 * rtol**0.2 / rate) if rate > 0 else 1.0


class _Layers:
    """Packs the weights of all layers into one float64 vector, and unpacks them."""

    def __init__(self, params: Params) -> None:
        self._shapes = [layer.shape for layer in params]
        self._ends = np.cumsum([layer.size for layer in params])[:-1]

    def join(self, params: Params) -> np.ndarray:
        return np.concatenate([layer.ravel() for layer in params], dtype=np.float64)

    def split(self, state: np.ndarray) -> Params:
        parts = np.split(state, self._ends)
        return tuple(part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True))
