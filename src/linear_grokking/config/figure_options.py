"""Types of the options of figures."""

from dataclasses import dataclass
from typing import Annotated

from linear_grokking.config.fields import Section


@dataclass(frozen=True)
class Role:
    """Marks an option as the name of an experiment of certain kinds."""

    kinds: tuple[str, ...]
    measure: str


LinearRuns = Annotated[str, Role(("linear",), "dynamics")]
GrokkingTimes = Annotated[str, Role(("grokking_times",), "grokking_times")]
TwoLayerRuns = Annotated[str, Role(("two_layer",), "dynamics")]
LogisticRuns = Annotated[str, Role(("logistic",), "dynamics")]
OutputRuns = Annotated[str, Role(("logistic",), "outputs")]
SeparabilityRuns = Annotated[str, Role(("separability",), "separability")]
TwoPointRuns = Annotated[str, Role(("two_point",), "dynamics")]
ModularRuns = Annotated[str, Role(("modular",), "dynamics")]


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
