"""Paper A's one-layer model: teacher-student linear regression (Sec. 2).

With D = S - T the deviation of the student from the teacher and Σ = XᵀX/n_train, the
training loss is Tr[DᵀΣD]/d_out and the generalization loss ‖D‖²_F/d_out.
"""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class LinearModel:
    """The model on its data; arrays may have leading axes (realizations).

    Attributes
    ----------
    inputs : (..., n_train, d_in)
    label_noise : (..., n_train, d_out) or None
        Noise of the training labels XT + ξ; None for none.
    teacher : (..., d_in, d_out)
    test_inputs : (..., n_gen, d_in)
        Fresh inputs that the generalization accuracy is measured on.
    epsilon
        Accuracy threshold ε.

    Raises
    ------
    ValueError
        Where ε is not a positive finite number.
    """

    inputs: Array
    label_noise: Array | None
    teacher: Array
    test_inputs: Array
    epsilon: float

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)

    @classmethod
    def from_data(
        cls, data: TeacherStudentData, test_inputs: Array, epsilon: float
    ) -> "LinearModel":
        """Put the model on one realization of the data."""
        (teacher,) = data.teacher
        return cls(data.inputs, data.label_noise, teacher, test_inputs, epsilon)

    @property
    def d_out(self) -> int:
        """Output dimension: a weight decay γ acts as the force -γS/d_out."""
        return self.teacher.shape[-1]

    def training_residual(self, params: Params) -> Array:
        """Return XD - ξ, (..., n_train, d_out), for a student params = (S,)."""
        (student,) = params
        residual = self.inputs @ (student - self.teacher)
        return residual if self.label_noise is None else residual - self.label_noise

    def loss(self, params: Params) -> Array:
        """Return the training loss (...), on the noisy labels."""
        xp = array_namespace(self.inputs)
        return xp.mean(sample_errors(self.training_residual(params)), axis=-1)

    def gradient(self, params: Params) -> Params:
        """Return the gradient of `loss`, 2Xᵀ(XD - ξ)/(n_train d_out)."""
        xp = array_namespace(self.inputs)
        scale = 2.0 / (self.inputs.shape[-2] * self.d_out)
        transposed = xp.matrix_transpose(self.inputs)
        return (scale * (transposed @ self.training_residual(params)),)

    def observables(self, params: Params) -> Observables:
        """Return losses and accuracies (...).

        The training ones are on the noisy labels.  `gen_loss` is the expectation over
        fresh inputs, `gen_accuracy` the fraction of `test_inputs`, both without noise.
        """
        xp = array_namespace(self.inputs)
        (student,) = params
        deviation = student - self.teacher
        train_errors = sample_errors(self.training_residual(params))
        gen_errors = sample_errors(self.test_inputs @ deviation)
        return {
            "train_loss": xp.mean(train_errors, axis=-1),
            "gen_loss": population_loss(deviation),
            "train_accuracy": accuracy(train_errors, self.epsilon),
            "gen_accuracy": accuracy(gen_errors, self.epsilon),
        }
