"""Paper A's one-layer model: teacher-student linear regression (Sec. 3).

With D = S - T the deviation of the student from the teacher and Σ = XᵀX/n_train, the
training loss is Tr[DᵀΣD]/d_out and the generalization loss Tr[DᵀCD]/d_out, where C is the
covariance of the inputs' law.  In the paper C = I, and the latter is ‖D‖²_F/d_out.
"""

from dataclasses import dataclass

import numpy as np

from linear_grokking.models.contract import Params
from linear_grokking.models.teacher_student import (
    TeacherStudentModel,
    population_loss,
    sample_errors,
)
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.shapes import Float


class LinearModel(TeacherStudentModel):
    """The model on its data; parameters are (S,), S of shape (..., d_in, d_out)."""

    @property
    def teacher(self) -> Float[Array, "*R d_in d_out"]:
        """T, (..., d_in, d_out)."""
        return self.data.teacher[0]

    def training_residual(self, params: Params) -> Float[Array, "*R N d_out"]:
        """Return XD - ξ, ξ the noise of the training labels; (..., n_train, d_out)."""
        residual = self.data.inputs @ (params[0] - self.teacher)
        return residual if self.data.label_noise is None else residual - self.data.label_noise

    def gradient(self, params: Params) -> Params:
        """Return the gradient of `loss`, 2Xᵀ(XD - ξ)/(n_train d_out)."""
        inputs = self.data.inputs
        residual = self.training_residual(params)
        scale = 2.0 / (inputs.shape[-2] * self.d_out)
        return (scale * (array_namespace(inputs).matrix_transpose(inputs) @ residual),)

    def observables(self, params: Params) -> dict[str, Float[Array, "*R"]]:
        """See `TeacherStudentModel.observables`; `gen_loss` is the expectation."""
        deviation = params[0] - self.teacher
        train_errors = sample_errors(self.training_residual(params))
        gen_errors = sample_errors(self.data.fresh @ deviation)
        gen_loss = population_loss(deviation, self.data.variances)
        return self.measured(train_errors, gen_errors) | {"gen_loss": gen_loss}


@dataclass(frozen=True)
class SampledLinearModel(LinearModel):
    """The model of realizations that draw mini-batches.

    Attributes
    ----------
    streams : tuple of R generators
        The generator from which each realization draws its batches.
    """

    streams: tuple[np.random.Generator, ...] = ()
