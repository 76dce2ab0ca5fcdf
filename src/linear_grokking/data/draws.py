"""Realizations of the papers' training problems: inputs, labels, teachers, initial weights."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from linear_grokking.data.covariance import power_law_variances
from linear_grokking.data.input_law import InputLaw
from linear_grokking.data.streams import fill_normal, generator
from linear_grokking.shapes import Float


@dataclass(frozen=True)
class TeacherStudentData:
    """One realization of Paper A's teacher-student problem, or several (see `stacked`).

    Attributes
    ----------
    inputs : (n_train, d_in)
        x ~ N(0, I), or N(0, C) with a diagonal C.
    fresh : (n_gen, d_in)
        Inputs of the same law that are in no training set.
    label_noise : (n_train, d_out) or None
        Noise added to the training labels; None where its variance is 0.
    teacher, student : tuple of arrays, one per layer
        One layer: (d_in, d_out).  Two layers: (d_in, d_h), (d_h, d_out).
    variances : (d_in,) or None
        The diagonal of C; None for I.
    """

    inputs: Float[Any, "*R N d_in"]
    fresh: Float[Any, "*R M d_in"]
    label_noise: Float[Any, "*R N d_out"] | None
    teacher: tuple[Float[Any, "*R _ _"], ...]
    student: tuple[Float[Any, "*R _ _"], ...]
    variances: Float[Any, "*R d_in"] | None = None


def teacher_student(
    *,
    seed: int,
    realization: int,
    n_train: int,
    n_gen: int,
    widths: tuple[int, ...],
    alpha: float = 1.0,
    noise: float = 0.0,
    spectral_exponent: float | None = None,
) -> TeacherStudentData:
    """Draw inputs, teacher and initial student in float64 (Paper A, Secs. 3 and 4.1).

    Parameters
    ----------
    widths
        Layer widths from input to output: (d_in, d_out) or (d_in, d_h, d_out).  Entries of
        a layer of shape (m, n) have variance 1/(2mn).
    alpha
        Factor on the initial student, S₀ → αS₀.
    noise
        Variance of the training-label noise.
    spectral_exponent
        p of a power-law covariance (`covariance.power_law_variances`); None for isotropic
        inputs.  Sets that differ only in p have the same inputs in units of these deviations.
    """

    def draw(purpose: str, shape: tuple[int, ...], scale: float | np.ndarray = 1.0) -> np.ndarray:
        law = {"law": "normal", "shape": list(shape)}
        return fill_normal(generator(seed, law, realization, purpose), np.empty(shape), scale)

    def layers(name: str, factor: float) -> tuple[np.ndarray, ...]:
        return tuple(
            draw(f"{name} {k}", shape, factor * (1.0 / np.sqrt(2.0 * shape[0] * shape[1])))
            for k, shape in enumerate(itertools.pairwise(widths))
        )

    labels = (n_train, widths[-1])
    variances, deviations = None, 1.0
    if spectral_exponent is not None:
        variances = power_law_variances(widths[0], spectral_exponent)
        deviations = np.sqrt(variances)
    return TeacherStudentData(
        inputs=draw("inputs", (n_train, widths[0]), deviations),
        fresh=draw("test inputs", (n_gen, widths[0]), deviations),
        label_noise=draw("label noise", labels, np.sqrt(noise)) if noise > 0 else None,
        teacher=layers("teacher", 1.0),
        student=layers("student", alpha),
        variances=variances,
    )


@dataclass(frozen=True)
class ClassificationData:
    """One realization of Paper B's classification problem, or several (see `stacked`).

    Attributes
    ----------
    inputs : (n_train, d)
    labels : (n_train,) of ±1
        All -1, unless the label fraction is below 1.
    weights : (d,)
        S₀, of random direction and given norm.
    fresh : (n_gen, d) or None
        Inputs of the same law that are in no training set, all labelled -1.
    """

    inputs: Float[Any, "*R N d"]
    labels: Float[Any, "*R N"]
    weights: Float[Any, "*R d"]
    fresh: Float[Any, "*R M d"] | None


def classification(
    law: InputLaw,
    *,
    seed: int,
    realization: int,
    n_train: int,
    d: int,
    s0_norm: float = 0.0,
    label_fraction: float = 1.0,
    n_gen: int = 0,
    dtype: np.dtype | type = np.float64,
) -> ClassificationData:
    """Draw a training set and an initial direction (Paper B, Sec. 3.1).

    Parameters
    ----------
    s0_norm
        ‖S₀‖; the direction is the same whatever the norm.
    label_fraction
        Probability r of the label -1.  Sets of different r share inputs, and the samples
        labelled +1 at some r keep that label at every smaller one.
    n_gen
        Number of fresh inputs.
    """

    def stream(purpose: str, **size: int) -> np.random.Generator:
        return generator(seed, {**law.key(), **size, "d": d}, realization, purpose)

    drawing = law.of_realization(stream("features"), d)

    def inputs(n: int, rng: np.random.Generator) -> np.ndarray:
        drawn = np.empty((n, d), dtype)
        drawing.draw(rng, drawn)
        return drawn

    direction = stream("initial weights", n_train=n_train).standard_normal(d)
    direction *= s0_norm / np.linalg.norm(direction)
    labels = random_labels(stream("labels", n_train=n_train), n_train, label_fraction)
    return ClassificationData(
        inputs=inputs(n_train, stream("inputs", n_train=n_train)),
        labels=labels.astype(dtype),
        weights=direction.astype(dtype),
        fresh=inputs(n_gen, stream("test inputs", n_gen=n_gen)) if n_gen else None,
    )


def random_labels(
    rng: np.random.Generator, n_train: int, label_fraction: float
) -> Float[np.ndarray, " N"]:
    """Return labels (n_train,) that are -1 with probability r, else +1."""
    return np.where(rng.random(n_train) < label_fraction, -1.0, 1.0)


@dataclass(frozen=True)
class ModularData:
    """One realization of addition modulo p, or several (see `stacked`).

    Attributes
    ----------
    inputs : (n_train, 2p)
        The pairs (a, b) of the training set: a one-hot in the first half, b in the second.
    targets : (n_train, p)
        a + b mod p, one-hot.
    fresh : (p² - n_train, 2p)
        All other pairs.
    fresh_targets : (p² - n_train, p)
    weights : tuple of arrays
        Initial embeddings, U stacked on V (2p, d_h), and readout W (d_h, p).
    """

    inputs: Float[Any, "*R N two_p"]
    targets: Float[Any, "*R N p"]
    fresh: Float[Any, "*R M two_p"]
    fresh_targets: Float[Any, "*R M p"]
    weights: tuple[Float[Any, "*R _ _"], ...]


def modular_addition(
    *, seed: int, realization: int, p: int, n_train: int, d_h: int, alpha: float
) -> ModularData:
    """Draw a training set among the p² pairs, and initial weights, in float64.

    Parameters
    ----------
    n_train
        Number of training pairs; a larger set of the same realization contains the smaller ones.
    alpha
        Standard deviation of the initial weights.
    """
    pairs = {"law": "pairs", "p": p}
    order = generator(seed, pairs, realization, "training set").permutation(p * p)
    a, b = np.divmod(order, p)
    one_hot = np.eye(p)
    inputs, targets = np.hstack([one_hot[a], one_hot[b]]), one_hot[(a + b) % p]

    def layer(purpose: str, shape: tuple[int, int]) -> np.ndarray:
        law = {"law": "normal", "shape": list(shape)}
        return fill_normal(generator(seed, law, realization, purpose), np.empty(shape), alpha)

    return ModularData(
        *(inputs[:n_train], targets[:n_train], inputs[n_train:], targets[n_train:]),
        weights=(layer("embeddings", (2 * p, d_h)), layer("readout", (d_h, p))),
    )


Data = TypeVar("Data", TeacherStudentData, ClassificationData, ModularData)


def stacked(drawn: Sequence[Data], put: Callable[[np.ndarray], Any] = lambda array: array) -> Data:
    """Return realizations as one object, whose arrays have a leading axis of realizations.

    Parameters
    ----------
    put
        Moves each array to where it is needed.  Arrays of a single realization are not copied.
    """

    def together(parts: Sequence[Any]) -> Any:
        if parts[0] is None:
            return None
        if isinstance(parts[0], tuple):
            return tuple(together(layers) for layers in zip(*parts, strict=True))
        return put(parts[0][np.newaxis] if len(parts) == 1 else np.stack(parts))

    first = drawn[0]
    return type(first)(
        **{f.name: together([getattr(each, f.name) for each in drawn]) for f in fields(first)}
    )
