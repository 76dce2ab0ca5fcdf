"""The pass over the data in products of whole arrays, for any array library."""

from typing import TYPE_CHECKING

from array_api_compat import array_namespace

from linear_grokking.models.passes.weighing import LogWeighing, Weighing
from linear_grokking.runtime.arrays import Array
from linear_grokking.shapes import Float

if TYPE_CHECKING:
    from linear_grokking.models.passes.stretches import Stretches

_TINY = 1e-300
_LEAST = -1e300
"""The logarithm of a largest weight that is 0."""


class ArrayPass:
    """All realizations in one batched product; for GPUs, and any array library.

    Parameters
    ----------
    inputs : (R, N, d)
    """

    def __init__(self, inputs: Float[Array, "R N d"]) -> None:
        self._inputs = inputs
        self._xp = array_namespace(inputs)

    def outputs(self, vectors: Float[Array, "*S d"]) -> Float[Array, "*S N"]:
        """Return Xv (..., R, N) in float64 for vectors (..., R, d); many at a time are cheap."""
        xp = self._xp
        realizations, n, d = self._inputs.shape
        rows = xp.permute_dims(xp.reshape(vectors, (-1, realizations, d)), (1, 0, 2))
        product = xp.matmul(self._cast(rows), xp.matrix_transpose(self._inputs))
        product = xp.permute_dims(xp.astype(product, xp.float64), (1, 0, 2))
        return xp.reshape(product, (*vectors.shape[:-1], n))

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
            What makes the weights w of the outputs.

        Returns
        -------
        outputs, pull_back, totals
            All float64.
        """
        xp = self._xp
        outputs = self.outputs(vectors) + offsets[..., None]
        weights = weighing.weights(xp, outputs, factors)
        largest = xp.clip(xp.max(xp.abs(weights), axis=-1), _TINY, None)[..., None]
        pull_back = xp.matmul(self._cast(weights / largest)[..., None, :], self._inputs)
        pull_back = largest * xp.astype(pull_back[..., 0, :], xp.float64)
        return outputs, pull_back, xp.sum(weights, axis=-1)

    def scaled(
        self,
        vectors: Float[Array, "R d"],
        offsets: Float[Array, " R"],
        weighing: LogWeighing,
        factors: Float[Array, "R N"],
    ) -> tuple[Float[Array, "R d"], Float[Array, " R"], Float[Array, " R"]]:
        """Return pull-back and total in units of the largest weight, and its logarithm.

        However small the weights are, these do not vanish.  Parameters as of `__call__`.
        """
        xp = self._xp
        margins = factors * (self.outputs(vectors) + offsets[..., None])
        scale = xp.clip(weighing.log_slope(xp, xp.max(margins, axis=-1)), _LEAST, None)
        weights = factors * xp.exp(weighing.log_slope(xp, margins) - scale[..., None])
        pull_back = xp.matmul(self._cast(weights)[..., None, :], self._inputs)[..., 0, :]
        return xp.astype(pull_back, xp.float64), xp.sum(weights, axis=-1), scale

    def stretches(
        self, weighing: Weighing, signs: Array, *, bias: bool, decays: tuple[float, float]
    ) -> "Stretches | None":
        """Return what takes many gradients in one call; None where there is no such loop."""
        return None

    def _cast(self, array: Array) -> Array:
        return self._xp.astype(array, self._inputs.dtype, copy=False)
