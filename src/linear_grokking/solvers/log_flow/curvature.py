"""The largest curvature of the logistic loss, tracked along a trajectory."""

from collections.abc import Mapping

import numpy as np

from linear_grokking.models.logistic import LogisticModel
from linear_grokking.runtime.arrays import Array, array_namespace, like, to_numpy
from linear_grokking.shapes import Float

_PRODUCTS = 8
"""Hessian products per estimate."""

_TINY = 1e-300  # keeps a norm of 0 from dividing


class LargestCurvature:
    """Estimates of the Hessian's largest eigenvalue: some by Lanczos, cheap ones in between.

    Lanczos gives the largest Ritz value plus its residual, so that the estimate errs on the
    large side.  In between, the last estimate is scaled with the Rayleigh quotient of its Ritz
    vector v.  This costs no pass over the data: the quotient is the mean of ℓ'' (x·v)², and
    (x·v)² is kept.

    Attributes
    ----------
    products
        Hessian products so far, each as expensive as a gradient.
    """

    def __init__(self, model: LogisticModel) -> None:
        self.products = 0
        self._model = model
        self._vector: Array | None = None  # (R, d + 1), the Ritz vector
        self._shares: Array | None = None  # (R, N), (x·v)²/N
        self._ratio: Array | None = None  # (R,), estimate divided by Rayleigh quotient

    def estimate(self, outputs: Float[Array, "R N"], *, anew: bool) -> Float[Array, " R"]:
        """Return the estimates (R,) at training outputs (R, N)."""
        curvatures = self._model.curvatures(outputs)
        if anew or self._vector is None:
            estimate = self._lanczos(curvatures)
            # 1 where both are 0: the loss is flat there.
            self._ratio = (estimate + _TINY) / (self._rayleigh_quotient(curvatures) + _TINY)
            return estimate
        return self._ratio * self._rayleigh_quotient(curvatures)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs; not before the first estimate."""
        return {
            "vector": to_numpy(self._vector),
            "shares": to_numpy(self._shares),
            "ratio": to_numpy(self._ratio),
            "products": np.array(self.products),
        }

    def restore(self, state: Mapping[str, np.ndarray], beside: Array) -> None:
        """Restore what `state` returned, onto the device of the array ``beside``."""
        self.products = int(state["products"])
        self._vector, self._shares, self._ratio = (
            like(beside, state[name]) for name in ("vector", "shares", "ratio")
        )

    def _rayleigh_quotient(self, curvatures: Array) -> Array:
        return array_namespace(curvatures).vecdot(curvatures, self._shares)

    def _lanczos(self, curvatures: Array) -> Array:
        xp = array_namespace(curvatures)
        vector = self._first_vector(curvatures) if self._vector is None else self._vector
        vector = vector / xp.linalg.vector_norm(vector, axis=-1)[:, None]
        on = {"dtype": xp.float64, "device": curvatures.device}
        basis = xp.zeros((len(vector), _PRODUCTS, vector.shape[1]), **on)
        outputs = xp.zeros((len(vector), _PRODUCTS, curvatures.shape[1]), **on)
        diagonal, off_diagonal = [], []
        for k in range(_PRODUCTS):
            basis[:, k] = vector
            outputs[:, k], product, product_bias = self._model.hessian_product(
                curvatures, vector[:, :-1], vector[:, -1]
            )
            rest = xp.concat([product, product_bias[:, None]], axis=-1)
            # Against all of the basis; otherwise rounding would bring back its first vectors.
            overlaps = xp.matmul(basis, rest[:, :, None])
            rest = rest - xp.matmul(xp.matrix_transpose(overlaps), basis)[:, 0]
            diagonal.append(overlaps[:, k, 0])
            off_diagonal.append(xp.sqrt(xp.vecdot(rest, rest)))
            vector = rest / (off_diagonal[-1] + _TINY)[:, None]
        self.products += _PRODUCTS
        # The small eigenproblem is solved on the host.
        alpha = to_numpy(xp.stack(diagonal, axis=-1))
        beta = to_numpy(xp.stack(off_diagonal, axis=-1))
        ritz = np.zeros((*alpha.shape, _PRODUCTS))
        index = np.arange(_PRODUCTS)
        ritz[:, index, index] = alpha
        ritz[:, index[1:], index[:-1]] = beta[:, :-1]
        if not np.isfinite(ritz).all():
            return like(curvatures, np.full(len(ritz), np.inf))
        values, vectors = np.linalg.eigh(ritz)  # of the lower triangle
        leading = vectors[:, :, -1]
        estimate = values[:, -1] + beta[:, -1] * np.abs(leading[:, -1])
        leading = like(curvatures, leading)[:, None, :]
        self._vector = xp.matmul(leading, basis)[:, 0]
        self._shares = xp.matmul(leading, outputs)[:, 0] ** 2 / self._model.n_train
        return like(curvatures, estimate)

    def _first_vector(self, curvatures: Array) -> Array:
        """Return random vectors (R, d + 1)."""
        rng = np.random.default_rng(0)
        # The memory order is fixed, as rounding in what follows depends on it.
        vectors = np.empty((self._model.realizations, self._model.d + 1), order="F")
        vectors[:, :-1] = self._model.data.isotropic(rng)
        vectors[:, -1] = rng.standard_normal() if self._model.has_bias else 0.0
        return like(curvatures, vectors)
