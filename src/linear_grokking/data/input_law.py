"""Base classes for laws of labelled inputs, and the law of a linear classifier's output."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from linear_grokking.shapes import Float


@dataclass(frozen=True)
class OutputMixture:
    """Law of a linear classifier's output f on fresh data: a mixture of normals.

    All arrays broadcast against (..., K), K the number of components; leading axes are
    those of the weights.  `labels` are the ±1 labels of each component.
    """

    probabilities: Float[np.ndarray, "*#S #K"]
    labels: Float[np.ndarray, "*#S #K"]
    means: Float[np.ndarray, "*#S #K"]
    deviations: Float[np.ndarray, "*#S #K"]


class Drawing(Protocol):
    """An object that draws inputs: a law, or a law with what all sets of a realization share."""

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """Fill ``out`` (n, d) with inputs."""


@dataclass(frozen=True)
class InputLaw(ABC):
    """A law of labelled inputs; its fields are keys of the configuration.

    Attributes
    ----------
    name
        Its name in the configuration.
    sigma
        Standard deviation σ of the inputs, the unit of length.
    isotropic_across
        Whether all coordinates but the first are N(0, σ²), independent of it and of each other.
    """

    name: ClassVar[str]
    isotropic_across: ClassVar[bool] = False
    sigma: float

    def key(self) -> dict[str, object]:
        """Return name and parameters that the random stream depends on.

        σ is not among them: sets that differ only in σ are multiples of each other.
        """
        return {"law": self.name}

    def of_realization(self, rng: np.random.Generator, d: int) -> "Drawing":
        """Return what draws the inputs of one realization: the law, or a law with shared features.

        Parameters
        ----------
        rng
            The stream for what training and fresh inputs have in common.
        d
            Dimension of the inputs.
        """
        return self

    @abstractmethod
    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """Fill ``out`` (n, d) with inputs."""

    @abstractmethod
    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """Return the law of f = S·x + b for weights (..., d) and bias (...)."""


class SampledLaw(InputLaw):
    """A law whose outputs have no closed form: fresh inputs (`n_gen`) measure generalization."""

    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """Refuse: see `InputLaw.output_mixture`."""
        raise ValueError(f"law = {self.name}: needs fresh inputs, its outputs have no closed form")
