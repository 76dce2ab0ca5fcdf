"""What a figure's options may hold, and how the figures are found.

Each module ``linear_grokking.figures.<id>`` brings ``Options(FigureOptions)``,
``tabulate(options, data)`` and ``draw(table)``, which returns a matplotlib figure; a new
module is a new figure.
"""

import importlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Annotated

import linear_grokking.figures
from linear_grokking.config.fields import Section

FIGURE_MODULE = re.compile(r"(a|b|bt)\d+")


@dataclass(frozen=True)
class Role:
    """Marks an option as the name of an experiment of certain kinds."""

    kinds: tuple[str, ...]
    measure: str


LinearRuns = Annotated[str, Role(("linear",), "dynamics")]
TwoLayerRuns = Annotated[str, Role(("two_layer",), "dynamics")]
LogisticRuns = Annotated[str, Role(("logistic",), "dynamics")]
OutputRuns = Annotated[str, Role(("logistic",), "outputs")]
SeparabilityRuns = Annotated[str, Role(("separability",), "separability")]
TwoPointRuns = Annotated[str, Role(("two_point",), "dynamics")]


class FigureOptions(Section):
    """Options of one figure; those annotated with a `Role` name experiments."""

    @classmethod
    def roles(cls) -> dict[str, Role]:
        """Return the options that name experiments."""
        return {
            name: mark
            for name, info in cls.model_fields.items()
            for mark in info.metadata
            if isinstance(mark, Role)
        }

    def experiments(self) -> dict[str, str]:
        """Return the experiment that each role names."""
        return {name: getattr(self, name) for name in self.roles()}


@cache
def figure_ids() -> tuple[str, ...]:
    """Return the IDs of all figures, in the papers' order: A1 …, B1 …, BT1."""
    names = [module.name for module in pkgutil.iter_modules(linear_grokking.figures.__path__)]
    found = [name.upper() for name in names if FIGURE_MODULE.fullmatch(name)]
    return tuple(sorted(found, key=lambda name: (name.rstrip("0123456789"), natural(name))))


def natural(figure_id: str) -> int:
    """Return the number in a figure's ID."""
    return int(re.sub(r"\D", "", figure_id))


def figure_module(figure_id: str) -> ModuleType:
    """Import the module of a figure."""
    return importlib.import_module(f"linear_grokking.figures.{figure_id.lower()}")
