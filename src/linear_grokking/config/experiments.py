"""Typed experiments: model, solver, parameters (a list is an axis), realizations.

Each class turns its grid into `GridPoint`s: the parameters under their configuration
keys, and the canonical spec of the run, which holds physical sizes only and just the
keys that the run's numbers depend on.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from linear_grokking.config.fields import (
    MAX_SIZE,
    Count,
    Natural,
    NonNegative,
    OpenProbability,
    Positive,
    Probability,
    Real,
    Section,
    Time,
    axis,
)
from linear_grokking.costs import realization_cost

SIZE_TOLERANCE = 1e-3
"""Relative change of λ that rounding to whole sizes may bring."""

MAX_GRID = 10_000

MAX_LITERAL_STEPS = 1e9
"""Most steps of a solver that takes them one by one."""

LITERAL_SOLVERS = frozenset({"gradient_descent", "adam"})

MAX_REALIZATION_BYTES = 1e12
"""Most memory that one realization may need."""


@dataclass(frozen=True)
class GridPoint:
    """One point of an experiment's grid.

    Attributes
    ----------
    parameters
        Under their configuration keys, λ as the user wrote it.
    spec
        What the numbers depend on, canonical.
    """

    parameters: dict[str, Any]
    spec: dict[str, Any]


class Experiment(Section):
    """What all experiments share."""

    plain: ClassVar[frozenset[str]] = frozenset({"realizations", "block", "seed"})

    realizations: Count = Field(1, description="Independent draws of data and initial weights.")
    block: Count | None = Field(
        None, description="Realizations per job; by default what fills `job_minutes`."
    )
    seed: Natural | None = Field(None, description="Seed; by default the configuration's.")

    def grid(self, seed: int) -> Iterator[GridPoint]:
        """Yield the grid's points, the last axis varying fastest."""
        fields = {
            (info.alias or name): getattr(self, name)
            for name, info in type(self).model_fields.items()
            if name not in self.plain
        }
        axes = {
            key: value if isinstance(value, tuple) else (value,)
            for key, value in fields.items()
            if value is not None
        }
        for values in itertools.product(*axes.values()):
            parameters = dict(zip(axes, values, strict=True))
            spec = self.sized(parameters)
            if self.is_random():
                spec["seed"] = seed if self.seed is None else self.seed
            yield GridPoint(parameters, spec)

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the spec of one grid point: its parameters with λ turned into sizes."""
        return dict(parameters)

    def is_random(self) -> bool:
        """Tell whether the runs depend on the seed."""
        return True

    def check_keys(self) -> None:
        """Raise where keys are set that do not go together."""

    @model_validator(mode="after")
    def _is_valid(self) -> "Experiment":
        self.check_keys()
        size = 1
        for name in type(self).model_fields:
            value = getattr(self, name)
            size *= len(value) if isinstance(value, tuple) else 1
        if size > MAX_GRID:
            raise PydanticCustomError(
                "grid",
                "has {size} grid points; at most {most} are allowed",
                {"size": size, "most": MAX_GRID},
            )
        for point in self.grid(0):
            check_feasible(point.spec)
        return self


def whole_size(key: str, exact: float, lambda_: float) -> int:
    """Round a size that λ implies; refuse a λ that no whole size comes close to."""
    if exact > MAX_SIZE:
        raise PydanticCustomError(
            "size",
            "lambda = {value} gives {key} = {exact}; at most {most} is allowed",
            {"value": lambda_, "key": key, "exact": f"{exact:.6g}", "most": MAX_SIZE},
        )
    size = round(exact)
    if size < 1 or abs(size - exact) > SIZE_TOLERANCE * exact:
        raise PydanticCustomError(
            "size",
            "lambda = {value} gives {key} = {exact}, which is not a whole number "
            "(within a relative {tolerance}); choose a lambda or a size that makes it one",
            {
                "value": lambda_,
                "key": key,
                "exact": f"{exact:.6g}",
                "tolerance": SIZE_TOLERANCE,
            },
        )
    return size


def check_feasible(spec: Mapping[str, Any]) -> None:
    """Refuse a run that could never end, or that no machine could hold."""
    if spec["solver"] in LITERAL_SOLVERS and spec["t_max"] > MAX_LITERAL_STEPS:
        raise PydanticCustomError(
            "steps",
            "t_max = {t_max} with solver: {solver}, which takes every step; "
            "at most {most} are allowed",
            {
                "t_max": f"{spec['t_max']:g}",
                "solver": spec["solver"],
                "most": f"{MAX_LITERAL_STEPS:g}",
            },
        )
    needed = realization_cost(spec).data_bytes
    if needed > MAX_REALIZATION_BYTES:
        raise PydanticCustomError(
            "cost",
            "one realization needs about {needed} GB of memory; at most {most} are allowed",
            {"needed": f"{needed / 1e9:.3g}", "most": f"{MAX_REALIZATION_BYTES / 1e9:g}"},
        )


def one_of(section: Section, first: str, second: str) -> None:
    """Refuse a section that sets both or neither of two keys."""
    names = {key: {"lambda": "lambda_"}.get(key, key) for key in (first, second)}
    given = [key for key, name in names.items() if getattr(section, name) is not None]
    if len(given) != 1:
        raise PydanticCustomError(
            "one_of",
            "sets {given} of the keys {first} and {second}; needs exactly one of them",
            {"given": "both" if given else "neither", "first": first, "second": second},
        )


def only_with(section: Section, condition: str, holds: bool, keys: tuple[str, ...]) -> None:
    """Refuse keys that were set although the solver or law at hand does not use them."""
    if holds:
        return
    for key in keys:
        if key in section.model_fields_set and getattr(section, key) is not None:
            raise PydanticCustomError(
                "only_with",
                "sets {key}, which has a meaning only with {condition}",
                {"key": key, "condition": condition},
            )


class _TeacherStudent(Experiment):
    d_in: axis(Count) = Field((1000,), description="Input dimension.")
    d_out: axis(Count) = Field((1,), description="Output dimension.")
    lambda_: axis(Positive) | None = Field(
        None, alias="lambda", description="λ = d_in/n_train; critical at 1."
    )
    n_train: axis(Count) | None = Field(None, description="Training samples, instead of lambda.")
    eta: axis(Positive) = Field((0.01,), description="Learning rate η.")
    epsilon: axis(Positive) = Field(
        (1.0e-3,), description="A sample is right if its squared error per output is at most ε."
    )
    n_gen: Count = Field(10_000, description="Fresh samples that generalization is measured on.")
    t_max: Time = Field(1.0e5, description="Last GD step.")
    records: Annotated[Count, Field(ge=2, le=100_000)] = Field(
        200, description="Recorded steps, log-spaced, besides step 0."
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
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


class LinearExperiment(_TeacherStudent):
    """Paper A, one layer: teacher-student linear regression."""

    model: Literal["linear"] = Field(description="One linear layer.")
    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    solver: Literal["spectral", "gradient_descent"] = Field(
        "spectral", description="Exact GD in the eigenbasis, or literal steps."
    )
    gamma: axis(NonNegative) = Field((0.0,), description="Weight decay γ.")
    alpha: axis(Positive) = Field((1.0,), description="Factor on the initial student.")
    noise: axis(NonNegative) = Field((0.0,), description="Variance of the training-label noise.")


class TwoLayerExperiment(_TeacherStudent):
    """Paper A, two layers: linear or tanh."""

    model: Literal["two_layer"] = Field(description="Two layers.")
    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    solver: Literal["gradient_flow", "gradient_descent"] = Field(
        "gradient_flow", description="Adaptive Runge-Kutta, or literal steps."
    )
    activation: axis(Literal["identity", "tanh"]) = Field(
        ("identity",), description="Activation φ of the hidden layer."
    )
    d_h: axis(Count) = Field(description="Hidden width.")
    gamma: axis(NonNegative) = Field((0.0,), description="Weight decay γ of both layers.")


class _Classification(Experiment):
    n_train: axis(Count) = Field(description="Training samples N.")
    lambda_: axis(Positive) | None = Field(
        None, alias="lambda", description="λ = d/N; critical at ½."
    )
    d: axis(Count) | None = Field(None, description="Input dimension, instead of lambda.")
    law: axis(Literal["gaussian", "anisotropic", "mixture", "two_gaussians"]) = Field(
        ("gaussian",), description="Law of the inputs."
    )
    sigma: axis(Positive) = Field((1.0,), description="Standard deviation σ of the inputs.")
    condition: Annotated[Real, Field(ge=1, le=1e6)] | None = Field(
        None, description="anisotropic: largest over smallest standard deviation."
    )
    mixture_mean: NonNegative | None = Field(
        None, description="mixture: distance of each centre from the origin."
    )
    mu: Positive | None = Field(None, description="two_gaussians: distance μ of the means.")
    sigma_a: axis(NonNegative) | None = Field(
        None, description="two_gaussians: standard deviation σ_A along the means."
    )

    law_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "gaussian": (),
        "anisotropic": ("condition",),
        "mixture": ("mixture_mean",),
        "two_gaussians": ("mu", "sigma_a"),
    }

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        one_of(self, "lambda", "d")
        for law, keys in self.law_keys.items():
            only_with(self, f"law: {law}", law in self.law, keys)
            for key in keys:
                if law in self.law and getattr(self, key) is None:
                    raise PydanticCustomError(
                        "law", "needs {key} with law: {law}", {"key": key, "law": law}
                    )

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        spec = dict(parameters)
        lambda_ = spec.pop("lambda", None)
        if lambda_ is not None:
            spec["d"] = whole_size("d", spec["n_train"] * lambda_, lambda_)
        else:
            parameters["lambda"] = spec["d"] / spec["n_train"]
        for law, keys in self.law_keys.items():
            if law != spec["law"]:
                for key in keys:
                    spec.pop(key, None)
                    parameters.pop(key, None)
        return spec


class LogisticExperiment(_Classification):
    """Paper B: logistic classification, dynamics or the outputs at its end."""

    model: Literal["logistic"] = Field(description="Logistic classification.")
    measure: Literal["dynamics", "outputs"] = Field(
        "dynamics", description="Histories, or the training outputs f at t_max."
    )
    solver: Literal["gradient_flow", "gradient_descent", "adam"] = Field(
        "gradient_flow", description="Stabilized flow, or literal steps."
    )
    loss: axis(Literal["cross_entropy", "exponential"]) = Field(
        ("cross_entropy",), description="ℓ(f) = log(1+e^f) or e^f."
    )
    eta: axis(Positive) = Field((0.01,), description="Learning rate η.")
    s0_norm: axis(NonNegative) = Field((0.1,), description="Norm of the initial weights S₀.")
    b0: axis(Real) = Field((0.0,), description="Initial bias.")
    bias: bool = Field(True, description="Whether the model has a bias.")
    label_fraction: axis(Probability) = Field((1.0,), description="Probability of the label -1.")
    t_max: Time = Field(1.0e7, description="Last step.")
    records: Annotated[Count, Field(ge=2, le=100_000)] = Field(
        200, description="Recorded steps, log-spaced, besides step 0."
    )
    n_gen: Natural = Field(
        0, description="Fresh samples for the generalization; 0 takes the population's exactly."
    )
    gd_steps: Natural = Field(
        200, description="gradient_flow: literal GD steps before the flow takes over."
    )
    rtol: OpenProbability = Field(1.0e-4, description="gradient_flow: relative tolerance.")
    dtype: Literal["float32", "float64"] | None = Field(
        None, description="Precision of the data; by default float64 for adam, else float32."
    )
    beta1: OpenProbability = Field(0.9, description="adam: decay of the first moment.")
    beta2: OpenProbability = Field(0.999, description="adam: decay of the second moment.")
    adam_epsilon: Positive = Field(1.0e-150, description="adam: guard of the denominator.")

    solver_keys: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "gradient_flow": ("gd_steps", "rtol"),
        "gradient_descent": (),
        "adam": ("beta1", "beta2", "adam_epsilon"),
    }

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        for solver, keys in self.solver_keys.items():
            only_with(self, f"solver: {solver}", solver == self.solver, keys)

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        unused = [key for s, keys in self.solver_keys.items() if s != self.solver for key in keys]
        for key in unused:
            parameters.pop(key, None)
        parameters.setdefault("dtype", "float64" if self.solver == "adam" else "float32")
        return super().sized(parameters)


class SeparabilityExperiment(_Classification):
    """Paper B: verdict, limit direction and margin of each training set."""

    model: Literal["logistic"] = Field("logistic", description="Logistic classification.")
    measure: Literal["separability"] = Field(description="Separability statistics.")
    solver: Literal["newton"] = Field("newton", description="Damped Newton with certificates.")
    margin: bool = Field(False, description="Compute the margin of separable sets.")


class TwoPointExperiment(Experiment):
    """Paper B: the two-point model, solved exactly."""

    model: Literal["two_point"] = Field(description="Two points on a line.")
    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    solver: Literal["exact_orbit"] = Field("exact_orbit", description="The exact orbit.")
    realizations: Annotated[Count, Field(le=1)] = Field(
        1, description="1: the model has no randomness."
    )
    lambda_: axis(Annotated[Real, Field(ge=0, le=1)]) = Field(
        alias="lambda", description="Separable above ½."
    )
    sigma: axis(Positive) = Field((1.0,), description="Scale of the points.")
    eta: axis(Positive) = Field((0.01,), description="Learning rate η.")
    s0: axis(Real) = Field((0.1,), description="Initial weight.")
    b0: axis(Real) = Field((0.0,), description="Initial bias.")
    t_max: Time = Field(1.0e7, description="Last step.")
    records: Annotated[Count, Field(ge=2, le=100_000)] = Field(
        200, description="Recorded steps, log-spaced, besides step 0."
    )

    def is_random(self) -> bool:
        """See `Experiment.is_random`."""
        return False


def kind_of(value: Any) -> str | None:
    """Choose the class of an experiment: separability by measure, others by model."""
    read = value.get if isinstance(value, dict) else lambda key: getattr(value, key, None)
    kind = "separability" if read("measure") == "separability" else read("model")
    return kind if isinstance(kind, str) else None


EXPERIMENT_KINDS: Mapping[str, type[Experiment]] = {
    "linear": LinearExperiment,
    "two_layer": TwoLayerExperiment,
    "logistic": LogisticExperiment,
    "separability": SeparabilityExperiment,
    "two_point": TwoPointExperiment,
}

AnyExperiment = Annotated[
    Annotated[LinearExperiment, Tag("linear")]
    | Annotated[TwoLayerExperiment, Tag("two_layer")]
    | Annotated[LogisticExperiment, Tag("logistic")]
    | Annotated[SeparabilityExperiment, Tag("separability")]
    | Annotated[TwoPointExperiment, Tag("two_point")],
    Discriminator(kind_of),
]
