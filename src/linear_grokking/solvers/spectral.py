"""Exact gradient descent of the linear model, at any number of steps.

A GD step of teacher-student linear regression is affine in the deviation D = S - T
(Paper A, Sec. 3, with the weight decay of Sec. 3.3 and noisy labels XT + ξ),

    D ← (I - (2η/d_out) Σ) D + (2η/d_out) Xᵀξ/n_train - (ηγ/d_out) (D + T),

so that in the eigenbasis of Σ = XᵀX/n_train the component c of D along the mode of
eigenvalue ν relaxes geometrically to its fixed point,

    c(t) = (1-a)ᵗ c(0) + [1 - (1-a)ᵗ] (n - γτ/2)/(ν + γ/2),   a = (2η/d_out)(ν + γ/2),

with n and τ the components of Xᵀξ/n_train and T.  Outside the span of the inputs (ν = 0) no
gradient acts and the student only decays, S(t) = (1 - ηγ/d_out)ᵗ S(0).

Other methods have the same fixed point; in place of (1 - ηh)ᵗ they have their own polynomials of
the curvature h = (2/d_out)(ν + γ/2) (see `linear_methods`).
"""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Params
from linear_grokking.models.linear import LinearModel
from linear_grokking.models.teacher_student import accuracy, population_loss, sample_errors
from linear_grokking.runtime.checkpoints import Checkpoint
from linear_grokking.runtime.memory import MOST_NUMBERS
from linear_grokking.shapes import Float
from linear_grokking.solvers.trajectory import (
    OnRecord,
    Outcome,
    Trajectory,
    check_rate,
    checked_steps,
)


class Evolution(Protocol):
    """How a method moves the modes of a quadratic loss towards its minimum."""

    def check(self, largest: float) -> None:
        """Raise ValueError if the method diverges at this largest curvature."""
        ...

    def relaxation(
        self,
        curvatures: Float[np.ndarray, " K"],
        squares: Float[np.ndarray, " K"],
        steps: Float[np.ndarray, " T"],
    ) -> tuple[Float[np.ndarray, "T K"], Float[np.ndarray, "T K"]]:
        """Return the fraction of each mode's initial error that is left, and 1 minus that.

        ``squares`` are the squared initial errors.
        """
        ...


class GradientDescent:
    """Gradient descent: the fraction left after t steps is (1 - ηh)ᵗ."""

    def __init__(self, eta: float) -> None:
        check_rate(eta)
        self.eta = eta

    def check(self, largest: float) -> None:
        """See `Evolution.check`."""
        check_curvature("gradient descent", self.eta, largest, 2.0 / self.eta)

    def relaxation(
        self,
        curvatures: Float[np.ndarray, " K"],
        squares: Float[np.ndarray, " K"],
        steps: Float[np.ndarray, " T"],
    ) -> tuple[Float[np.ndarray, "T K"], Float[np.ndarray, "T K"]]:
        """See `Evolution.relaxation`."""
        return _relaxation(self.eta * curvatures, steps[:, np.newaxis])


def check_curvature(method: str, eta: float, largest: float, bound: float) -> None:
    """Raise ValueError unless the largest curvature is below the method's bound at this η."""
    if largest >= bound:
        raise ValueError(
            f"eta = {eta}: {method} diverges on this training set; "
            f"must be below {eta * bound / largest:.6g}, as its largest curvature is {largest:.6g}"
        )


class SpectralPath:
    """The path of a full-batch method from one initial student, on one training set.

    Parameters
    ----------
    inputs : (n_train, d_in)
    noise : (n_train, d_out) or None
        Label noise of the training set.
    layers
        Teacher and initial student, (d_in, d_out).
    evolution
        The method.
    gamma
        Weight decay.

    Attributes
    ----------
    eigenvalues : (modes,)
        Positive eigenvalues ν of Σ; modes ≤ min(n_train, d_in).
    vectors : (d_in, modes)
        Their orthonormal eigenvectors.
    initial, limit : (modes, d_out)
        Components of D at step 0 and at its fixed point.
    curvatures : (modes,)
        Curvatures of the loss along the modes, weight decay included; elsewhere the curvature is
        ``null_curvature``.
    interpolation : (modes, d_out)
        Components of the D that fits the noisy labels exactly, as far as the modes allow.
    unfittable : float
        Mean square of the label noise that no D can fit.
    null_student, null_teacher : (d_in, d_out)
        Parts of S(0) and T outside the span of the inputs.

    Raises
    ------
    ValueError
        If the method diverges.
    """

    def __init__(
        self,
        inputs: Float[np.ndarray, "N d_in"],
        noise: Float[np.ndarray, "N d_out"] | None,
        layers: Params,
        evolution: Evolution,
        gamma: float,
    ) -> None:
        self.evolution = evolution
        teacher, student = layers
        n_train, d_out = len(inputs), teacher.shape[1]
        self.eigenvalues, self.vectors = _modes(inputs)
        self.curvatures = 2.0 / d_out * (self.eigenvalues + gamma / 2)
        self.null_curvature = gamma / d_out
        evolution.check(float(self.curvatures[-1]))
        modes = self.eigenvalues[:, np.newaxis]
        along_teacher = self.vectors.T @ teacher
        self.initial = self.vectors.T @ (student - teacher)
        pull = np.zeros_like(along_teacher)
        self.unfittable = 0.0
        if noise is not None:
            pull = self.vectors.T @ (inputs.T @ noise) / n_train
            if len(modes) < n_train:
                fitted = np.sum(pull**2 / modes) / d_out
                self.unfittable = max(0.0, float(np.mean(noise**2) - fitted))
        self.limit = (pull - gamma / 2 * along_teacher) / (modes + gamma / 2)
        self.interpolation = pull / modes
        self.null_student = self.null_teacher = np.zeros_like(student)
        if len(modes) < len(student):
            self.null_student = student - self.vectors @ (self.initial + along_teacher)
            self.null_teacher = teacher - self.vectors @ along_teacher

    @property
    def d_out(self) -> int:
        """Output dimension."""
        return self.initial.shape[1]

    def parts(
        self, steps: Float[np.ndarray, " T"]
    ) -> tuple[Float[np.ndarray, "T modes d_out"], Float[np.ndarray, "T d_in d_out"]]:
        """Return the components of D along the modes, and its part outside the inputs' span."""
        errors = np.sum((self.initial - self.limit) ** 2, axis=1)
        left, gone = self.evolution.relaxation(
            np.append(self.curvatures, self.null_curvature),
            np.append(errors, np.sum(self.null_student**2)),
            steps,
        )
        left, gone = left[..., np.newaxis], gone[..., np.newaxis]
        components = left[:, :-1] * self.initial + gone[:, :-1] * self.limit
        return components, left[:, -1:] * self.null_student - self.null_teacher

    def deviation(self, steps: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T d_in d_out"]:
        """Return D = S - T, (records, d_in, d_out), at the steps (records,)."""
        components, null = self.parts(steps)
        return self.vectors @ components + null


def spectral(
    model: LinearModel,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Evaluate full-batch gradient descent exactly at the recorded steps.

    See `trajectory.Solver` and `evaluate`; 1e12 steps and beyond cost no more than one.  The
    checkpoint is not used: there is no long computation to resume.
    """
    return evaluate(model, params, GradientDescent(eta), steps, on_record)


def evaluate(
    model: LinearModel,
    params: Params,
    evolution: Evolution,
    steps: ArrayLike,
    on_record: OnRecord | None,
) -> Trajectory:
    """Return the trajectory of a method, evaluated mode by mode.

    Parameters are S of shape (R, d_in, d_out), on the host; each realization is diagonalized
    separately.

    Raises
    ------
    ValueError
        If the method diverges; the message gives the bound on η.
    """
    steps = checked_steps(steps)
    (students,) = params
    data = model.data
    (teachers,) = data.teacher
    paths = []
    for k, student in enumerate(students):
        noise = None if data.label_noise is None else data.label_noise[k]
        layers = (teachers[k], student)
        paths.append(SpectralPath(data.inputs[k], noise, layers, evolution, model.gamma))

    def students_at(step: float) -> Params:
        at = np.array([step])
        return (np.stack([t + p.deviation(at)[0] for t, p in zip(teachers, paths, strict=True)]),)

    rows = [_observed(path, model, k, steps) for k, path in enumerate(paths)]
    if on_record is not None:
        for step in steps:
            on_record(float(step), students_at(step))
    observables = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Trajectory(Outcome.COMPLETED, steps, observables, students_at(steps[-1]), 0)


def _observed(
    path: SpectralPath, model: LinearModel, k: int, steps: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the observables (records,) of realization k along its path."""
    precision = model.working_precision
    inputs = model.data.inputs[k].astype(precision, copy=False)
    fresh = model.data.fresh[k].astype(precision, copy=False)
    vectors = path.vectors.astype(precision, copy=False)
    noise = 0.0 if model.data.label_noise is None else model.data.label_noise[k].astype(precision)
    modes = path.eigenvalues[:, np.newaxis]
    parts = []
    largest = max(len(inputs), len(fresh), len(path.null_student)) * path.d_out
    chunk = max(1, MOST_NUMBERS // largest)
    for start in range(0, len(steps), chunk):
        components, null = path.parts(steps[start : start + chunk])
        misfit = np.sum(modes * (components - path.interpolation) ** 2, axis=(1, 2))
        if model.data.variances is None:
            # ‖D‖² is that of its components, so D is not needed in double precision.
            deviating = np.sum(components**2, axis=(1, 2)) + np.sum(null**2, axis=(1, 2))
            gen_loss = deviating / path.d_out
        else:
            whole = _apply(path.vectors, components) + null
            gen_loss = population_loss(whole, model.data.variances[k])
        deviation = _apply(vectors, components.astype(precision)) + null.astype(precision)
        train_errors = sample_errors(_apply(inputs, deviation) - noise)
        gen_errors = sample_errors(_apply(fresh, deviation))
        part = {
            "train_loss": misfit / path.d_out + path.unfittable,
            "gen_loss": gen_loss,
            "train_accuracy": accuracy(train_errors, model.epsilon),
            "gen_accuracy": accuracy(gen_errors, model.epsilon),
        }
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _apply(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return matrix @ columns for (m, n) and (records, n, d_out) as one product."""
    records, inner, d_out = columns.shape
    flat = columns.transpose(1, 0, 2).reshape(inner, records * d_out)
    # OpenBLAS's float32 product of (1, 5) and (5, n) reads stale memory with AVX-512 and raises
    # the flag of an invalid value, though its numbers are right.
    with np.errstate(invalid="ignore"):
        product = matrix @ flat
    return product.reshape(len(matrix), records, d_out).transpose(1, 0, 2)


def _modes(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positive eigenvalues of Σ, ascending, and their eigenvectors.

    Works on the smaller of XᵀX and XXᵀ.  Eigenvalues that are zero up to rounding are
    left out, so that the null space is exactly null at all times.
    """
    n_train, d_in = inputs.shape
    wide = n_train < d_in
    gram = inputs @ inputs.T if wide else inputs.T @ inputs
    eigenvalues, vectors = np.linalg.eigh(gram / n_train)
    positive = eigenvalues > max(n_train, d_in) * np.finfo(np.float64).eps * eigenvalues[-1]
    eigenvalues, vectors = eigenvalues[positive], vectors[:, positive]
    if wide:
        vectors = inputs.T @ (vectors / np.sqrt(n_train * eigenvalues))
    return eigenvalues, vectors


def _relaxation(rates: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (1-a)ᵗ and 1 - (1-a)ᵗ without cancellation, for rates 0 ≤ a < 2."""
    slow = rates < 0.5
    exponent = steps * np.log1p(-np.where(slow, rates, 0.0))
    # 1 - a is exact for a ≥ ½, and its powers keep their sign for a > 1.
    power = np.power(1.0 - np.where(slow, 0.0, rates), steps)
    return np.where(slow, np.exp(exponent), power), np.where(slow, -np.expm1(exponent), 1 - power)
