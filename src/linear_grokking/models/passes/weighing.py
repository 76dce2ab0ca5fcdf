"""How a pass weights the samples, and the numbers of these ways in the compiled loops."""

from typing import ClassVar, Protocol

from linear_grokking.runtime.arrays import Array, Namespace
from linear_grokking.shapes import Float

LOGISTIC, EXPONENTIAL, LINEAR = range(3)
"""Ways that the compiled loops implement.  The loops are cached on disk: keep the numbers."""


class Weighing(Protocol):
    """How the weights w of the samples follow from their outputs o and factors c.

    Attributes
    ----------
    number
        One of the above; None if only products of whole arrays implement it.
    """

    number: ClassVar[int | None]

    def weights(
        self, xp: Namespace, outputs: Float[Array, "*S"], factors: Float[Array, "*S"]
    ) -> Float[Array, "*S"]:
        """Return the weights (R, N) from outputs and factors (R, N)."""
        ...


class LogWeighing(Weighing, Protocol):
    """Weights c ℓ'(c o) with factors c = ±1, for a convex, non-decreasing loss ℓ."""

    def log_slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Return log ℓ'(m), which rises with m = c o."""
        ...


class LinearWeighing:
    """w = c o, which with c = ℓ'' gives the product with a Hessian."""

    number: ClassVar[int | None] = LINEAR

    def weights(
        self, xp: Namespace, outputs: Float[Array, "*S"], factors: Float[Array, "*S"]
    ) -> Float[Array, "*S"]:
        """See `Weighing.weights`."""
        return factors * outputs
