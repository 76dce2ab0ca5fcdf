"""Paper A: linear regression and two-layer nets."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from linear_grokking.config.experiments.base import (
    Experiment,
    WithAdam,
    one_of,
    only_with,
    whole_size,
)
from linear_grokking.config.fields import (
    Axis,
    Count,
    NonNegative,
    OneOf,
    Positive,
    Real,
    Time,
    refused,
)
from linear_grokking.jobs.kinds import solvers_of


class Regression(Experiment, title="Linear regression and two-layer nets (Paper A)"):
    """Sizes of a teacher-student problem, and the tolerance of its accuracy."""

    d_in: Axis[Count] = Field((1000,), description="Input dimension.")
    lambda_: Axis[Positive] | None = Field(
        None, alias="lambda", description="λ = d_in/n_train; critical at 1."
    )
    n_train: Axis[Count] | None = Field(None, description="Training samples, instead of lambda.")
    epsilon: Axis[Positive] = Field(
        (1.0e-3,), description="A sample is right if its squared error per output is at most ε."
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        one_of(self, "lambda", "n_train")

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        spec = dict(parameters)
        lambda_ = spec.pop("lambda", None)
        if lambda_ is not None:
            spec["n_train"] = whole_size("n_train", spec["d_in"] / lambda_, lambda_)
        else:
            parameters["lambda"] = spec["d_in"] / spec["n_train"]
        return spec


class TeacherStudent(WithAdam, Regression, title="Linear regression and two-layer nets (Paper A)"):
    """A student that learns from a teacher with the same architecture."""

    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    d_out: Axis[Count] = Field((1,), description="Output dimension.")
    gamma: Axis[NonNegative] = Field((0.0,), description="Weight decay γ of every layer.")
    n_gen: Count = Field(10_000, description="Fresh samples on which generalization is measured.")
    t_max: Time = Field(1.0e5, description="Last step.")
    adam_epsilon: NonNegative = Field(1.0e-8, description="adam: ε of the denominator √v + ε.")


class LinearExperiment(
    TeacherStudent, title="Paper A, one layer: teacher-student linear regression"
):
    """One linear layer."""

    model: Literal["linear"] = Field(description="One linear layer.")
    solver: Annotated[str, OneOf(*solvers_of("linear", "dynamics"))] = Field(
        "spectral",
        description="GD and other methods exactly in the eigenbasis, or literal steps.",
    )
    law: Axis[Literal["gaussian", "power_law"]] = Field(
        ("gaussian",), description="Law of the inputs: isotropic, or with a power-law covariance."
    )
    spectral_exponent: Axis[Annotated[Real, Field(ge=0, le=10)]] | None = Field(
        None, description="power_law: exponent p of the inputs' variances (p+1)u^p, 0 < u < 1."
    )
    alpha: Axis[Positive] = Field((1.0,), description="Factor on the initial student.")
    noise: Axis[NonNegative] = Field((0.0,), description="Variance of the training-label noise.")
    momentum: Axis[Annotated[Real, Field(ge=0, lt=1)]] | None = Field(
        None, description="momentum: fraction of the last step that is kept; by default λ."
    )
    nesterov: bool = Field(False, description="momentum: use Nesterov's momentum.")
    grokfast_alpha: Axis[Annotated[Real, Field(ge=0, lt=1)]] = Field(
        (0.98,), description="grokfast: decay α of the average of the gradients."
    )
    grokfast_lamb: Axis[NonNegative] = Field(
        (2.0,), description="grokfast: factor κ on that average."
    )
    batch_size: Axis[Count] = Field(
        (32,), description="sgd: samples per step, drawn without replacement."
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        if self.solver == "conjugate_gradients" and "eta" in self.model_fields_set:
            raise refused("sets eta, which has no meaning with solver: conjugate_gradients")
        structured = "power_law" in self.law
        only_with(self, "law: power_law", structured, "spectral_exponent")
        if structured and self.spectral_exponent is None:
            raise refused("needs spectral_exponent with law: power_law")

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """See `Experiment.unused`."""
        yield from super().unused(parameters)
        if parameters["solver"] == "conjugate_gradients":
            yield "eta"
        # A spec without these keys stands for isotropic inputs.
        if parameters["law"] == "gaussian":
            yield from ("law", "spectral_exponent")

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        spec = super().sized(parameters)
        lambda_ = spec["d_in"] / spec["n_train"]
        if self.solver == "momentum" and "momentum" not in spec:
            if lambda_ >= 1:
                raise refused(f"needs momentum with solver: momentum at lambda = {lambda_:g}")
            # Polyak's choice at eta = d_out/2.
            spec["momentum"] = parameters["momentum"] = lambda_
        if spec.get("batch_size", 0) > spec["n_train"]:
            raise refused(
                f"sets batch_size = {spec['batch_size']}; must be at most n_train = "
                f"{spec['n_train']}"
            )
        return spec


class GrokkingTimesExperiment(
    Regression, title="Paper A, one layer: exact grokking times of many draws, without data"
):
    """Exact times at which accuracies are reached, from random spectra of the one-layer model."""

    timed: ClassVar[bool] = True

    model: Literal["linear"] = Field("linear", description="One linear layer, one output.")
    measure: Literal["grokking_times"] = Field(description="When accuracies are reached.")
    solver: Annotated[str, OneOf(*solvers_of("linear", "grokking_times"))] = Field(
        "bidiagonal", description="Spectra of random bidiagonal matrices; exact GD."
    )
    eta: Axis[Positive] = Field((0.01,), description="Learning rate η.")


class TwoLayerExperiment(TeacherStudent, title="Paper A, two layers: linear or tanh"):
    """Two layers."""

    model: Literal["two_layer"] = Field(description="Two layers.")
    solver: Annotated[str, OneOf(*solvers_of("two_layer", "dynamics"))] = Field(
        "gradient_flow", description="Adaptive Runge-Kutta, or literal steps."
    )
    activation: Axis[Literal["identity", "tanh"]] = Field(
        ("identity",), description="Activation φ of the hidden layer."
    )
    d_h: Axis[Count] = Field(description="Hidden width.")
