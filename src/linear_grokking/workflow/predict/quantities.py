"""Predicted quantities, each with its source and the range in which its formula holds."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linear_grokking.errors import LinearGrokkingError

Needs = Mapping[str, bool]
"""The conditions for a formula to hold, and whether the run meets each."""


@dataclass(frozen=True)
class Quantity:
    """A number that theory predicts for a run.

    Attributes
    ----------
    name, title
        Names for programs and for people.
    value
        inf for a time that never comes; None if no formula applies, in which case ``note`` says
        why.
    unit
        "steps", or "1".
    source
        Paper and equation, or the section of docs/theory.md.
    holds
        The range in which the formula holds.
    note
        A remark on this run: why there is no value, or how the run lies outside the range.
    """

    name: str
    title: str
    value: float | None
    unit: str
    source: str
    holds: str
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the fields for JSON: a value that is not finite becomes null, with a note."""
        fields = asdict(self)
        if self.value is not None and not math.isfinite(self.value):
            word = NEVER if self.unit == "steps" else "infinite"
            fields |= {"value": None, "note": self.note or word}
        return fields


NEVER = "never"


class Rows:
    """Collects the quantities of a table in their order."""

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
        needs: Needs | None = None,
        note: str = "",
    ) -> None:
        """Add a quantity, or a note in place of its value if a condition is not met.

        An error that the formula raises for its arguments becomes a note as well.

        Parameters
        ----------
        value
            The number, or a function that computes it, called only if all conditions are met.
        needs
            Conditions for the formula to hold; None if there are none.
        """
        lacking = [need for need, met in (needs or {}).items() if not met]
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
    """Everything that theory predicts for a run, by name: ``predicted["t_gen"].value``.

    Attributes
    ----------
    spec
        The run, by configuration keys, with λ as ``lambda``.
    accuracy
        The accuracy whose first times are predicted.
    quantities
        The quantities in the order of the table.
    """

    spec: Mapping[str, Any]
    accuracy: float
    quantities: tuple[Quantity, ...]

    def __getitem__(self, name: str) -> Quantity:
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(f"{name}: no such quantity for this run; available: {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return (quantity.name for quantity in self.quantities)

    def __len__(self) -> int:
        return len(self.quantities)

    def curve(self) -> dict[str, np.ndarray]:
        """Return losses and accuracies (T,) at the recorded steps, by column.

        Raises
        ------
        ValueError
            If theory predicts no curve for this run.
        """
        from linear_grokking.workflow.predict.curves import curve

        return curve(self.spec)

    def __str__(self) -> str:
        return "\n".join(table(self))


def table(predicted: Predicted) -> list[str]:
    """Return the quantities as lines of text, grouped by source and range."""
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
