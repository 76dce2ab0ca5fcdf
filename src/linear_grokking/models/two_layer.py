"""Paper A's two-layer model f(x) = S₁ᵀφ(S₀ᵀx), φ the identity or tanh (Sec. 4)."""

import math
from dataclasses import dataclass
from functools import cached_property

from linear_grokking.models.contract import Params
from linear_grokking.models.teacher_student import (
    TeacherStudentModel,
    population_loss,
    sample_errors,
)
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.shapes import Float

ACTIVATIONS = ("identity", "tanh")


@dataclass(frozen=True)
class TwoLayerModel(TeacherStudentModel):
    """The model on its data; parameters are (S₀, S₁), (..., d_in, d_h) and (..., d_h, d_out).

    Weights may have a wider dtype than the inputs; products with the inputs are taken in
    the inputs' dtype, the linear net's deviation S₀S₁ - T in the weights'.

    Attributes
    ----------
    activation
        φ: ``"identity"`` or ``"tanh"``.

    Raises
    ------
    ValueError
        Where the activation is unknown; see also `TeacherStudentModel`.
    """

    activation: str = "identity"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ACTIVATIONS:
            allowed = " or ".join(ACTIVATIONS)
            raise ValueError(f"activation = {self.activation!r}: must be {allowed}")

    @cached_property
    def covariance(self) -> Float[Array, "*R d_in d_in"]:
        """Σ = XᵀX/n_train, (..., d_in, d_in)."""
        inputs = self.data.inputs
        return (array_namespace(inputs).matrix_transpose(inputs) @ inputs) / inputs.shape[-2]

    @cached_property
    def training_labels(self) -> Float[Array, "*R N d_out"]:
        """The tanh teacher's outputs on the training inputs, (..., n_train, d_out)."""
        return _tanh_output(self.data.teacher, self.data.inputs)

    @cached_property
    def fresh_labels(self) -> Float[Array, "*R M d_out"]:
        """The tanh teacher's outputs on the fresh inputs, (..., n_gen, d_out)."""
        return _tanh_output(self.data.teacher, self.data.fresh)

    @cached_property
    def teacher_product(self) -> Float[Array, "*R d_in d_out"]:
        """The linear teacher's matrix T₀T₁, (..., d_in, d_out)."""
        return self.data.teacher[0] @ self.data.teacher[1]

    def training_residual(self, params: Params) -> Float[Array, "*R N d_out"]:
        """See `TeacherStudentModel.training_residual`."""
        if self.activation == "identity":
            return self.data.inputs @ _cast(self._deviation(params), self.data.inputs)
        return _tanh_output(params, self.data.inputs) - self.training_labels

    def gradient(self, params: Params) -> Params:
        """Return the gradient of `loss` with respect to both layers.

        For the linear net it needs only Σ: (2/d_out) ΣDS₁ᵀ and (2/d_out) S₀ᵀΣD with
        D = S₀S₁ - T.
        """
        inputs = self.data.inputs
        xp = array_namespace(inputs)
        transpose = xp.matrix_transpose
        if self.activation == "identity":
            first, second = params
            slope = self.covariance @ _cast(self._deviation(params), inputs)
            slope = (2.0 / self.d_out) * _cast(slope, second)
            return slope @ transpose(second), transpose(first) @ slope
        first, second = (_cast(layer, inputs) for layer in params)
        hidden = xp.tanh(inputs @ first)
        residual = hidden @ second - self.training_labels
        residual = residual * (2.0 / (inputs.shape[-2] * self.d_out))
        backward = (residual @ transpose(second)) * (1.0 - hidden * hidden)
        return transpose(inputs) @ backward, transpose(hidden) @ residual

    def observables(self, params: Params) -> dict[str, Float[Array, "*R"]]:
        """See `TeacherStudentModel.observables`.

        `gen_loss` is the expectation over fresh inputs for the linear net; for tanh it is
        the mean over `data.fresh`, and `gen_loss_error` its standard error.
        """
        inputs, fresh = self.data.inputs, self.data.fresh
        xp = array_namespace(fresh)
        if self.activation == "identity":
            deviation = self._deviation(params)
            train_errors, gen_errors = (
                sample_errors(x @ _cast(deviation, x)) for x in (inputs, fresh)
            )
            gen_loss = population_loss(deviation)
            error = xp.zeros_like(gen_loss)
        else:
            train_errors = sample_errors(self.training_residual(params))
            gen_errors = sample_errors(_tanh_output(params, fresh) - self.fresh_labels)
            gen_loss = xp.mean(gen_errors, axis=-1)
            error = xp.std(gen_errors, axis=-1) / math.sqrt(gen_errors.shape[-1])
        found = self.measured(train_errors, gen_errors)
        return found | {"gen_loss": gen_loss, "gen_loss_error": error}

    def _deviation(self, params: Params) -> Array:
        first, second = params
        return first @ second - self.teacher_product


def _tanh_output(params: Params, inputs: Array) -> Array:
    first, second = (_cast(layer, inputs) for layer in params)
    return array_namespace(inputs).tanh(inputs @ first) @ second


def _cast(array: Array, like: Array) -> Array:
    """Return an array in another's dtype."""
    return array_namespace(like).astype(array, like.dtype, copy=False)
