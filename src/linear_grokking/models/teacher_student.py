"""What Paper A's one-layer and two-layer models share: errors, losses, accuracies.

Array-generic: every function takes NumPy arrays or torch tensors, with any leading axes
(realizations) before those it names.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from linear_grokking.data.draws import TeacherStudentData
from linear_grokking.models.contract import Params, unscaled
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.shapes import Float

SINGLE_PRECISION_EPSILON = 1e-8


@dataclass(frozen=True)
class TeacherStudentModel(ABC):
    """A student on its data; arrays may have leading axes (realizations).

    Attributes
    ----------
    data
        Inputs, labels and teacher; generalization is measured on `data.fresh`.
    epsilon
        A sample counts as right if its squared error per output is at most ε.
    gamma
        Weight decay γ: the force -γS/d_out on every layer.

    Raises
    ------
    ValueError
        Where ε is not positive and finite, or γ is negative or not finite.
    """

    data: TeacherStudentData
    epsilon: float
    gamma: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < float("inf"):
            raise ValueError(f"epsilon = {self.epsilon}: must be a positive finite number")
        if not 0 <= self.gamma < float("inf"):
            raise ValueError(f"gamma = {self.gamma}: must be a finite number, at least 0")

    @property
    def d_out(self) -> int:
        """Output dimension."""
        return self.data.teacher[-1].shape[-1]

    @property
    def weight_decay(self) -> float:
        """Factor w of the force -wθ on every layer: γ/d_out."""
        return self.gamma / self.d_out

    @property
    def decays(self) -> tuple[float, ...]:
        """See `contract.Model`."""
        return (self.weight_decay,) * len(self.data.teacher)

    @abstractmethod
    def training_residual(self, params: Params) -> Float[Array, "*R N d_out"]:
        """Return the outputs minus the labels on the training set, (..., n_train, d_out)."""

    @abstractmethod
    def gradient(self, params: Params) -> Params:
        """Return the gradient of `loss`."""

    def scaled_gradient(self, params: Params) -> Params:
        """See `contract.Model.scaled_gradient`: L = 0, as this gradient does not underflow."""
        return unscaled(self.gradient(params))

    @abstractmethod
    def observables(self, params: Params) -> dict[str, Float[Array, "*R"]]:
        """Return losses and accuracies (...).

        Training values are measured on noisy labels, generalization values on noise-free ones.
        """

    def loss(self, params: Params) -> Float[Array, "*R"]:
        """Return the training loss (...): mean squared error over samples and outputs."""
        errors = sample_errors(self.training_residual(params))
        return array_namespace(errors).mean(errors, axis=-1)

    def integrands(self, params: Params) -> dict[str, Float[Array, "*R"]]:
        """See `contract.Model.integrands`: there are none."""
        return {}

    def stretches(self) -> None:
        """See `contract.Model.stretches`: there is no such loop."""
        return None

    def measured(
        self, train_errors: Float[Array, "*R N"], gen_errors: Float[Array, "*R M"]
    ) -> dict[str, Float[Array, "*R"]]:
        """Return the observables that follow from the samples' errors (..., n) alone."""
        xp = array_namespace(train_errors)
        return {
            "train_loss": xp.mean(train_errors, axis=-1),
            "train_accuracy": accuracy(train_errors, self.epsilon),
            "gen_accuracy": accuracy(gen_errors, self.epsilon),
        }

    def in_working_precision(self) -> Self:
        """Return the model on NumPy inputs that are as narrow as ε allows."""
        precision = self.working_precision
        inputs, fresh = (
            x.astype(precision, copy=False) for x in (self.data.inputs, self.data.fresh)
        )
        return replace(self, data=replace(self.data, inputs=inputs, fresh=fresh))

    @property
    def working_precision(self) -> type:
        """Dtype in which samples' errors are good enough to compare with ε.

        Rounding to float32 moves an error of size ε by about 1e-7 √(ε L_gen), with L_gen at
        most of order 1: negligible unless ε is tiny.
        """
        return np.float32 if self.epsilon > SINGLE_PRECISION_EPSILON else np.float64


def sample_errors(residual: Float[Array, "*S d_out"]) -> Float[Array, "*S"]:
    """Return the squared error per output, (..., n) from residuals (..., n, d_out)."""
    return array_namespace(residual).mean(residual * residual, axis=-1)


def accuracy(errors: Float[Array, "*S n"], epsilon: float) -> Float[Array, "*S"]:
    """Return the fraction (...) of samples with errors (..., n) at most ε (Paper A, Sec. 3)."""
    xp = array_namespace(errors)
    return xp.mean(xp.astype(errors <= epsilon, xp.float64), axis=-1)


def population_loss(
    deviation: Float[Array, "*S d_in d_out"], variances: Float[Array, "*#S d_in"] | None = None
) -> Float[Array, "*S"]:
    """Return L_gen = Tr[DᵀCD]/d_out, (...) from deviations D (..., d_in, d_out).

    The expectation of a linear net's squared error per output over x ~ N(0, C), C with the
    ``variances`` (..., d_in) on its diagonal; None stands for the identity.
    """
    xp = array_namespace(deviation)
    squares = deviation * deviation
    if variances is not None:
        squares = squares * variances[..., None]
    return xp.sum(squares, axis=(-2, -1)) / deviation.shape[-1]
