"""Field types of the configuration: numbers as written in YAML, and axes of a grid."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, core_schema

MAX_SIZE = 10_000_000


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refused(text: str) -> PydanticCustomError:
    """Return the error whose text, after the place of a value, says what is wrong with it."""
    return PydanticCustomError("refused", "{text}", {"text": text})


def _number(value: Any) -> Any:
    """Read a number as people write it: YAML gives 1e-3 as text, and yes as True."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number, not true or false")
    if isinstance(value, list | tuple):
        raise PydanticCustomError("number", "must be one value, not a list")
    if isinstance(value, bytes):
        raise PydanticCustomError("number", "must be a number")
    if isinstance(value, str):
        try:
            # A float has 16 digits, a seed up to 19.
            value = int(value) if value.strip("+-").isdecimal() else float(value)
        except ValueError:
            raise PydanticCustomError("number", "must be a number") from None
    # Minus zero becomes zero, as the two are written differently and would name two runs.
    return value + 0.0 if isinstance(value, float) else value


Real = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Positive = Annotated[Real, Field(gt=0, le=1e12)]
NonNegative = Annotated[Real, Field(ge=0, le=1e12)]
Probability = Annotated[Real, Field(gt=0, le=1)]
OpenProbability = Annotated[Real, Field(gt=0, lt=1)]


def _whole(value: float) -> float:
    if not value.is_integer():
        raise PydanticCustomError("whole", "must be a whole number of steps")
    return value


Time = Annotated[Real, Field(ge=1, le=1e300), AfterValidator(_whole)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_SIZE)]
Natural = Annotated[int, BeforeValidator(_number), Field(ge=0, le=2**63 - 1)]


class _AxisSchema:
    """JSON schema of an axis: one value, or a list of them."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], Any]) -> Any:
        array = handler(core)
        # Pydantic takes lengths that are checked after the items for those of a text.
        for bound in ("min", "max"):
            array[f"{bound}Items"] = array.pop(f"{bound}Length")
        return {"anyOf": [array["items"], array]}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _distinct(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise PydanticCustomError("distinct", "lists a value twice; the values must differ")
    return values


Item = TypeVar("Item")
Axis = Annotated[
    tuple[Item, ...],
    BeforeValidator(_as_list),
    Field(min_length=1, max_length=1000),
    AfterValidator(_distinct),
    _AxisSchema(),
]
"""A parameter that may be one value, or a list: an axis of the grid."""


class OneOf:
    """Marks a text as one of the names of a table defined elsewhere."""

    def __init__(self, *names: str):
        self.names = names

    def __get_pydantic_core_schema__(
        self, source: Any, handler: Callable[[Any], Any]
    ) -> core_schema.CoreSchema:
        return core_schema.literal_schema(list(self.names))


class Span(Section):
    """A range of a theory curve's parameter, all positive."""

    start: Positive = Field(description="First value.")
    stop: Positive = Field(description="Last value, larger than the first.")
    points: Annotated[Count, Field(ge=2, le=100_000)] = Field(200, description="Values in all.")

    def linear(self) -> np.ndarray:
        """Return the values, spaced evenly."""
        return np.linspace(self.start, self.stop, self.points)

    def log(self) -> np.ndarray:
        """Return the values, spaced evenly in their logarithms."""
        return np.geomspace(self.start, self.stop, self.points)

    @model_validator(mode="after")
    def _ascends(self) -> "Span":
        if self.stop <= self.start:
            raise refused(
                f"start = {self.start:g} and stop = {self.stop:g}: stop must be larger than start"
            )
        return self
