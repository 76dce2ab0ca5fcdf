"""One pass over the data for both products of a gradient: outputs Xv and pull-back Xᵀw.

The weights w of the samples are functions of the outputs; `Weighing` names them.  Products
are taken in the dtype of the inputs, everything else in float64; weights are scaled before
they are rounded to float32, whose range they may exceed.
"""

from enum import IntEnum
from typing import Any

from array_api_compat import array_namespace, is_numpy_array

from linear_grokking.arrays import Array

_TINY = 1e-300


class Weighing(IntEnum):
    """How the weights w of the samples follow from their outputs o and factors c.

    Compiled loops that are kept on disk know the numbers: leave them.
    """

    LOGISTIC = 0
    """w = c / (1 + e^{-c o}), for the slope of the cross entropy, c = -y."""
    EXPONENTIAL = 1
    """w = c e^{c o}, for the slope of the exponential loss, c = -y."""
    LINEAR = 2
    """w = c o, for the product with a Hessian, c = ℓ''."""


def weights_of(xp: Any, weighing: Weighing, outputs: Array, factors: Array) -> Array:
    """Return the samples' weights, of the outputs' shape."""
    products = factors * outputs
    if weighing is Weighing.LOGISTIC:
        return factors / (1.0 + xp.exp(-products))
    if weighing is Weighing.EXPONENTIAL:
        return factors * xp.exp(products)
    return products


def make_sweep(inputs: Array, threads: int = 1) -> Any:
    """Return the pass over ``inputs`` (R, N, d) that suits the array library they are of.

    Parameters
    ----------
    threads
        Threads that share large NumPy matrices.  Results do not depend on it.

    Returns
    -------
    ArraySweep or RowSweep
    """
    if is_numpy_array(inputs):
        from linear_grokking.models.row_sweep import RowSweep  # compiles its loops

        return RowSweep(inputs, threads)
    return ArraySweep(inputs)


class ArraySweep:
    """All realizations in one batched product; for GPUs, and any array library."""

    def __init__(self, inputs: Array) -> None:
        self._inputs = inputs
        self._xp = array_namespace(inputs)

    def outputs(self, vectors: Array) -> Array:
        """Return Xv (..., R, N) in float64 for vectors (..., R, d); many at a time are cheap."""
        xp = self._xp
        realizations, n, d = self._inputs.shape
        rows = xp.permute_dims(xp.reshape(vectors, (-1, realizations, d)), (1, 0, 2))
        product = xp.matmul(self._cast(rows), xp.matrix_transpose(self._inputs))
        product = xp.permute_dims(xp.astype(product, xp.float64), (1, 0, 2))
        return xp.reshape(product, (*vectors.shape[:-1], n))

    def __call__(
        self, vectors: Array, offsets: Array, weighing: Weighing, factors: Array
    ) -> tuple[Array, Array, Array]:
        """Return outputs o = Xv + offset, pull-back Xᵀw and total Σw.

        Parameters
        ----------
        vectors : (R, d)
        offsets : (R,)
        weighing, factors : (R, N)
            What makes the weights w of the outputs; see `Weighing`.

        Returns
        -------
        outputs : (R, N)
        pull_back : (R, d)
        totals : (R,)
            All float64.
        """
        xp = self._xp
        outputs = self.outputs(vectors) + offsets[..., None]
        weights = weights_of(xp, weighing, outputs, factors)
        largest = xp.clip(xp.max(xp.abs(weights), axis=-1), _TINY, None)[..., None]
        pull_back = xp.matmul(self._cast(weights / largest)[..., None, :], self._inputs)
        pull_back = largest * xp.astype(pull_back[..., 0, :], xp.float64)
        return outputs, pull_back, xp.sum(weights, axis=-1)

    def stretches(self, weighing: Weighing, signs: Array, *, bias: bool) -> None:
        """Return nothing: see `RowSweep.stretches`."""

    def _cast(self, array: Array) -> Array:
        return self._xp.astype(array, self._inputs.dtype, copy=False)
