"""A pass over a training set: its outputs and pull-backs, however the products are computed."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from linear_grokking.models.passes.weighing import LogWeighing, Weighing
from linear_grokking.runtime.arrays import Array, Namespace
from linear_grokking.shapes import Float

if TYPE_CHECKING:
    from linear_grokking.models.passes.stretches import Stretches

_TINY = 1e-300
_LEAST = -1e300
"""Stands for the logarithm of the largest weight if that is 0."""


class Pass(ABC):
    """The inputs of R training sets, which training sees only through outputs and pull-backs.

    Attributes
    ----------
    shape
        R, N and d: the number of coordinates of a vector.
    xp
        The array library of vectors and weights, in its standard form.
    """

    shape: tuple[int, int, int]
    xp: Namespace

    @abstractmethod
    def outputs(self, vectors: Float[Array, "*S d"]) -> Float[Array, "*S N"]:
        """Return Xv (..., R, N) in float64 for vectors (..., R, d); many at a time cost little."""

    @abstractmethod
    def pull_back(self, weights: Float[Array, "R N"]) -> Float[Array, "R d"]:
        """Return Xᵀw (R, d) in float64 for weights w of the samples, of order 1 at most."""

    @abstractmethod
    def input_size(self) -> float:
        """Return the root mean square of the inputs' entries."""

    @abstractmethod
    def isotropic(self, rng: np.random.Generator) -> Float[np.ndarray, "R d"]:
        """Return vectors of standard normal numbers."""

    def __call__(
        self,
        vectors: Float[Array, "R d"],
        offsets: Float[Array, " R"],
        weighing: Weighing,
        factors: Float[Array, "R N"],
    ) -> tuple[Float[Array, "R N"], Float[Array, "R d"], Float[Array, " R"]]:
        """Return outputs o = Xv + offset, pull-back Xᵀw and total Σw.

        Parameters
        ----------
        vectors, offsets
            v and offset.
        weighing, factors
            Determine the weights w from the outputs.

        Returns
        -------
        outputs, pull_back, totals
            All float64.
        """
        xp = self.xp
        outputs = self.outputs(vectors) + offsets[..., None]
        weights = weighing.weights(xp, outputs, factors)
        largest = xp.clip(xp.max(xp.abs(weights), axis=-1), _TINY, None)[..., None]
        pull_back = largest * self.pull_back(weights / largest)
        return outputs, pull_back, xp.sum(weights, axis=-1)

    def scaled(
        self,
        vectors: Float[Array, "R d"],
        offsets: Float[Array, " R"],
        weighing: LogWeighing,
        factors: Float[Array, "R N"],
    ) -> tuple[Float[Array, "R d"], Float[Array, " R"], Float[Array, " R"]]:
        """Return pull-back and total in units of the largest weight, and its logarithm.

        They do not underflow, however small the weights are.  Parameters as in `__call__`.
        """
        xp = self.xp
        margins = factors * (self.outputs(vectors) + offsets[..., None])
        scale = xp.clip(weighing.log_slope(xp, xp.max(margins, axis=-1)), _LEAST, None)
        weights = factors * xp.exp(weighing.log_slope(xp, margins) - scale[..., None])
        return self.pull_back(weights), xp.sum(weights, axis=-1), scale

    def stretches(
        self, weighing: Weighing, signs: Array, *, bias: bool, decays: tuple[float, float]
    ) -> "Stretches | None":
        """Return compiled loops that take many gradients in one call, or None if there are none."""
        return None
