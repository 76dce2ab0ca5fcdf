"""What experiments share: a grid of parameters, and the spec of the run at each of its points."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from linear_grokking.config.fields import (
    MAX_SIZE,
    Axis,
    Count,
    Natural,
    OpenProbability,
    Positive,
    Section,
    Time,
    refused,
)
from linear_grokking.jobs.kinds import KINDS, kind_of

SIZE_TOLERANCE = 1e-3
"""Largest relative change of λ by rounding to whole sizes."""

MAX_GRID = 10_000

MAX_LITERAL_STEPS = 1e9
"""Largest number of steps of a solver that takes them one by one."""

MAX_REALIZATION_BYTES = 1e12
"""Largest memory that one realization may need."""

MAX_REALIZATION_SECONDS = 3600 * 1e5
"""Longest time that one realization may take on one core; a GPU may be a hundred times faster."""


@dataclass(frozen=True)
class GridPoint:
    """One point of an experiment's grid.

    Attributes
    ----------
    parameters
        The parameters under their configuration keys, λ as the user wrote it.
    spec
        What the numbers depend on, in canonical form.
    """

    parameters: dict[str, Any]
    spec: dict[str, Any]


class Experiment(Section):
    """Keys and checks that all experiments share."""

    plain: ClassVar[frozenset[str]] = frozenset({"realizations", "block", "seed"})
    random: ClassVar[bool] = True
    """Whether the runs depend on the seed."""
    timed: ClassVar[bool] = False
    """Whether the runs depend on the accuracy threshold, rather than times being read off later."""

    realizations: Count = Field(1, description="Independent draws of data and initial weights.")
    block: Count | None = Field(
        None, description="Realizations per job; by default as many as fill `job_minutes`."
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

    def values(self, key: str) -> tuple[Any, ...]:
        """Return the values of a parameter; an axis of the grid has several."""
        value = self.value(key)
        return value if isinstance(value, tuple) else (value,)

    def grid(self, seed: int, accuracy: float = 0.95) -> Iterator[GridPoint]:
        """Yield the grid's points, the last axis varying fastest, each once.

        Points that differ only in keys without effect there are the same.

        Parameters
        ----------
        seed
            The seed of the configuration, for experiments without their own.
        accuracy
            The accuracy threshold of grokking times.
        """
        keys = (key for key in self.parameters() if self.value(key) is not None)
        axes = {key: self.values(key) for key in keys}
        yielded = set()
        for values in itertools.product(*axes.values()):
            parameters = dict(zip(axes, values, strict=True))
            for key in self.unused(parameters):
                parameters.pop(key, None)
            point = tuple(parameters.items())
            if point in yielded:
                continue
            yielded.add(point)
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
        """Yield the keys that have no effect at a grid point."""
        for key, solvers in self._solvers_by_key().items():
            if parameters["solver"] not in solvers:
                yield key

    def check_keys(self) -> None:
        """Raise if keys are set that exclude each other."""
        for key, solvers in self._solvers_by_key().items():
            chosen = self.value("solver") in solvers
            only_with(self, f"solver: {' or '.join(solvers)}", chosen, key)

    def _solvers_by_key(self) -> dict[str, list[str]]:
        """Return the solvers of the model that take a key, for each key of a solver."""
        mine = (self.value("model"), self.value("measure"))
        found: dict[str, list[str]] = {}
        for kind in KINDS:
            for key in kind.options if (kind.model, kind.measure) == mine else ():
                solvers = found.setdefault(key, [])
                if kind.solver not in solvers:
                    solvers.append(kind.solver)
        return found

    @model_validator(mode="after")
    def _is_valid(self) -> "Experiment":
        self.check_keys()
        size = math.prod(len(self.values(key)) for key in self.parameters())
        if size > MAX_GRID:
            raise refused(f"has {size} grid points; at most {MAX_GRID} are allowed")
        known: dict[tuple, dict[str, Any]] = {}
        for point in self.grid(0):
            check_feasible(point.spec)
            first = known.setdefault(tuple(point.spec.items()), point.parameters)
            for key, value in point.parameters.items():
                if first[key] != value:
                    raise refused(f"{key} = {first[key]} and {value} give the same sizes")
        return self


def whole_size(key: str, exact: float, lambda_: float) -> int:
    """Round a size implied by λ; refuse a λ to which no whole size is close enough."""
    size = round(exact) if exact <= MAX_SIZE else 0
    if size >= 1 and abs(size - exact) <= SIZE_TOLERANCE * exact:
        return size
    told = f"lambda = {lambda_} gives {key} = {exact:.6g}"
    if exact > MAX_SIZE:
        raise refused(f"{told}; at most {MAX_SIZE} is allowed")
    raise refused(
        f"{told}, which is not an integer (within a relative {SIZE_TOLERANCE}); "
        "choose a lambda or a size that makes it one"
    )


def check_feasible(spec: Mapping[str, Any]) -> None:
    """Refuse a run that would never end, or that no machine has the memory for."""
    try:
        kind = kind_of(spec)
    except ValueError as error:
        raise refused(str(error)) from None
    if kind.literal and spec["t_max"] > MAX_LITERAL_STEPS:
        raise refused(
            f"t_max = {spec['t_max']:g} with solver: {kind.solver}, which computes every step; "
            f"at most {MAX_LITERAL_STEPS:g} are allowed"
        )
    cost = kind.cost(spec)
    if cost.data_bytes > MAX_REALIZATION_BYTES:
        raise refused(
            f"one realization needs about {cost.data_bytes / 1e9:.3g} GB of memory; "
            f"at most {MAX_REALIZATION_BYTES / 1e9:g} are allowed"
        )
    if cost.seconds > MAX_REALIZATION_SECONDS:
        raise refused(
            f"one realization takes about {cost.seconds / 3600:.3g} hours on one core; "
            f"at most {MAX_REALIZATION_SECONDS / 3600:g} are allowed"
        )


def one_of(experiment: Experiment, first: str, second: str) -> None:
    """Refuse an experiment that sets both or neither of two keys."""
    given = [key for key in (first, second) if experiment.value(key) is not None]
    if len(given) != 1:
        sets = "both" if given else "neither"
        raise refused(f"sets {sets} of the keys {first} and {second}; needs exactly one of them")


def only_with(section: Section, condition: str, holds: bool, key: str) -> None:
    """Refuse a key that is set although the chosen solver or law does not use it."""
    if not holds and key in section.model_fields_set and getattr(section, key) is not None:
        raise refused(f"sets {key}, which has a meaning only with {condition}")


class Trained(Experiment, title="How it is trained"):
    """An experiment that trains for a number of steps."""

    eta: Axis[Positive] = Field((0.01,), description="Learning rate η.")
    t_max: Time = Field(1.0e7, description="Last step.")
    records: Annotated[Count, Field(ge=2, le=100_000)] = Field(
        200, description="Recorded steps, log-spaced, besides step 0."
    )


class WithAdam(Trained, title="How it is trained"):
    """An experiment that Adam can train, without weight decay."""

    beta1: OpenProbability = Field(0.9, description="adam: decay of the first moment.")
    beta2: OpenProbability = Field(0.999, description="adam: decay of the second moment.")

    def check_keys(self) -> None:
        """See `Experiment.check_keys`."""
        super().check_keys()
        if self.value("solver") == "adam" and any(self.value("gamma")):
            raise refused("sets gamma with solver: adam, which has no weight decay")
