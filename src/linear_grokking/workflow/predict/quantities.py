"""One number of theory, with its source and the range in which its formula holds."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linear_grokking.errors import LinearGrokkingError

Condition = tuple[str, bool]
"""What a formula needs, and whether the run has it."""


@dataclass(frozen=True)
class Quantity:
    """A number that theory has for a run.

    Attributes
    ----------
    name, title
        For programs, and for people.
    value
        inf where never, None where no formula says; ``note`` then says why.
    unit
        "steps", or "1".
    source
        Paper and equation, or the section of docs/theory.md.
    holds
        The range of the formula.
    note
        A word on this run: why there is no value, or how far it is from the range.
    """

    name: str
    title: str
    value: float | None
    unit: str
    source: str
    holds: str
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the number as JSON has it: null where it is not finite, and the note says so."""
        fields = asdict(self)
        if self.value is not None and not math.isfinite(self.value):
            word = NEVER if self.unit == "steps" else "infinite"
            fields |= {"value": None, "note": self.note or word}
        return fields


NEVER = "never"


class Rows:
    """Collects quantities that share source, range and conditions."""

    def __init__(self) -> None:
        self.found: list[Quantity] = []

    def add(
        self,
        name: str,
        title: str,
        value: Callable[[], Any] | float | None,
        *,
        source: str,
        holds: str,
        unit: str = "1",
        needs: Iterable[Condition] = (),
        note: str = "",
    ) -> None:
        """Add a quantity; what its formula needs and the run lacks takes the place of its value.

        So does what the formula itself says of its arguments.

        Parameters
        ----------
        value
            The number, or what computes it where its conditions are met.
        """
        lacking = [need for need, met in needs if not met]
        number = None
        if lacking:
            note = f"outside: needs {' and '.join(lacking)}"
        else:
            try:
                given = value() if callable(value) else value
            except (ValueError, LinearGrokkingError) as error:
                given, note = None, f"outside: {error}"
            number = None if given is None else float(given)
            if number is not None and np.isnan(number):
                number, note = None, note or "outside: the formula has no value here"
        self.found.append(Quantity(name, title, number, unit, source, holds, note))


@dataclass(frozen=True)
class Predicted(Mapping[str, Quantity]):
    """All that theory says of one run, by name: ``predicted["t_gen"].value``.

    Attributes
    ----------
    spec
        The run, under configuration keys, with λ as ``lambda``.
    accuracy
        The level whose first times are meant.
    quantities
        In the order of the table.
    """

    spec: Mapping[str, Any]
    accuracy: float
    quantities: tuple[Quantity, ...]

    def __getitem__(self, name: str) -> Quantity:
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(f"{name}: theory has here {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return (quantity.name for quantity in self.quantities)

    def __len__(self) -> int:
        return len(self.quantities)

    def curve(self) -> dict[str, np.ndarray]:
        """Return losses and accuracies (T,) against the recorded steps, by column.

        Raises
        ------
        ValueError
            Where theory has no course for this run.
        """
        from linear_grokking.workflow.predict.curves import curve

        return curve(self.spec)

    def __str__(self) -> str:
        return "\n".join(table(self))


def table(predicted: Predicted) -> list[str]:
    """Return the quantities as lines of text, one group for each source."""
    lines: list[str] = []
    groups = itertools.groupby(predicted.quantities, lambda each: (each.source, each.holds))
    for (source, holds), group in groups:
        members = list(group)
        lines += ["", f"{source}; holds for {holds}:"]
        notes = {each.note for each in members if each.value is None}
        if len(notes) == 1 and all(each.value is None for each in members):
            lines += [f"  {', '.join(each.title for each in members)}", f"    {notes.pop()}"]
        else:
            lines += [_line(each) for each in members]
    return lines[1:]


def _line(quantity: Quantity) -> str:
    counts = quantity.unit == "steps" and quantity.value is not None
    steps = "steps" if counts and quantity.value != math.inf else ""
    return f"  {quantity.title:<46}{_number(quantity):>12} {steps:<7}{quantity.note}".rstrip()


def _number(quantity: Quantity) -> str:
    if quantity.value is None:
        return "-"
    if quantity.unit == "steps" and math.isinf(quantity.value):
        return NEVER
    return f"{quantity.value:.6g}"
