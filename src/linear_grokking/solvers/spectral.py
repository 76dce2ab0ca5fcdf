"""Exact gradient descent of the linear model, at any number of steps.

A GD step of teacher-student linear regression is affine in the deviation D = S - T
(Paper A, Sec. 2, with the weight decay of Sec. 4 and noisy labels XT + ξ),

    D ← (I - (2η/d_out) Σ) D + (2η/d_out) Xᵀξ/n_train - (ηγ/d_out) (D + T),

so that in the eigenbasis of Σ = XᵀX/n_train the component c of D along the mode of
eigenvalue ν relaxes geometrically to its fixed point,

    c(t) = (1-a)ᵗ c(0) + [1 - (1-a)ᵗ] (n - γτ/2)/(ν + γ/2),   a = (2η/d_out)(ν + γ/2),

n and τ the components of Xᵀξ/n_train and T.  Outside the span of the inputs (ν = 0) no
gradient acts and the student only decays, S(t) = (1 - ηγ/d_out)ᵗ S(0).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from linear_grokking.models.linear import LinearModel
from linear_grokking.models.teacher_student import (
    Params,
    TeacherStudentHistory,
    accuracy,
    check_rates,
    recorded_steps,
    sample_errors,
    working_precision,
)

CHUNK = 2**23
"""Most numbers in one array of residuals; bounds the memory."""


@dataclass(frozen=True)
class SpectralPath:
    """The path of full-batch GD from one initial student, on one training set.

    Attributes
    ----------
    eigenvalues : (modes,)
        Positive eigenvalues ν of Σ; modes ≤ min(n_train, d_in).
    vectors : (d_in, modes)
        Their orthonormal eigenvectors.
    initial, limit : (modes, d_out)
        Components of D at step 0 and at its fixed point.
    interpolation : (modes, d_out)
        Components of the D that fits the noisy labels exactly, as far as the modes can.
    unfittable : float
        Mean square of the label noise that no D can fit.
    null_student, null_teacher : (d_in, d_out)
        Parts of S(0) and T outside the span of the inputs.
    eta, gamma : float
        Learning rate and weight decay.
    """

    eigenvalues: np.ndarray
    vectors: np.ndarray
    initial: np.ndarray
    limit: np.ndarray
    interpolation: np.ndarray
    unfittable: float
    null_student: np.ndarray
    null_teacher: np.ndarray
    eta: float
    gamma: float

    @classmethod
    def of(
        cls, model: LinearModel, student: np.ndarray, *, eta: float, gamma: float = 0.0
    ) -> "SpectralPath":
        """Diagonalize Σ and project the initial student (d_in, d_out) on its modes.

        Raises
        ------
        ValueError
            Where η is not positive, γ is negative, or GD with this η diverges.
        """
        check_rates(eta, gamma)
        n_train = len(model.inputs)
        eigenvalues, vectors = _modes(model.inputs)
        limit_of_eta = model.d_out / (eigenvalues[-1] + gamma / 2)
        if eta >= limit_of_eta:
            raise ValueError(
                f"eta = {eta}: gradient descent diverges on this training set; "
                f"must be below d_out/(largest eigenvalue + gamma/2) = {limit_of_eta:.6g}"
            )
        modes = eigenvalues[:, np.newaxis]
        teacher = vectors.T @ model.teacher
        initial = vectors.T @ (student - model.teacher)
        noise = np.zeros_like(teacher)
        unfittable = 0.0
        if model.label_noise is not None:
            noise = vectors.T @ (model.inputs.T @ model.label_noise) / n_train
            if len(eigenvalues) < n_train:
                fitted = np.sum(noise**2 / modes) / model.d_out
                unfittable = max(0.0, np.mean(model.label_noise**2) - fitted)
        null_student = null_teacher = np.zeros_like(student)
        if len(eigenvalues) < len(student):
            null_student = student - vectors @ (initial + teacher)
            null_teacher = model.teacher - vectors @ teacher
        return cls(
            eigenvalues=eigenvalues,
            vectors=vectors,
            initial=initial,
            limit=(noise - gamma / 2 * teacher) / (modes + gamma / 2),
            interpolation=noise / modes,
            unfittable=unfittable,
            null_student=null_student,
            null_teacher=null_teacher,
            eta=eta,
            gamma=gamma,
        )

    @property
    def d_out(self) -> int:
        """Output dimension."""
        return self.initial.shape[1]

    def components(self, steps: np.ndarray) -> np.ndarray:
        """Return the components (records, modes, d_out) of D at the steps (records,)."""
        rates = 2 * self.eta / self.d_out * (self.eigenvalues + self.gamma / 2)
        left, gone = _relaxation(rates, steps[:, np.newaxis])
        return left[..., np.newaxis] * self.initial + gone[..., np.newaxis] * self.limit

    def null_deviation(self, steps: np.ndarray) -> np.ndarray:
        """Return the part (records, d_in, d_out) of D outside the span of the inputs."""
        left, _ = _relaxation(np.array(self.eta * self.gamma / self.d_out), steps)
        return left[:, np.newaxis, np.newaxis] * self.null_student - self.null_teacher

    def deviation(self, steps: np.ndarray) -> np.ndarray:
        """Return D = S - T, (records, d_in, d_out), at the steps (records,)."""
        return self.vectors @ self.components(steps) + self.null_deviation(steps)


def solve(
    model: LinearModel,
    student: np.ndarray,
    *,
    eta: float,
    steps: np.ndarray,
    gamma: float = 0.0,
    on_record: Callable[[float, Params], None] | None = None,
) -> TeacherStudentHistory:
    """Evaluate full-batch gradient descent exactly at the recorded steps.

    Parameters
    ----------
    model
        One realization (no leading axes), NumPy arrays.
    student : (d_in, d_out)
        Initial student S₀.
    eta
        Learning rate η; one step is one unit of time.
    steps : (records,)
        Whole, increasing numbers of steps, 0 allowed; up to 1e12 and beyond at no cost.
    gamma
        Weight decay γ.
    on_record
        Called with step and student, in float64, at each record.

    Returns
    -------
    TeacherStudentHistory
        `gen_loss` is the expectation ‖D‖²_F/d_out.

    Raises
    ------
    ValueError
        Where an argument is out of its range, or GD with this η diverges; the message
        names the largest allowed η.
    """
    steps = recorded_steps(steps)
    path = SpectralPath.of(model, student, eta=eta, gamma=gamma)
    precision = working_precision(model.epsilon)
    inputs = model.inputs.astype(precision, copy=False)
    test_inputs = model.test_inputs.astype(precision, copy=False)
    vectors = path.vectors.astype(precision, copy=False)
    noise = 0.0 if model.label_noise is None else model.label_noise.astype(precision)
    modes = path.eigenvalues[:, np.newaxis]

    columns = {name: np.empty(len(steps)) for name in _OBSERVABLES}
    largest = max(len(inputs), len(test_inputs), len(student)) * path.d_out
    chunk = max(1, CHUNK // largest)
    for start in range(0, len(steps), chunk):
        rows = slice(start, start + chunk)
        components = path.components(steps[rows])
        null = path.null_deviation(steps[rows])
        misfit = components - path.interpolation
        columns["train_loss"][rows] = (
            np.sum(modes * misfit**2, axis=(1, 2)) / path.d_out + path.unfittable
        )
        columns["gen_loss"][rows] = (
            np.sum(components**2, axis=(1, 2)) + np.sum(null**2, axis=(1, 2))
        ) / path.d_out
        deviation = _apply(vectors, components.astype(precision)) + null.astype(precision)
        train_errors = sample_errors(_apply(inputs, deviation) - noise)
        gen_errors = sample_errors(_apply(test_inputs, deviation))
        columns["train_accuracy"][rows] = accuracy(train_errors, model.epsilon)
        columns["gen_accuracy"][rows] = accuracy(gen_errors, model.epsilon)
        if on_record is not None:
            for step in steps[rows]:
                (exact,) = path.deviation(np.array([step]))
                on_record(float(step), (model.teacher + exact,))
    return TeacherStudentHistory(steps=steps, **columns)


_OBSERVABLES = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")


def _apply(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return matrix @ columns for (m, n) and (records, n, d_out) as one product."""
    records, inner, d_out = columns.shape
    flat = columns.transpose(1, 0, 2).reshape(inner, records * d_out)
    return (matrix @ flat).reshape(len(matrix), records, d_out).transpose(1, 0, 2)


def _modes(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positive eigenvalues of Σ, ascending, and their eigenvectors.

    Works on the smaller of XᵀX and XXᵀ.  Eigenvalues that are zero up to rounding are
    left out, so that the null space is exactly null at all times.
    """
    n_train, d_in = inputs.shape
    wide = n_train < d_in
    gram = inputs @ inputs.T if wide else inputs.T @ inputs
    eigenvalues, vectors = eigh(gram / n_train, driver="evd", overwrite_a=True)
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
