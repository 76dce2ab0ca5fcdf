"""Gradient flow of the two-layer model by an adaptive Runge-Kutta method (Paper A, Sec. 5).

The flow dS/dt = -η(∇L + γS/d_out), t in GD steps, follows gradient descent to a relative
O(η) of its own small steps, and an embedded pair of fifth and fourth order (Dormand and
Prince, as SciPy has it) takes strides of up to thousands of GD steps.  Records are read
off the pair's dense output, so recording costs no step.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from scipy.integrate import RK45

from linear_grokking.models.teacher_student import (
    Params,
    TeacherStudentHistory,
    check_rates,
    recorded_steps,
    working_precision,
)
from linear_grokking.models.two_layer import TwoLayerModel
from linear_grokking.resume import Checkpoint, NoCheckpoint
from linear_grokking.solvers.trajectory import SolverError

MAX_STEPS = 100_000
"""Runge-Kutta steps after which the integration is given up."""


def solve(
    model: TwoLayerModel,
    params: Params,
    *,
    eta: float,
    steps: np.ndarray,
    gamma: float = 0.0,
    rtol: float = 1e-5,
    checkpoint: Checkpoint | None = None,
    on_record: Callable[[float, Params], None] | None = None,
) -> TeacherStudentHistory:
    """Integrate the gradient flow and observe it at the recorded steps.

    Parameters
    ----------
    model
        One realization (no leading axes), NumPy arrays.  Products with the inputs are taken
        in float32 where ε allows; the weights are float64 throughout.
    params : (d_in, d_h), (d_h, d_out)
        Initial student.
    eta
        Learning rate η; one GD step is one unit of time.
    steps : (records,)
        Whole, increasing numbers of steps, 0 allowed.
    gamma
        Weight decay γ.
    rtol
        Relative tolerance of a Runge-Kutta step, the scale of a layer's weights being at
        least the root mean square of the teacher's.
    checkpoint
        Where the state is offered after each Runge-Kutta step.  A restored integration
        continues with the same bits.
    on_record
        Called with step and student at each record, before the next one is reached.

    Returns
    -------
    TeacherStudentHistory
        `gen_loss` is the expectation for the linear net; for tanh it is sampled, with its
        standard error.

    Raises
    ------
    ValueError
        Where an argument is out of its range.
    SolverError
        Where the flow cannot be followed to the last record.
    """
    steps = recorded_steps(steps)
    check_rates(eta, gamma)
    if not 1e-12 <= rtol < 1:
        raise ValueError(f"rtol = {rtol}: must be at least 1e-12 and below 1")
    checkpoint = checkpoint or NoCheckpoint()
    model = _in_working_precision(model)
    layers = _Layers(params)

    def force(_: float, state: np.ndarray) -> np.ndarray:
        slope = layers.join(model.gradient(layers.split(state)))
        if gamma:
            slope += (gamma / model.d_out) * state
        slope *= -eta
        return slope

    records = _Records(steps)
    time, state, stride = 0.0, layers.join(params), None
    saved = checkpoint.restore()
    if saved is not None:
        time, state, stride = float(saved["time"]), saved["state"], float(saved["stride"])
        records.restore(saved)

    def record_until(reached: float, interpolant: Callable[[float], np.ndarray]) -> None:
        while not records.complete and records.next_step <= reached:
            student = layers.split(interpolant(records.next_step))
            if on_record is not None:
                on_record(records.next_step, student)
            records.add(model.observables(student))

    record_until(time, lambda _: state)
    if not records.complete:
        scale = layers.join(tuple(np.full_like(layer, _rms(layer)) for layer in model.teacher))
        if stride is None:
            stride = _first_stride(force, state, rtol)
        solver = RK45(
            force,
            time,
            state,
            steps[-1],
            first_step=min(stride, steps[-1] - time),
            rtol=rtol,
            atol=rtol * scale,
        )
        solver.h_abs = stride  # not shortened: a restored run must choose what the first one did
        for _ in range(MAX_STEPS):
            failure = solver.step()
            if solver.status == "failed":
                raise SolverError(f"gradient flow failed at step {solver.t:.6g}: {failure}")
            record_until(solver.t, solver.dense_output())
            if records.complete:
                break
            checkpoint.offer(
                lambda: {
                    "time": np.array(solver.t),
                    "state": solver.y,
                    "stride": np.array(solver.h_abs),
                    **records.state(),
                }
            )
        else:
            raise SolverError(
                f"gradient flow reached step {solver.t:.6g} of {steps[-1]:.6g} in {MAX_STEPS} "
                "Runge-Kutta steps: lower t_max or eta"
            )
    return records.history()


def _first_stride(
    force: Callable[[float, np.ndarray], np.ndarray], state: np.ndarray, rtol: float
) -> float:
    """Return a first step that a fifth-order method takes with an error of about rtol.

    SciPy's own choice is not invariant under a change of the unit of time, and costs three
    steps here.  Too long a step is rejected, too short a one grows.
    """
    slope = force(0.0, state)
    speed = np.linalg.norm(slope)
    if speed == 0:
        return 1.0
    probe = 0.01 * np.linalg.norm(state) / speed
    rate = np.linalg.norm(force(0.0, state + probe * slope) - slope) / (probe * speed)
    return 2.0 * rtol**0.2 / rate if rate > 0 else 1.0


class _Layers:
    """Packs the weights of all layers into one float64 vector, and back."""

    def __init__(self, params: Params) -> None:
        self._shapes = [layer.shape for layer in params]
        self._ends = np.cumsum([layer.size for layer in params])[:-1]

    def join(self, params: Params) -> np.ndarray:
        return np.concatenate([layer.ravel() for layer in params], dtype=np.float64)

    def split(self, state: np.ndarray) -> Params:
        parts = np.split(state, self._ends)
        return tuple(part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True))


class _Records:
    """The observables recorded so far."""

    def __init__(self, steps: np.ndarray) -> None:
        self._steps = steps
        self._rows: list[dict[str, float]] = []

    @property
    def complete(self) -> bool:
        return len(self._rows) == len(self._steps)

    @property
    def next_step(self) -> float:
        return float(self._steps[len(self._rows)])

    def add(self, observables: Mapping[str, np.ndarray]) -> None:
        self._rows.append({name: float(value) for name, value in observables.items()})

    def columns(self) -> dict[str, np.ndarray]:
        names = self._rows[0] if self._rows else ()
        return {name: np.array([row[name] for row in self._rows]) for name in names}

    def state(self) -> dict[str, np.ndarray]:
        return {f"record {name}": column for name, column in self.columns().items()}

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        columns = {
            name.removeprefix("record "): column.tolist()
            for name, column in saved.items()
            if name.startswith("record ")
        }
        rows = zip(*columns.values(), strict=True)
        self._rows = [dict(zip(columns, row, strict=True)) for row in rows]

    def history(self) -> TeacherStudentHistory:
        return TeacherStudentHistory(steps=self._steps, **self.columns())


def _in_working_precision(model: TwoLayerModel) -> TwoLayerModel:
    """Return the model with inputs as narrow as the accuracy threshold allows."""
    precision = working_precision(model.epsilon)
    return replace(
        model,
        inputs=model.inputs.astype(precision, copy=False),
        test_inputs=model.test_inputs.astype(precision, copy=False),
    )


def _rms(array: np.ndarray) -> float:
    return float(np.sqrt(np.mean(array**2)))
