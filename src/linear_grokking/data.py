"""Laws of inputs and labels.

Every law of Paper B's inputs is a mixture of Gaussians, so the output f = S·x + b of a
linear classifier is a mixture of one-dimensional normals: population losses and
accuracies need its means and standard deviations only (`OutputMixture`).
"""

import itertools
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from linear_grokking.randomness import fill_normal, generator


@dataclass(frozen=True)
class TeacherStudentData:
    """One realization of Paper A's teacher-student problem.

    Attributes
    ----------
    inputs : (n_train, d_in)
        x ~ N(0, I).
    label_noise : (n_train, d_out) or None
        Noise added to the training labels; None where its variance is 0.
    teacher, student : tuple of arrays, one per layer
        One layer: (d_in, d_out).  Two layers: (d_in, d_h), (d_h, d_out).
    """

    inputs: np.ndarray
    label_noise: np.ndarray | None
    teacher: tuple[np.ndarray, ...]
    student: tuple[np.ndarray, ...]


def teacher_student(
    *,
    seed: int,
    realization: int,
    n_train: int,
    widths: tuple[int, ...],
    alpha: float = 1.0,
    noise: float = 0.0,
    dtype: type = np.float64,
) -> TeacherStudentData:
    """Draw training inputs, teacher and initial student (Paper A, Sec. 2 and Sec. 5).

    Parameters
    ----------
    widths
        Layer widths from input to output: (d_in, d_out) or (d_in, d_h, d_out).  Entries of
        a layer of shape (m, n) have variance 1/(2mn).
    alpha
        Factor on the initial student, S₀ → αS₀.
    noise
        Variance of the training-label noise.
    """

    def draw(purpose: str, shape: tuple[int, ...], scale: float) -> np.ndarray:
        law = {"law": "normal", "shape": list(shape)}
        rng = generator(seed, law, realization, purpose)
        return fill_normal(rng, np.empty(shape, dtype), scale)

    shapes = list(itertools.pairwise(widths))
    scales = [1.0 / np.sqrt(2.0 * m * n) for m, n in shapes]
    layers = list(enumerate(zip(shapes, scales, strict=True)))
    return TeacherStudentData(
        inputs=draw("inputs", (n_train, widths[0]), 1.0),
        label_noise=(
            draw("label noise", (n_train, widths[-1]), np.sqrt(noise)) if noise > 0 else None
        ),
        teacher=tuple(draw(f"teacher {k}", shape, scale) for k, (shape, scale) in layers),
        student=tuple(draw(f"student {k}", shape, alpha * scale) for k, (shape, scale) in layers),
    )


def test_inputs(
    *, seed: int, realization: int, n_gen: int, d_in: int, dtype: type = np.float64
) -> np.ndarray:
    """Draw fresh standard-normal inputs (n_gen, d_in) that no training set shares."""
    law = {"law": "normal", "shape": [n_gen, d_in]}
    rng = generator(seed, law, realization, "test inputs")
    return fill_normal(rng, np.empty((n_gen, d_in), dtype))


test_inputs.__test__ = False  # the name is not a test's


@dataclass(frozen=True)
class OutputMixture:
    """Law of a linear classifier's output f on fresh data: a mixture of normals.

    All arrays broadcast against (..., K), K the number of components; leading axes are
    those of the weights.  `labels` are the ±1 labels of each component.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    deviations: np.ndarray


class InputLaw(Protocol):
    """A law of labelled inputs for the logistic model."""

    def key(self) -> dict[str, object]:
        """Name and parameters that the random stream depends on."""

    def draw(self, rng: np.random.Generator, out: np.ndarray) -> None:
        """Fill ``out`` (n, d) with inputs."""

    def output_mixture(self, weights: np.ndarray, bias: np.ndarray) -> OutputMixture:
        """Law of f = S·x + b for weights (..., d) and bias (...)."""


@dataclass(frozen=True)
class Gaussian:
    """x ~ N(0, σ²I) (Paper B, Sec. 2).

    σ is a unit of length, not a parameter of the stream: sets that differ in σ are
    multiples of each other.
    """

    sigma: float

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {"law": "gaussian"}

    def draw(self, rng: np.random.Generator, out: np.ndarray) -> None:
        """See `InputLaw.draw`."""
        fill_normal(rng, out, self.sigma)

    def output_mixture(self, weights: np.ndarray, bias: np.ndarray) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        return _centred(self.sigma * np.linalg.norm(weights, axis=-1), bias)


@dataclass(frozen=True)
class Anisotropic:
    """Centred Gaussian whose standard deviations fall geometrically along the axes.

    Axis k of d has standard deviation σ c^{½ - k/(d-1)}, c = `condition` the ratio of
    the largest to the smallest (Paper B, ICML App. G: any law symmetric about the origin).
    """

    sigma: float
    condition: float

    def deviations(self, d: int) -> np.ndarray:
        """Return the standard deviations (d,) along the axes."""
        return self.sigma * self.condition ** (0.5 - np.linspace(0.0, 1.0, d))

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {"law": "anisotropic"}

    def draw(self, rng: np.random.Generator, out: np.ndarray) -> None:
        """See `InputLaw.draw`."""
        fill_normal(rng, out, self.deviations(out.shape[1]))

    def output_mixture(self, weights: np.ndarray, bias: np.ndarray) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        scaled = weights * self.deviations(weights.shape[-1])
        return _centred(np.linalg.norm(scaled, axis=-1), bias)


@dataclass(frozen=True)
class Mixture:
    """Two Gaussians N(±m e₁, σ²I) of equal weight, all labelled -1 (ICML App. G)."""

    sigma: float
    mixture_mean: float

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {"law": "mixture", "ratio": self.mixture_mean / self.sigma}

    def draw(self, rng: np.random.Generator, out: np.ndarray) -> None:
        """See `InputLaw.draw`."""
        signs = rng.integers(0, 2, size=len(out)) * 2 - 1
        fill_normal(rng, out, self.sigma)
        out[:, 0] += (signs * self.mixture_mean).astype(out.dtype)

    def output_mixture(self, weights: np.ndarray, bias: np.ndarray) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        deviation = self.sigma * np.linalg.norm(weights, axis=-1)
        shift = self.mixture_mean * weights[..., 0]
        return OutputMixture(
            probabilities=np.array([0.5, 0.5]),
            labels=np.array([-1.0, -1.0]),
            means=np.stack([bias + shift, bias - shift], axis=-1),
            deviations=np.stack([deviation, deviation], axis=-1),
        )


@dataclass(frozen=True)
class TwoGaussians:
    """Labels ±1 with means ±μ e₁, σ_A along e₁ and σ across it (Paper B, ICML Sec. 5).

    The inputs are returned as x̂ = -y x, on which every label is -1: the classifier
    without bias, f = S·x, is right on x where S·x̂ < 0.
    """

    sigma: float
    mu: float
    sigma_a: float

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {"law": "two_gaussians"}

    def draw(self, rng: np.random.Generator, out: np.ndarray) -> None:
        """See `InputLaw.draw`."""
        fill_normal(rng, out, self.sigma)
        out[:, 0] *= self.sigma_a / self.sigma
        out[:, 0] -= self.mu

    def output_mixture(self, weights: np.ndarray, bias: np.ndarray) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        across = self.sigma * np.linalg.norm(weights[..., 1:], axis=-1)
        return _centred(
            np.hypot(self.sigma_a * weights[..., 0], across), bias - self.mu * weights[..., 0]
        )


def _centred(deviation: np.ndarray, mean: np.ndarray) -> OutputMixture:
    """Return the one-component mixture with all labels -1."""
    mean, deviation = np.broadcast_arrays(np.asarray(mean, float), deviation)
    return OutputMixture(
        np.array([1.0]), np.array([-1.0]), mean[..., np.newaxis], deviation[..., np.newaxis]
    )


@dataclass(frozen=True)
class ClassificationData:
    """One realization of Paper B's classification problem.

    Attributes
    ----------
    inputs : (n_train, d)
    labels : (n_train,) of ±1
        All -1 but for a label fraction below 1.
    weights : (d,)
        S₀, of random direction and given norm.
    """

    inputs: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def classification(
    law: InputLaw,
    *,
    seed: int,
    realization: int,
    n_train: int,
    d: int,
    s0_norm: float = 0.0,
    label_fraction: float = 1.0,
    dtype: type = np.float64,
) -> ClassificationData:
    """Draw a training set and an initial direction (Paper B, Sec. 2).

    Parameters
    ----------
    s0_norm
        ‖S₀‖; the direction is the same whatever the norm.
    label_fraction
        Probability r of the label -1.  Sets of different r share inputs, and the samples
        labelled +1 at some r keep that label at every smaller one.
    """

    def stream(purpose: str) -> np.random.Generator:
        return generator(seed, {**law.key(), "n_train": n_train, "d": d}, realization, purpose)

    inputs = np.empty((n_train, d), dtype)
    law.draw(stream("inputs"), inputs)
    direction = stream("initial weights").standard_normal(d)
    direction *= s0_norm / np.linalg.norm(direction)
    uniform = stream("labels").random(n_train)
    return ClassificationData(
        inputs=inputs,
        labels=np.where(uniform < label_fraction, -1.0, 1.0).astype(dtype),
        weights=direction.astype(dtype),
    )
