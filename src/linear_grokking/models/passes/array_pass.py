"""The pass over data matrices by products of whole arrays, for any array library."""

import numpy as np

from linear_grokking.models.passes.products import Pass
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.shapes import Float

_ENTRIES = 10**4
"""Number of entries that give the root mean square within a percent."""


class ArrayPass(Pass):
    """A pass that takes all realizations in one batched product, on a GPU or in any array library.

    Parameters
    ----------
    inputs : (R, N, d)
    """

    def __init__(self, inputs: Float[Array, "R N d"]) -> None:
        self.shape = tuple(inputs.shape)
        self.xp = array_namespace(inputs)
        self._inputs = inputs

    def outputs(self, vectors: Float[Array, "*S d"]) -> Float[Array, "*S N"]:
        """See `Pass.outputs`."""
        xp = self.xp
        realizations, n, d = self.shape
        rows = xp.permute_dims(xp.reshape(vectors, (-1, realizations, d)), (1, 0, 2))
        product = xp.matmul(self._cast(rows), xp.matrix_transpose(self._inputs))
        product = xp.permute_dims(xp.astype(product, xp.float64), (1, 0, 2))
        return xp.reshape(product, (*vectors.shape[:-1], n))

    def pull_back(self, weights: Float[Array, "R N"]) -> Float[Array, "R d"]:
        """See `Pass.pull_back`."""
        xp = self.xp
        product = xp.matmul(self._cast(weights)[..., None, :], self._inputs)
        return xp.astype(product[..., 0, :], xp.float64)

    def input_size(self) -> float:
        """Return the root mean square of the inputs' entries, within a percent."""
        xp = self.xp
        rows = max(1, _ENTRIES // (self.shape[0] * self.shape[2]))
        return float(xp.mean(xp.astype(self._inputs[:, :rows], xp.float64) ** 2)) ** 0.5

    def isotropic(self, rng: np.random.Generator) -> Float[np.ndarray, "R d"]:
        """Return a vector of standard normal numbers, the same for every realization."""
        vector = rng.standard_normal(self.shape[2])
        return np.broadcast_to(vector, (self.shape[0], vector.size))

    def _cast(self, array: Array) -> Array:
        return self.xp.astype(array, self._inputs.dtype, copy=False)
