"""Paper B: logistic classification, separability of its training sets, and the two-point model."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from linear_grokking.config.experiments.base import (
    Experiment,
    Trained,
    WithAdam,
    one_of,
    only_with,
    whole_size,
)
from linear_grokking.config.fields import (
    Axis,
    Count,
    Natural,
    NonNegative,
    OneOf,
    OpenProbability,
    Positive,
    Probability,
    Real,
    refused,
)
from linear_grokking.data.input_law import SampledLaw
from linear_grokking.data.laws import LAWS, law_keys
from linear_grokking.jobs.kinds import KINDS, solvers_of
from linear_grokking.models.losses import LOSSES


@cache
def _laws_by_key() -> dict[str, list[str]]:
    """Return the keys of the input laws, each with the laws that have it."""
    found: dict[str, list[str]] = {}
    for law in LAWS:
        for key in law_keys(law):
            found.setdefault(key, []).append(law)
    return found


class Classification(Experiment, title="Sets of inputs for logistic classification (Paper B)"):
    """Inputs with one constant label, or random ones."""

    n_train: Axis[Count] = Field(description="Training samples N.")
    lambda_: Axis[Positive] | None = Field(
        None, alias="lambda", description="λ = d/N; critical at ½."
    )
    d: Axis[Count] | None = Field(None, description="Input dimension, instead of lambda.")
    sigma: Axis[Positive] = Field((1.0,), description="Standard deviation σ of the inputs.")
    law: Axis[Annotated[str, OneOf(*LAWS)]] = Field(("gaussian",), description="Law of the inputs.")
    condition: Annotated[Real, Field(ge=1, le=1e6)] | None = Field(
        None, description="anisotropic: largest over smallest standard deviation."
    )
    mixture_mean: NonNegative | None = Field(
        None, description="mixture: distance of each centre from the origin."
    )
    mu: Positive | None = Field(None, description="two_gaussians: distance μ of the means.")
    sigma_a: Axis[NonNegative] | None = Field(
        None, description="two_gaussians: standard deviation σ_A along the means."
    )
    degrees_of_freedom: Annotated[Real, Field(gt=2, le=1e6)] | None = Field(
        None, description="student_t: degrees of freedom ν of the entries, above 2."
    )
    radius_ratio: Axis[Annotated[Real, Field(ge=0.01, le=100)]] | None = Field(
        None, description="elliptical: the larger radius of an input over the smaller one."
    )
    far_share: OpenProbability | None = Field(
        None, description="elliptical: probability of the larger radius."
    )
    latent_dim: Annotated[Count, Field(ge=2)] | None = Field(
        None, description="tanh_features, relu_features: dimension m of the latent inputs."
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        one_of(self, "lambda", "d")
        for key, laws in _laws_by_key().items():
            chosen = any(law in self.law for law in laws)
            only_with(self, f"law: {' or '.join(laws)}", chosen, key)
        for law in self.law:
            for key in law_keys(law):
                if getattr(self, key) is None:
                    raise refused(f"needs {key} with law: {law}")

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """See `Experiment.unused`."""
        yield from super().unused(parameters)
        own = law_keys(parameters["law"])
        yield from (key for key in _laws_by_key() if key not in own)

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        spec = dict(parameters)
        lambda_ = spec.pop("lambda", None)
        if lambda_ is not None:
            spec["d"] = whole_size("d", spec["n_train"] * lambda_, lambda_)
        else:
            parameters["lambda"] = spec["d"] / spec["n_train"]
        return spec


_WITHOUT_BIAS = ("two_gaussians",)
"""Laws that return -yx for inputs x with both labels y: a bias would be multiplied by -y, too."""

_NEEDS: Mapping[tuple[str, str], Mapping[str, tuple[Any, ...]]] = {
    # Their observables are closed forms, which hold under these conditions only.
    ("labels", "threshold"): {
        "measure": ("dynamics",),
        "law": ("gaussian",),
        "loss": ("cross_entropy",),
        "n_gen": (0,),
        "data": ("matrix",),
    },
    # Only products with Gaussian inputs can be drawn given earlier ones, and training may not see
    # more than such products.
    ("data", "deferred"): {
        "law": tuple(
            name
            for name, law in LAWS.items()
            if law.isotropic_across and not issubclass(law, SampledLaw)
        ),
        "solver": tuple(k.solver for k in KINDS if (k.measure, k.data) == ("dynamics", "deferred")),
        "n_gen": (0,),
        "dtype": (None, "float64"),
    },
}
"""For a key and one of its values: which values of other keys are allowed with it."""


class LogisticExperiment(
    WithAdam,
    Classification,
    title="Paper B: logistic classification, dynamics or the outputs at its end",
):
    """Training on such sets, or the outputs at its end."""

    model: Literal["logistic"] = Field(description="Logistic classification.")
    measure: Literal["dynamics", "outputs"] = Field(
        "dynamics", description="Histories, or the training outputs f at t_max."
    )
    solver: Annotated[str, OneOf(*solvers_of("logistic", "dynamics"))] = Field(
        "gradient_flow", description="Stabilized flow, or literal steps."
    )
    loss: Axis[Annotated[str, OneOf(*LOSSES)]] = Field(
        ("cross_entropy",), description="Loss ℓ of the margin m = -yf."
    )
    s0_norm: Axis[NonNegative] = Field((0.1,), description="Norm of the initial weights S₀.")
    b0: Axis[Real] = Field((0.0,), description="Initial bias.")
    bias: bool = Field(True, description="Whether the model has a bias.")
    gamma: Axis[NonNegative] = Field(
        (0.0,), description="Weight decay γ: adds γ/2 times a squared norm to the loss."
    )
    decay: Axis[Literal["all", "weights"]] = Field(
        ("all",), description="With gamma: what decays, all (S and b) or the weights S alone."
    )
    label_fraction: Axis[Probability] = Field(
        (1.0,), description="Probability r of the label -1, or its share."
    )
    data: Literal["matrix", "deferred"] = Field(
        "matrix",
        description="Inputs drawn as a matrix, or product by product as training needs them.",
    )
    labels: Axis[Literal["random", "threshold"]] = Field(
        ("random",),
        description="Labels drawn at random, or decided by a threshold of the first coordinate.",
    )
    n_gen: Natural = Field(
        0, description="Fresh samples for generalization; 0 averages exactly over the population."
    )
    gd_steps: Natural = Field(
        200, description="gradient_flow: literal GD steps before the flow takes over."
    )
    rtol: OpenProbability = Field(1.0e-4, description="gradient_flow: relative tolerance.")
    dtype: Literal["float32", "float64"] | None = Field(
        None,
        description="Precision of the data; by default float64 for adam or deferred data, else "
        "float32.",
    )
    adam_epsilon: NonNegative = Field(
        0.0,
        description="adam: ε of √v + ε; gradients below it freeze the parameters.",
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        only_with(self, "gamma above 0", any(self.gamma), "decay")
        only_with(self, "a bias", self.bias, "b0")
        for law in self.law:
            if law in _WITHOUT_BIAS and self.bias:
                raise refused(f"needs no bias with law: {law}, whose inputs have both labels")
            if issubclass(LAWS[law], SampledLaw) and not self.n_gen:
                raise refused(f"needs n_gen above 0 with law: {law}, whose outputs have no formula")
        for (key, value), needs in _NEEDS.items():
            if value in self.values(key):
                for other, allowed in needs.items():
                    self._check_with(f"{key}: {value}", other, allowed)

    def _check_with(self, chosen: str, key: str, allowed: tuple[Any, ...]) -> None:
        """Refuse a key with a value that is not allowed with what was chosen."""
        for each in self.values(key):
            if each not in allowed:
                needed = " or ".join(str(value) for value in allowed if value is not None)
                raise refused(f"sets {key} = {each} with {chosen}; needs {needed}")

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """See `Experiment.unused`."""
        yield from super().unused(parameters)
        # A spec without the key stands for random labels; with r = 1 all labels are -1 anyway.
        if parameters["labels"] == "random" or parameters["label_fraction"] == 1:
            yield "labels"
        # A spec without the key stands for a matrix.
        if parameters["data"] == "matrix":
            yield "data"
        if not parameters["gamma"] or not parameters["bias"]:
            yield "decay"

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        exact = self.solver == "adam" or self.data == "deferred"
        parameters.setdefault("dtype", "float64" if exact else "float32")
        spec = super().sized(parameters)
        # A spec without the key stands for no decay.
        if not spec["gamma"]:
            del spec["gamma"]
        return spec


class SeparabilityExperiment(
    Classification, title="Paper B: verdict, limit direction and margin of each training set"
):
    """Separability statistics of such sets, without training."""

    model: Literal["logistic"] = Field("logistic", description="Logistic classification.")
    measure: Literal["separability"] = Field(description="Separability statistics.")
    solver: Annotated[str, OneOf(*solvers_of("logistic", "separability"))] = Field(
        "newton", description="Damped Newton with certificates."
    )
    margin: bool = Field(False, description="Compute the margin of separable sets.")
    box_margin: bool = Field(
        False, description="Compute their largest margin in the box |S_j| ≤ 1, to which Adam leads."
    )

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """See `Experiment.unused`."""
        yield from super().unused(parameters)
        if not parameters["box_margin"]:
            yield "box_margin"


class TwoPointExperiment(Trained, title="Paper B: the two-point model, solved exactly"):
    """Two points on a line."""

    random: ClassVar[bool] = False

    model: Literal["two_point"] = Field(description="Two points on a line.")
    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    solver: Annotated[str, OneOf(*solvers_of("two_point", "dynamics"))] = Field(
        "exact_orbit", description="The exact orbit."
    )
    realizations: Annotated[Count, Field(le=1)] = Field(
        1, description="1: the model has no randomness."
    )
    lambda_: Axis[Annotated[Real, Field(ge=0, le=1)]] = Field(
        alias="lambda", description="Separable above ½."
    )
    sigma: Axis[Positive] = Field((1.0,), description="Scale of the points.")
    s0: Axis[Real] = Field((0.1,), description="Initial weight.")
    b0: Axis[Real] = Field((0.0,), description="Initial bias.")
