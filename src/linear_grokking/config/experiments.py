"""Typed experiments: model, solver, parameters (a list is an axis), realizations.

Each class turns its grid into `GridPoint`s: the parameters under their configuration
keys, and the canonical spec of the run, which holds physical sizes only and just the
keys that the run's numbers depend on.  A class's ``title`` is what people are shown of it, in
the schema and above the options of `train`.  Solvers and their keys come from `jobs.kinds`, laws
and theirs from `data.laws`, losses from `models.losses`.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic.fields import FieldInfo

from linear_grokking.config.fields import (
    MAX_SIZE,
    Axis,
    Count,
    Natural,
    NonNegative,
    OneOf,
    OpenProbability,
    Positive,
    Probability,
    Real,
    Section,
    Time,
    refused,
)
from linear_grokking.data.input_law import SampledLaw
from linear_grokking.data.laws import LAWS, law_keys
from linear_grokking.jobs.kinds import KINDS, kind_of, solvers_of
from linear_grokking.models.losses import LOSSES

SIZE_TOLERANCE = 1e-3
"""Relative change of λ that rounding to whole sizes may bring."""

MAX_GRID = 10_000

MAX_LITERAL_STEPS = 1e9
"""Most steps of a solver that takes them one by one."""

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
    random: ClassVar[bool] = True
    """Whether the runs depend on the seed."""
    timed: ClassVar[bool] = False
    """Whether they depend on the accuracy that counts as reached; others are read off later."""

    realizations: Count = Field(1, description="Independent draws of data and initial weights.")
    block: Count | None = Field(
        None, description="Realizations per job; by default what fills `job_minutes`."
    )
    seed: Natural | None = Field(None, description="Seed; by default the configuration's.")

    @classmethod
    def parameters(cls) -> dict[str, FieldInfo]:
        """Return the parameters under their configuration keys."""
        fields = {info.alias or name: info for name, info in cls.model_fields.items()}
        return {key: info for key, info in fields.items() if key not in cls.plain}

    def value(self, key: str) -> Any:
        """Return a parameter by its configuration key."""
        return getattr(self, "lambda_" if key == "lambda" else key)

    def grid(self, seed: int, accuracy: float = 0.95) -> Iterator[GridPoint]:
        """Yield the grid's points, the last axis varying fastest.

        Parameters
        ----------
        seed
            The configuration's, for experiments that have none of their own.
        accuracy
            That counts as reached.
        """
        fields = {key: self.value(key) for key in self.parameters()}
        axes = {
            key: value if isinstance(value, tuple) else (value,)
            for key, value in fields.items()
            if value is not None
        }
        for values in itertools.product(*axes.values()):
            parameters = dict(zip(axes, values, strict=True))
            for key in self.unused(parameters):
                parameters.pop(key, None)
            spec = self.sized(parameters)
            if self.random:
                spec["seed"] = seed if self.seed is None else self.seed
            if self.timed:
                spec["accuracy"] = accuracy
            yield GridPoint(parameters, spec)

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the spec of one grid point: its parameters with λ turned into sizes."""
        return dict(parameters)

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """Yield the keys that have no meaning at a grid point."""
        for solver, keys in self._solver_keys().items():
            if solver != parameters["solver"]:
                yield from keys

    def check_keys(self) -> None:
        """Raise where keys are set that do not go together."""
        for solver, keys in self._solver_keys().items():
            only_with(self, f"solver: {solver}", solver == self.value("solver"), keys)

    def _solver_keys(self) -> dict[str, tuple[str, ...]]:
        """Return the keys of each solver of the model."""
        mine = (self.value("model"), self.value("measure"))
        return {k.solver: k.options for k in KINDS if (k.model, k.measure) == mine}

    @model_validator(mode="after")
    def _is_valid(self) -> "Experiment":
        self.check_keys()
        size = 1
        for key in self.parameters():
            value = self.value(key)
            size *= len(value) if isinstance(value, tuple) else 1
        if size > MAX_GRID:
            raise refused(f"has {size} grid points; at most {MAX_GRID} are allowed")
        for point in self.grid(0):
            check_feasible(point.spec)
        return self


def whole_size(key: str, exact: float, lambda_: float) -> int:
    """Round a size that λ implies; refuse a λ that no whole size comes close to."""
    size = round(exact) if exact <= MAX_SIZE else 0
    if size >= 1 and abs(size - exact) <= SIZE_TOLERANCE * exact:
        return size
    told = f"lambda = {lambda_} gives {key} = {exact:.6g}"
    if exact > MAX_SIZE:
        raise refused(f"{told}; at most {MAX_SIZE} is allowed")
    raise refused(
        f"{told}, which is not a whole number (within a relative {SIZE_TOLERANCE}); "
        "choose a lambda or a size that makes it one"
    )


def check_feasible(spec: Mapping[str, Any]) -> None:
    """Refuse a run that could never end, or that no machine could hold."""
    kind = kind_of(spec)
    if kind.literal and spec["t_max"] > MAX_LITERAL_STEPS:
        raise refused(
            f"t_max = {spec['t_max']:g} with solver: {kind.solver}, which takes every step; "
            f"at most {MAX_LITERAL_STEPS:g} are allowed"
        )
    needed = kind.cost(spec).data_bytes
    if needed > MAX_REALIZATION_BYTES:
        raise refused(
            f"one realization needs about {needed / 1e9:.3g} GB of memory; "
            f"at most {MAX_REALIZATION_BYTES / 1e9:g} are allowed"
        )


def one_of(experiment: Experiment, first: str, second: str) -> None:
    """Refuse an experiment that sets both or neither of two keys."""
    given = [key for key in (first, second) if experiment.value(key) is not None]
    if len(given) != 1:
        sets = "both" if given else "neither"
        raise refused(f"sets {sets} of the keys {first} and {second}; needs exactly one of them")


def only_with(section: Section, condition: str, holds: bool, keys: tuple[str, ...]) -> None:
    """Refuse keys that were set although the solver or law at hand does not use them."""
    for key in keys if not holds else ():
        if key in section.model_fields_set and getattr(section, key) is not None:
            raise refused(f"sets {key}, which has a meaning only with {condition}")


class Trained(Experiment, title="How it is trained"):
    """An experiment with steps."""

    eta: Axis[Positive] = Field((0.01,), description="Learning rate η.")
    t_max: Time = Field(1.0e7, description="Last step.")
    records: Annotated[Count, Field(ge=2, le=100_000)] = Field(
        200, description="Recorded steps, log-spaced, besides step 0."
    )


class WithAdam(Trained, title="How it is trained"):
    """An experiment that Adam can train, which knows no weight decay."""

    beta1: OpenProbability = Field(0.9, description="adam: decay of the first moment.")
    beta2: OpenProbability = Field(0.999, description="adam: decay of the second moment.")

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        if self.value("solver") == "adam" and any(self.value("gamma")):
            raise refused("sets gamma with solver: adam, which knows no weight decay")


class Regression(Experiment, title="Linear regression and two-layer nets (Paper A)"):
    """Sizes of a teacher's problem, and when its student is right."""

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
    """A student that learns a teacher of its own kind."""

    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    d_out: Axis[Count] = Field((1,), description="Output dimension.")
    gamma: Axis[NonNegative] = Field((0.0,), description="Weight decay γ of every layer.")
    n_gen: Count = Field(10_000, description="Fresh samples that generalization is measured on.")
    t_max: Time = Field(1.0e5, description="Last step.")
    adam_epsilon: NonNegative = Field(1.0e-8, description="adam: ε of the denominator √v + ε.")


class LinearExperiment(
    TeacherStudent, title="Paper A, one layer: teacher-student linear regression"
):
    """One linear layer."""

    model: Literal["linear"] = Field(description="One linear layer.")
    solver: Annotated[str, OneOf(*solvers_of("linear", "dynamics"))] = Field(
        "spectral",
        description="GD exactly in the eigenbasis, other methods likewise, or literal steps.",
    )
    law: Axis[Literal["gaussian", "power_law"]] = Field(
        ("gaussian",), description="Law of the inputs: isotropic, or of a power-law covariance."
    )
    spectral_exponent: Axis[Annotated[Real, Field(ge=0, le=10)]] | None = Field(
        None, description="power_law: exponent p of the inputs' variances (p+1)u^p, 0 < u < 1."
    )
    alpha: Axis[Positive] = Field((1.0,), description="Factor on the initial student.")
    noise: Axis[NonNegative] = Field((0.0,), description="Variance of the training-label noise.")
    momentum: Axis[Annotated[Real, Field(ge=0, lt=1)]] | None = Field(
        None, description="momentum: share of the last step that is kept; by default λ."
    )
    nesterov: bool = Field(False, description="momentum: Nesterov's look ahead.")
    grokfast_alpha: Axis[Annotated[Real, Field(ge=0, lt=1)]] = Field(
        (0.98,), description="grokfast: decay α of the average of the gradients."
    )
    grokfast_lamb: Axis[NonNegative] = Field(
        (2.0,), description="grokfast: factor κ on that average."
    )
    batch_size: Axis[Count] = Field(
        (32,), description="sgd: samples of a step, drawn without replacement."
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        if self.solver == "conjugate_gradients" and "eta" in self.model_fields_set:
            raise refused("sets eta, which has no meaning with solver: conjugate_gradients")
        structured = "power_law" in self.law
        only_with(self, "law: power_law", structured, ("spectral_exponent",))
        if structured and self.spectral_exponent is None:
            raise refused("needs spectral_exponent with law: power_law")

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """See `Experiment.unused`."""
        yield from super().unused(parameters)
        if parameters["solver"] == "conjugate_gradients":
            yield "eta"
        # Isotropic is what a spec says that says nothing.
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
                f"sets batch_size = {spec['batch_size']}; at most n_train = {spec['n_train']} "
                "samples are there"
            )
        return spec


class GrokkingTimesExperiment(
    Regression, title="Paper A, one layer: exact grokking times of many draws, without data"
):
    """Draws of the one-layer problem's spectrum, and when their losses fall."""

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


@cache
def _laws_by_key() -> dict[str, list[str]]:
    """Return the keys of laws of inputs, each with the laws that have it."""
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
        None, description="tanh_features, relu_features: dimension m of what they are features of."
    )

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        one_of(self, "lambda", "d")
        for key, laws in _laws_by_key().items():
            chosen = any(law in self.law for law in laws)
            only_with(self, f"law: {' or '.join(laws)}", chosen, (key,))
        for law in LAWS:
            for key in law_keys(law):
                if law in self.law and getattr(self, key) is None:
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


_NEEDS: Mapping[tuple[str, str], Mapping[str, tuple[Any, ...]]] = {
    # The observables are closed forms there.
    ("labels", "threshold"): {
        "measure": ("dynamics",),
        "law": ("gaussian",),
        "loss": ("cross_entropy",),
        "n_gen": (0,),
        "data": ("matrix",),
    },
    # Products with Gaussian inputs alone can be drawn given others, and training must see no more.
    ("data", "deferred"): {
        "law": tuple(name for name, law in LAWS.items() if law.isotropic_across),
        "solver": tuple(k.solver for k in KINDS if (k.measure, k.data) == ("dynamics", "deferred")),
        "n_gen": (0,),
        "dtype": (None, "float64"),
    },
}
"""What goes with a value of a key: for each other key the values that are allowed."""


def _values(value: Any) -> tuple[Any, ...]:
    """Return the values of a key, of which an axis has several."""
    return value if isinstance(value, tuple) else (value,)


class LogisticExperiment(
    WithAdam,
    Classification,
    title="Paper B: logistic classification, dynamics or the outputs at its end",
):
    """Training on such sets."""

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
        (0.0,), description="Weight decay γ: the loss has γ/2 times a squared norm besides."
    )
    decay: Axis[Literal["all", "weights"]] = Field(
        ("all",), description="With gamma: what decays, S and b, or the weights S alone."
    )
    label_fraction: Axis[Probability] = Field(
        (1.0,), description="Probability r of the label -1, or its share."
    )
    data: Literal["matrix", "deferred"] = Field(
        "matrix",
        description="Inputs drawn as a matrix, or product by product as training asks for them.",
    )
    labels: Axis[Literal["random", "threshold"]] = Field(
        ("random",),
        description="Labels drawn at random, or decided by a threshold of the first coordinate.",
    )
    n_gen: Natural = Field(
        0, description="Fresh samples for the generalization; 0 takes the population's exactly."
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
        only_with(self, "gamma above 0", any(self.gamma), ("decay",))
        for law in self.law:
            if issubclass(LAWS[law], SampledLaw) and not self.n_gen:
                raise refused(f"needs n_gen above 0 with law: {law}, whose outputs have no formula")
        for (key, value), needs in _NEEDS.items():
            if value in _values(self.value(key)):
                for other, allowed in needs.items():
                    self._check_with(f"{key}: {value}", other, allowed)

    def _check_with(self, chosen: str, key: str, allowed: tuple[Any, ...]) -> None:
        """Refuse a key whose values do not go with what was chosen."""
        for each in _values(self.value(key)):
            if each not in allowed:
                needed = " or ".join(str(value) for value in allowed if value is not None)
                raise refused(f"sets {key} = {each} with {chosen}; needs {needed}")

    def unused(self, parameters: Mapping[str, Any]) -> Iterator[str]:
        """See `Experiment.unused`."""
        yield from super().unused(parameters)
        # At random is what a spec says that says nothing; with r = 1 all labels are -1 anyway.
        if parameters["labels"] == "random" or parameters["label_fraction"] == 1:
            yield "labels"
        # A matrix is what a spec says that says nothing.
        if parameters["data"] == "matrix":
            yield "data"
        if not parameters["gamma"] or not parameters["bias"]:
            yield "decay"

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        exact = self.solver == "adam" or self.data == "deferred"
        parameters.setdefault("dtype", "float64" if exact else "float32")
        spec = super().sized(parameters)
        # No decay is what a spec says that says nothing.
        if not spec["gamma"]:
            del spec["gamma"]
        return spec


class SeparabilityExperiment(
    Classification, title="Paper B: verdict, limit direction and margin of each training set"
):
    """What such sets are, without training."""

    model: Literal["logistic"] = Field("logistic", description="Logistic classification.")
    measure: Literal["separability"] = Field(description="Separability statistics.")
    solver: Annotated[str, OneOf(*solvers_of("logistic", "separability"))] = Field(
        "newton", description="Damped Newton with certificates."
    )
    margin: bool = Field(False, description="Compute the margin of separable sets.")
    box_margin: bool = Field(
        False, description="Compute their largest margin in the box |S_j| ≤ 1, where Adam leads."
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


BY_MEASURE = ("separability", "grokking_times")
"""Measures whose experiments have a class of their own, of the same name."""


class ModularExperiment(Trained, title="Addition modulo p: a small net that groks"):
    """A net on the pairs (a, b) of numbers modulo p."""

    model: Literal["modular"] = Field(
        description="f(a, b) = W(U_a + V_b)² on pairs of numbers modulo p, mean squared error."
    )
    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    solver: Annotated[str, OneOf(*solvers_of("modular", "dynamics"))] = Field(
        "adamw", description="Literal AdamW, full batches."
    )
    p: Axis[Annotated[Count, Field(ge=2, le=1000)]] = Field((23,), description="Modulus p.")
    train_fraction: Axis[OpenProbability] = Field(
        (0.5,), description="Share of the p² pairs that is trained on, rounded to whole pairs."
    )
    d_h: Axis[Count] = Field((128,), description="Hidden width.")
    alpha: Axis[Positive] = Field((0.3,), description="Standard deviation of the initial weights.")
    gamma: Axis[NonNegative] = Field(
        (1.0,), description="Weight decay γ: a step takes ηγ of each weight from it."
    )
    beta1: OpenProbability = Field(0.9, description="adamw: decay of the first moment.")
    beta2: OpenProbability = Field(0.98, description="adamw: decay of the second moment.")
    adam_epsilon: Positive = Field(1.0e-8, description="adamw: guard of the denominator.")
    t_max: Time = Field(1.0e4, description="Last step.")

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        spec = dict(parameters)
        fraction, pairs = spec.pop("train_fraction"), spec["p"] ** 2
        spec["n_train"] = parameters["n_train"] = round(fraction * pairs)
        if not 0 < spec["n_train"] < pairs:
            raise refused(
                f"train_fraction = {fraction:g} of {pairs} pairs leaves none to train on, or none "
                "to measure generalization on"
            )
        return spec


def name_of(value: Any) -> str | None:
    """Choose the class of an experiment: by measure where that has its own, others by model."""
    read = value.get if isinstance(value, dict) else lambda key: getattr(value, key, None)
    measure = read("measure")
    name = measure if measure in BY_MEASURE else read("model")
    return name if isinstance(name, str) else None


AnyExperiment = Annotated[
    Annotated[LinearExperiment, Tag("linear")]
    | Annotated[TwoLayerExperiment, Tag("two_layer")]
    | Annotated[LogisticExperiment, Tag("logistic")]
    | Annotated[SeparabilityExperiment, Tag("separability")]
    | Annotated[GrokkingTimesExperiment, Tag("grokking_times")]
    | Annotated[TwoPointExperiment, Tag("two_point")]
    | Annotated[ModularExperiment, Tag("modular")],
    Discriminator(name_of),
]

EXPERIMENTS: Mapping[str, type[Experiment]] = {
    tag.tag: experiment
    for experiment, tag in (get_args(each) for each in get_args(get_args(AnyExperiment)[0]))
}
"""The classes of experiments by name."""

PARAMETERS = tuple(dict.fromkeys(key for each in EXPERIMENTS.values() for key in each.parameters()))
"""Every parameter of an experiment, under its configuration key."""
