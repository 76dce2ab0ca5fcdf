"""How a pass weighs the samples, and the numbers by which compiled loops know the ways."""

from typing import ClassVar, Protocol

from linear_grokking.runtime.arrays import Array, Namespace
from linear_grokking.shapes import Float

LOGISTIC, EXPONENTIAL, LINEAR = range(3)
"""Ways that compiled loops know.  The loops are kept on disk: leave the numbers."""


class Weighing(Protocol):
    """How the weights w of the samples follow from their outputs o and factors c.

    Attributes
    ----------
    number
        Among those above; None leaves the way to products of whole arrays.
    """

    number: ClassVar[int | None]

    def weights(
        self, xp: Namespace, outputs: Float[Array, "*S"], factors: Float[Array, "*S"]
    ) -> Float[Array, "*S"]:
        """Return the weights (R, N) from outputs and factors (R, N)."""
        ...


class LogWeighing(Weighing, Protocol):
    """Weights c ℓ'(c o) of factors c = ±1, of a loss that is convex and does not fall."""

    def log_slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Return log ℓ'(m), which rises with m = c o."""
        ...


class LinearWeighing:
    """w = c o: with c = ℓ'' the product with a Hessian."""

    number: ClassVar[int | None] = LINEAR

    def weights(
        self, xp: Namespace, outputs: Float[Array, "*S"], factors: Float[Array, "*S"]
    ) -> Float[Array, "*S"]:
        """See `Weighing.weights`."""
        return factors * outputs
