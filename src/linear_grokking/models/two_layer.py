"""Paper A's two-layer model f(x) = S₁ᵀφ(S₀ᵀx), φ the identity or tanh (Sec. 5)."""

import math
from dataclasses import dataclass
from functools import cached_property

from array_api_compat import array_namespace

from linear_grokking.data import TeacherStudentData
from linear_grokking.models.teacher_student import (
    Array,
    Observables,
    Params,
    accuracy,
    check_epsilon,
    population_loss,
    sample_errors,
)

ACTIVATIONS = ("identity", "tanh")


@dataclass(frozen=True)
class TwoLayerModel:
    """The model on its data; arrays may have leading axes (realizations).

    Weights may have a wider dtype than the inputs; products with the inputs are taken in
    the inputs' dtype, the linear net's deviation S₀S₁ - T in the weights'.

    Attributes
    ----------
    inputs : (..., n_train, d_in)
    teacher : (..., d_in, d_h), (..., d_h, d_out)
    test_inputs : (..., n_gen, d_in)
        Fresh inputs that generalization is measured on.
    epsilon
        Accuracy threshold ε.
    activation
        φ: ``"identity"`` or ``"tanh"``.

    Raises
    ------
    ValueError
        Where ε is not a positive finite number or the activation is unknown.
    """

    inputs: Array
    teacher: tuple[Array, Array]
    test_inputs: Array
    epsilon: float
    activation: str

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        if self.activation not in ACTIVATIONS:
            allowed = " or ".join(ACTIVATIONS)
            raise ValueError(f"activation = {self.activation!r}: must be {allowed}")

    @classmethod
    def from_data(
        cls, data: TeacherStudentData, test_inputs: Array, epsilon: float, activation: str
    ) -> "TwoLayerModel":
        """Put the model on one realization of the data."""
        return cls(data.inputs, data.teacher, test_inputs, epsilon, activation)

    @property
    def d_out(self) -> int:
        """Output dimension: a weight decay γ acts as the force -γS/d_out."""
        return self.teacher[1].shape[-1]

    @cached_property
    def covariance(self) -> Array:
        """Σ = XᵀX/n_train, (..., d_in, d_in)."""
        xp = array_namespace(self.inputs)
        return (xp.matrix_transpose(self.inputs) @ self.inputs) / self.inputs.shape[-2]

    @cached_property
    def training_labels(self) -> Array:
        """The tanh teacher's outputs on the training inputs, (..., n_train, d_out)."""
        return _tanh_output(self.teacher, self.inputs)

    @cached_property
    def test_labels(self) -> Array:
        """The tanh teacher's outputs on the test inputs, (..., n_gen, d_out)."""
        return _tanh_output(self.teacher, self.test_inputs)

    @cached_property
    def teacher_product(self) -> Array:
        """The linear teacher's matrix T₀T₁, (..., d_in, d_out)."""
        return self.teacher[0] @ self.teacher[1]

    def loss(self, params: Params) -> Array:
        """Return the training loss (...): mean squared error over samples and outputs."""
        if self.activation == "identity":
            residual = self.inputs @ _cast(self._deviation(params), self.inputs)
        else:
            residual = _tanh_output(params, self.inputs) - self.training_labels
        return array_namespace(residual).mean(sample_errors(residual), axis=-1)

    def gradient(self, params: Params) -> Params:
        """Return the gradient of `loss` by both layers.

        The linear net's needs Σ only: (2/d_out) ΣDS₁ᵀ and (2/d_out) S₀ᵀΣD with
        D = S₀S₁ - T.
        """
        xp = array_namespace(self.inputs)
        transpose = xp.matrix_transpose
        if self.activation == "identity":
            first, second = params
            slope = self.covariance @ _cast(self._deviation(params), self.inputs)
            slope = (2.0 / self.d_out) * _cast(slope, second)
            return slope @ transpose(second), transpose(first) @ slope
        first, second = (_cast(layer, self.inputs) for layer in params)
        hidden = xp.tanh(self.inputs @ first)
        residual = hidden @ second - self.training_labels
        residual = residual * (2.0 / (self.inputs.shape[-2] * self.d_out))
        backward = (residual @ transpose(second)) * (1.0 - hidden * hidden)
        return transpose(self.inputs) @ backward, transpose(hidden) @ residual

    def observables(self, params: Params) -> Observables:
        """Return losses and accuracies (...).

        `gen_loss` is the expectation over fresh inputs for the linear net; for tanh it is
        the mean over `test_inputs`, and `gen_loss_error` its standard error.
        """
        xp = array_namespace(self.inputs)
        if self.activation == "identity":
            deviation = self._deviation(params)
            training = self.inputs @ _cast(deviation, self.inputs)
            fresh = self.test_inputs @ _cast(deviation, self.test_inputs)
        else:
            training = _tanh_output(params, self.inputs) - self.training_labels
            fresh = _tanh_output(params, self.test_inputs) - self.test_labels
        train_errors, gen_errors = sample_errors(training), sample_errors(fresh)
        observables = {
            "train_loss": xp.mean(train_errors, axis=-1),
            "train_accuracy": accuracy(train_errors, self.epsilon),
            "gen_accuracy": accuracy(gen_errors, self.epsilon),
        }
        if self.activation == "identity":
            observables["gen_loss"] = population_loss(deviation)
        else:
            observables["gen_loss"] = xp.mean(gen_errors, axis=-1)
            spread = xp.std(gen_errors, axis=-1)
            observables["gen_loss_error"] = spread / math.sqrt(gen_errors.shape[-1])
        return observables

    def _deviation(self, params: Params) -> Array:
        first, second = params
        return first @ second - self.teacher_product


def _tanh_output(params: Params, inputs: Array) -> Array:
    first, second = (_cast(layer, inputs) for layer in params)
    return array_namespace(inputs).tanh(inputs @ first) @ second


def _cast(array: Array, like: Array) -> Array:
    """Return an array in another's dtype."""
    return array_namespace(like).astype(array, like.dtype, copy=False)
